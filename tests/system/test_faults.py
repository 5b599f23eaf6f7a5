# SPDX-License-Identifier: LGPL-2.1-or-later
"""Workers and the master are killed and stopped: what is replaced, what is told, and who notices."""
import concurrent.futures
import contextlib
import signal

from lib.service import FOUR_WORKERS, UNIT
from lib.wait import wait_until


def connections_by_worker(service, stack, number=4):
    """Kept-alive connections, at least one to each of `number` workers."""
    found = {}
    for _ in range(200):
        connection = stack.enter_context(service.connect())
        found.setdefault(int(connection.ask("/pid").body), connection)
        if len(found) == number:
            return found
    raise AssertionError(f"200 connections, and only the workers {sorted(found)} have one")


def test_killed_worker_is_replaced_and_others_go_on(service):
    since = service.mark()
    with contextlib.ExitStack() as stack:
        connections = connections_by_worker(service, stack)
        victim = sorted(connections)[0]
        others = {pid: connection for pid, connection in connections.items() if pid != victim}
        with concurrent.futures.ThreadPoolExecutor(len(others)) as clients:
            slow = [clients.submit(connection.ask, "/sleep?ms=1500") for connection in others.values()]
            service.container.kill(victim, signal.SIGKILL)
            service.wait_for_workers(4, without=[victim], seconds=5)
            assert [each.result().status for each in slow] == [200] * len(others)
        assert {pid: int(connection.ask("/pid").body) for pid, connection in others.items()} == \
               {pid: pid for pid in others}

    event = service.wait_for_event("worker-died", since=since)
    assert event["WORKER_PID"] == str(victim)
    assert "KILL" in event["SIGNAL"] or event["SIGNAL"] == "9"
    assert len(service.events("worker-died", since)) == 1
    assert event["_PID"] == str(service.master())
    assert victim not in service.workers()
    explained = service.container.journal_text("-x", f"MESSAGE_ID={event['MESSAGE_ID']}", "-n", "1")
    assert "Subject:" in explained and str(victim) in explained


def test_crashed_worker_is_replaced(service):
    since = service.mark()
    before = service.workers()
    service.exchange(b"GET /crash HTTP/1.1\r\nHost: a\r\n\r\n")
    event = service.wait_for_event("worker-died", since=since)
    assert int(event["WORKER_PID"]) in before
    assert "SEGV" in event["SIGNAL"] or event["SIGNAL"] == "11"
    service.wait_for_workers(4, without=[int(event["WORKER_PID"])])
    assert service.ask("/").status == 200


def test_worker_that_exits_is_replaced(service):
    since = service.mark()
    service.exchange(b"GET /exit HTTP/1.1\r\nHost: a\r\n\r\n")
    event = service.wait_for_event("worker-died", since=since)
    assert event["EXIT_CODE"] == "3"
    service.wait_for_workers(4, without=[int(event["WORKER_PID"])])
    assert service.ask("/").status == 200


def test_stopped_worker_is_found_hung_and_replaced(service):
    service.configure(FOUR_WORKERS + "watchdog = 2s\n")
    service.begin()
    since = service.mark()
    victim = service.wait_for_workers(4)[0]
    service.container.kill(victim, signal.SIGSTOP)
    hung = service.wait_for_event("worker-hung", f"WORKER_PID={victim}", since=since, seconds=15)
    died = service.wait_for_event("worker-died", f"WORKER_PID={victim}", since=since, seconds=20)
    assert int(hung["__REALTIME_TIMESTAMP"]) <= int(died["__REALTIME_TIMESTAMP"])
    assert died["SIGNAL"] == "ABRT"
    service.wait_for_workers(4, without=[victim])
    assert len(service.events("worker-died", since)) == 1
    assert service.ask("/").status == 200
    for event in (hung, died):
        assert "Subject:" in service.container.journal_text("-x", f"MESSAGE_ID={event['MESSAGE_ID']}", "-n", "1")


def test_stopped_master_is_restarted_and_the_port_never_refuses(fresh_service):
    service = fresh_service
    service.configure()
    service.drop_in("[Service]\nWatchdogSec=3s\n")
    service.begin()
    before = service.master()
    with service.load(threads=4) as load:
        load.wait_for_answers(20)
        service.container.kill(before, signal.SIGSTOP)
        wait_until(lambda: service.master() not in (0, before), 40, "a new master")
        load.wait_for_answers(200)
    # the connections that the killed workers had accepted are lost, no other
    assert not [answer for answer in load.failed if "Refused" in answer.error]
    assert len(load.failed) <= 4 * 2
    assert service.container.property(UNIT, "NRestarts") == "1"
    assert service.ask("/").status == 200


def test_killed_master_is_restarted_and_the_port_never_refuses(service):
    before = service.master()
    with service.load(threads=4) as load:
        load.wait_for_answers(20)
        service.container.kill(before, signal.SIGKILL)
        wait_until(lambda: service.master() not in (0, before), 20, "a new master")
        load.wait_for_answers(200)
    assert not [answer for answer in load.failed if "Refused" in answer.error]
    assert len(load.failed) <= 4 * 2
    service.wait_for_workers(4)
