# SPDX-License-Identifier: LGPL-2.1-or-later
"""The recorder under faults: whatever is killed or stopped, each request has its record, and what is lost is counted.

Each fault can be run alone: -k journald-killed. APPSRV_CHAOS_SEED=N makes other draws than those of every run;
APPSRV_CHAOS_REQUESTS=N is how many requests the test asks in which everything happens at once (`make chaos`: 100,000).
"""
import contextlib
import os
import re
import statistics
import time
from datetime import datetime

import pytest

from lib.chaos import FAULTS, JOURNALD, Chaos, Faults
from lib.service import UNIT
from lib.verdict import explain, judge
from lib.wait import wait_until

SEED = int(os.environ.get("APPSRV_CHAOS_SEED") or 1)
REQUESTS = int(os.environ.get("APPSRV_CHAOS_REQUESTS") or 8_000)
REQUESTS_OF_ONE_FAULT = 1_000
# in each second: what two busy processors do beside other work
RATE = 800
WORKERS = "[server]\nworkers = 4\nthreads = 4\n"
# holds more than comes in the longest outage
ROOMY = WORKERS + "[log]\nbuffer = 16m\n"
# holds a few hundred records of each worker
TIGHT = WORKERS + "[log]\nbuffer = 64k\n"
# so many requests fill four of these, and the journal's queue
FILLING = 1_000
RUNTIME_JOURNAL = "/run/log/journal"
PAIRS = 7
# after these the clients of what was killed have no answer; after all others nobody notices anything
DEADLY = ("crashing-requests", "worker-killed", "worker-segv", "worker-abrt", "everybody-killed")
# seconds from one fault to the next of its lane; a service that was killed needs some until it serves
PAUSE = (0.1, 0.4)
LONGER_PAUSE = (0.8, 1.5)


@pytest.fixture(scope="module", autouse=True)
def told_seed(request):
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\nAPPSRV_CHAOS_SEED={SEED}", flush=True)


@pytest.fixture
def chaos(shared_service, request):
    """The service of this file; each test has draws of its own, whichever others run."""
    return Chaos(shared_service, f"{SEED}/{request.node.name}")


def assert_true_to_the_ledgers(story):
    found = judge(story)
    if found:
        pytest.fail(f"APPSRV_CHAOS_SEED={SEED}\n{explain(story, found)}", pytrace=False)


# -- faults -----------------------------------------------------------------------------

@pytest.mark.parametrize("fault", ["none", "crashing-requests", *FAULTS])
def test_one_fault(chaos, fault):
    chaos.prepare(ROOMY)
    crowd, faults = chaos.happen([fault] if fault in FAULTS else [], REQUESTS_OF_ONE_FAULT, rate=RATE,
                                 pause=LONGER_PAUSE if fault == "everybody-killed" else PAUSE,
                                 crashing=200 if fault == "crashing-requests" else 0)
    assert_true_to_the_ledgers(chaos.settled_story(crowd, faults, gentle=fault not in DEADLY))


