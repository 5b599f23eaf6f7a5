# SPDX-License-Identifier: LGPL-2.1-or-later
"""Restart and reload while clients open a connection per request: nobody notices."""
from lib.service import FOUR_WORKERS, UNIT, USE_PROBE
from lib.wait import wait_until


def test_restart_under_load_fails_no_request(service):
    with service.load(threads=4) as load:
        for _ in range(3):
            load.wait_for_answers(100)
            before = service.master()
            service.container.systemctl("restart", UNIT)
            assert service.master() != before
        load.wait_for_answers(100)
    assert load.failed == []


def test_reload_under_load_fails_no_request(service):
    since = service.mark()
    master = service.master()
    with service.load(threads=4) as load:
        for _ in range(3):
            load.wait_for_answers(100)
            before = service.workers()
            service.container.systemctl("reload", UNIT)
            service.wait_for_workers(4, without=before)
        load.wait_for_answers(100)
    assert load.failed == []
    assert service.master() == master
    asked = {answer.request_id for answer in load.ledger}
    wait_until(lambda: {record["REQUEST_ID"] for record in service.access_records(since)} >= asked, 20, "all records")
    records = service.access_records(since)
    assert {record["REQUEST_ID"] for record in records} == asked
    # a journal that is slower than workers are patient gets what it may have read once more, and marked
    first = [record for record in records if "REPLAYED" not in record]
    assert len(first) == len({record["REQUEST_ID"] for record in first})
    assert len({record["GENERATION"] for record in records}) == 4


def test_request_under_way_ends_well_when_the_service_stops(service):
    with service.connect() as connection:
        connection.send(b"GET /sleep?ms=1500 HTTP/1.1\r\nHost: a\r\n\r\n")
        # the request is with its worker when another one behind it was answered
        assert service.ask("/").status == 200
        service.container.systemctl("restart", UNIT)
        assert connection.receive().status == 200


def test_broken_configuration_changes_nothing(service):
    since = service.mark()
    master, workers = service.master(), sorted(service.workers())
    service.configure("[server]\nworkrs = 9\nthreads = many\n[http]\nkeepalive = 5 parsecs\n")
    with service.load(threads=2) as load:
        load.wait_for_answers(20)
        assert service.container.systemctl("reload", UNIT, check=False).returncode != 0
        refused = service.wait_for_event("config-refused", since=since)
        load.wait_for_answers(20)
    assert load.failed == []
    assert service.master() == master and sorted(service.workers()) == workers
    told = refused["MESSAGE"] + refused["PROBLEMS"]
    for part in ("50-tests.ini:2", "workrs", "workers", "50-tests.ini:3", "threads", "50-tests.ini:5", "keepalive"):
        assert part in told, told
    assert "Subject:" in service.container.journal_text("-x", f"MESSAGE_ID={refused['MESSAGE_ID']}", "-n", "1")


def test_application_that_cannot_start_changes_nothing_and_fails_the_reload(service):
    since = service.mark()
    workers = sorted(service.workers())
    service.configure(FOUR_WORKERS, USE_PROBE + "start_fail = 1\n")
    with service.load(threads=2) as load:
        load.wait_for_answers(20)
        assert service.container.systemctl("reload", UNIT, check=False).returncode != 0
        assert "its start() failed" in service.wait_for_event("reload-failed", since=since)["MESSAGE"]
        assert service.container.property(UNIT, "ActiveState") == "active"
        load.wait_for_answers(20)
    assert load.failed == [] and sorted(service.workers()) == workers
    service.configure(FOUR_WORKERS, USE_PROBE)
    service.container.systemctl("reload", UNIT)


def test_settings_take_effect_at_reload(service):
    service.configure("[server]\nworkers = 2\n")
    before = service.workers()
    service.container.systemctl("reload", UNIT)
    service.wait_for_workers(2, without=before)
    service.configure(FOUR_WORKERS, USE_PROBE)
    service.container.systemctl("reload", UNIT)
    service.wait_for_workers(4)


def test_broken_configuration_at_start_is_told_and_mending_it_is_enough(fresh_service):
    service = fresh_service
    service.configure("[server]\nworkrs = 9\n")
    service.container.systemctl("start", "appsrv.socket")
    service.container.systemctl("start", "--no-block", UNIT)
    service.wait_for_event("config-refused")
    with service.connect() as waiting:
        waiting.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        service.configure()
        wait_until(lambda: service.container.property(UNIT, "ActiveState") == "active", 40, "the service recovers")
        assert waiting.receive().status == 200
