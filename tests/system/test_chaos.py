# SPDX-License-Identifier: LGPL-2.1-or-later
"""The recorder under faults: whatever is killed or stopped, each request has its record, and what is lost is counted.

Each fault can be run alone: -k journald-killed. APPSRV_CHAOS_SEED=N makes other draws than those of every run;
APPSRV_CHAOS_REQUESTS=N is how many requests the test asks in which everything happens at once (`make chaos`: 100,000).
"""
import os
import statistics
import time

import pytest

from lib.chaos import FAULTS, Chaos, Faults
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
        wait_until(lambda: crowd.answered() > goal, 20, "answers after")
    assert_true_to_the_ledgers(chaos.settled_story(crowd, faults, gentle=True))
    assert max(asked.ended - asked.begun for asked in crowd.ledger.values()) < 0.9


def test_full_buffer_that_drops_costs_no_request_and_no_time_and_counts_exactly(chaos):
    chaos.prepare(WORKERS + "[log]\nbuffer = 64k\noverflow = drop\n")
    faults = Faults(chaos.service)
    normal, frozen = [], []
    with chaos.crowd(work=[0]) as crowd, faults:
        crowd.speed(0.5)
        # more of both when the machine was busy with something else
        while len(normal) < 12 and (len(normal) < 4 or share(frozen, normal) < 0.9):
            normal.append(crowd.speed(0.6))
            with faults.frozen_journald():
                frozen.append(crowd.speed(0.6))
    story = chaos.settled_story(crowd, faults, gentle=True, may_lose=True)
    assert_true_to_the_ledgers(story)
    assert story.lost("ACCESS") > 0 and story.lost("APP") > 0, "the buffer was never full"
    assert share(frozen, normal) >= 0.9, f"answers/s: {frozen} while journald stood, {normal} otherwise"


def share(these, those):
    return statistics.median(these) / statistics.median(those)