@pytest.mark.seconds(150 + REQUESTS // 200)
def test_everything_at_once(chaos):
    chaos.prepare(ROOMY)
    crowd, faults = chaos.happen(list(FAULTS), REQUESTS, rate=RATE, pause=LONGER_PAUSE, crashing=1000)
    assert_true_to_the_ledgers(chaos.settled_story(crowd, faults))


# -- the buffer -------------------------------------------------------------------------

def test_outage_that_fits_the_buffer_loses_nothing_and_delays_nobody(chaos):
    chaos.prepare(WORKERS + "[log]\nbuffer = 4m\noverflow = block:1s\n")
    faults = Faults(chaos.service)
    with chaos.crowd(rate=400) as crowd, faults:
        wait_until(lambda: crowd.answered() > 200, 20, "answers before")
        with faults.frozen_journald():
            time.sleep(3)
        goal = crowd.answered() + 200
        wait_until(lambda goal=goal: crowd.answered() > goal, 20, "answers after")
    assert_true_to_the_ledgers(chaos.settled_story(crowd, faults, gentle=True))
    assert max(asked.ended - asked.begun for asked in crowd.ledger.values()) < 0.9


def test_full_buffer_that_drops_costs_no_request_and_no_time_and_counts_exactly(chaos):
    chaos.prepare(TIGHT + "overflow = drop\n")
    faults = Faults(chaos.service)
    normal, frozen = [], []
    # so much work that the journal keeps up with the records of what is answered
    with chaos.crowd(work=[5]) as crowd, faults:
        crowd.speed(0.5)
        for _ in range(PAIRS):
            # what the journal has to make up for is no part of what is normal
            chaos.container.run("journalctl", "--sync")
            normal.append(faults.pace(crowd, 0.2))
            with faults.frozen_journald():
                goal = crowd.answered() + FILLING
                wait_until(lambda goal=goal: crowd.answered() > goal, 20, "answers that fill the buffer")
                frozen.append(faults.pace(crowd, 0.2))
        normal.append(faults.pace(crowd, 0.2))
    story = chaos.settled_story(crowd, faults, gentle=True, may_lose=True)
    assert_true_to_the_ledgers(story)
    assert story.lost("ACCESS") > 0 and story.lost("APP") > 0, "the buffer was never full"

    # The median of pairs: other work on the machine comes and goes.
    costs = shares([pace.usec for pace in frozen], [pace.usec for pace in normal])
    assert statistics.median(costs) <= 1.1, f"processor time of an answer while journald stood, of the usual: {costs}"
    speeds = shares([pace.speed for pace in frozen], [pace.speed for pace in normal])
    assert statistics.median(speeds) >= 0.9, f"answers/s while journald stood, of the usual: {speeds}"


def shares(these, those):
    """Each of `these` as a share of the two of `those` around it."""
    return [round(each / statistics.mean(around), 2) for each, around in zip(these, zip(those, those[1:]))]


def test_loss_is_told_with_its_span_and_its_number_is_in_the_status(chaos):
    chaos.prepare(TIGHT + "overflow = drop\n")
    faults = Faults(chaos.service)
    with faults:
        with faults.frozen_journald():
            begun = time.time()
            with chaos.crowd(work=[0]) as crowd:
                wait_until(lambda: crowd.answered() > 3_000, 60, "many answers")
            # the journal stands on, and nothing is lost any more: a record is written at most a moment after the answer
            wait_until(lambda begun=time.time(): time.time() > begun + 2, 10)
            ended = time.time() - 1

        def told():
            events = chaos.service.events("log-lost", chaos.since)
            return sum(int(event["LOST"]) for event in events if "REPLAYED" not in event)

        def in_the_status():
            shown = chaos.container.systemctl("status", "--no-pager", "-n", "0", UNIT).stdout
            found = re.search(r'^ *Status: ".*, log: ([\d,]+) lost"$', shown, re.MULTILINE)
            return found and int(found[1].replace(",", ""))

        wait_until(lambda: told() and told() == in_the_status(), 20, "the number of lost records in the status")
    story = chaos.settled_story(crowd, faults, gentle=True, may_lose=True)
    assert_true_to_the_ledgers(story)
    for event in story.events("log-lost"):
        since, until = int(event["LOST_SINCE_USEC"]) / 1e6, int(event["LOST_UNTIL_USEC"]) / 1e6
        assert begun <= since <= until <= ended, (begun, event, ended)
    first = min(int(event["LOST_SINCE_USEC"]) / 1e6 for event in story.events("log-lost"))
    assert first < ended - (ended - begun) / 10, "the buffer was full at the end only"


def test_loss_after_a_wait_is_counted_exactly_while_workers_die(chaos):
    chaos.prepare(TIGHT + "overflow = block:1s\n")
    faults = Faults(chaos.service)
    with chaos.crowd(rate=RATE, crashing=500) as crowd, faults:
        with faults.frozen_journald():
            faults.begin(["worker-killed"], chaos.seed, pause=(0.4, 0.9))
            wait_until(lambda: len(faults.deaths) > 3 and crowd.answered() > 500, 60, "deaths and answers")
    story = chaos.settled_story(crowd, faults, may_lose=True)
    assert_true_to_the_ledgers(story)
    assert story.lost("ACCESS") + story.lost("APP") > 0, "the buffer was never full"


# -- the next processes -------------------------------------------------------------------

def some_requests(service):
    """{REQUEST_ID: (when it was asked, when it was answered)}"""
    found = {}
    for _ in range(40):
        begun = time.time()
        answer = service.ask("/work?id=-")
        assert answer.status == 200
        found[answer.request_id] = begun, time.time()
    return found


def written_at(record):
    return datetime.fromisoformat(record["SYSLOG_TIMESTAMP"].replace("Z", "+00:00")).timestamp()


def test_records_from_before_a_restart_and_an_upgrade_come_when_the_journal_does(chaos):
    """With the time at which they were written, and of the worker that wrote them."""
    chaos.prepare(ROOMY)
    service, container = chaos.service, chaos.container
    lives = [(service.wait_for_workers(4), some_requests(service))]
    with Faults(service) as faults, faults.without_journald():
        lives[0][1].update(some_requests(service))
        for change in (["systemctl", "restart", UNIT],
                       ["apt-get", "install", "-q", "-y", "--reinstall", f"/var/tmp/{service.built.deb('appsrv').name}"]):
            container.run(*change)
            lives.append((service.wait_for_workers(4, without=lives[-1][0]), some_requests(service)))
        # a record is written at most a moment after the answer, and from some time on it says when that was
        wait_until(lambda begun=time.time(): time.time() > begun + 2, 10)
        assert container.property(JOURNALD, "ActiveState") == "inactive"
    workers = {id_: pids for pids, asked in lives for id_ in asked}
    times = {id_: at for _, asked in lives for id_, at in asked.items()}

    def all_there():
        records = [record for record in service.access_records(chaos.since) if "REPLAYED" not in record]
        return records if {record["REQUEST_ID"] for record in records} >= times.keys() else None

    records = wait_until(all_there, 20, "all access records")
    assert len(records) == len(times)
    for record in records:
        begun, answered = times[record["REQUEST_ID"]]
        assert int(record["WORKER_PID"]) in workers[record["REQUEST_ID"]]
        assert record["OUTCOME"] == "ok" and record["HTTP_STATUS"] == "200"
        if "SYSLOG_TIMESTAMP" in record:
            assert begun <= written_at(record) <= answered + 1, record
    # the first ones went out at once
    assert sum("SYSLOG_TIMESTAMP" in record for record in records) >= len(times) - 40


# -- no room on the disk ------------------------------------------------------------------

@contextlib.contextmanager
def full_disk(container):
    """A journal of its own on a small disk, of which something else takes the rest; gives the name of that file."""
    filler = f"{RUNTIME_JOURNAL}/filler"
    container.run("mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", RUNTIME_JOURNAL)
    try:
        container.systemctl("restart", JOURNALD)
        container.run("sh", "-c", f"cat /dev/zero >{filler} 2>/dev/null", check=False)
        yield filler
    finally:
        container.run("umount", "--lazy", RUNTIME_JOURNAL)
        container.systemctl("restart", JOURNALD)


def test_full_disk_of_the_journal_is_nothing_to_the_service(chaos):
    """What journald has taken is out of our hands: it drops what it cannot write, and says so to nobody."""
    chaos.prepare(ROOMY)
    service, container = chaos.service, chaos.container
    with full_disk(container) as filler:
        with chaos.crowd(work=[0]) as crowd:
            wait_until(lambda: crowd.answered() > 4_000, 60, "many answers")
        recorded = len(service.access_records())
        assert recorded < crowd.answered(), "the disk was not full"
        container.run("rm", filler)

        def is_recorded():
            id_ = service.ask("/work?id=-").request_id
            return container.journal(f"REQUEST_ID={id_}", unit=UNIT)

        wait_until(is_recorded, 20, "records are written again")
        assert not service.events("log-lost")
        wait_until(lambda: container.property(UNIT, "StatusText").endswith("log ok"), 10, "the status")
    assert [asked for asked in crowd.ledger.values() if asked.status != asked.wanted] == []
    assert max(asked.ended - asked.begun for asked in crowd.ledger.values()) < 5
    assert container.property(UNIT, "NRestarts") == "0"
