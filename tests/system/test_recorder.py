# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the dead leave: every request that was under way has its record, and the cause of the death is named."""
import signal

from lib.service import UNIT
from lib.wait import wait_until

JOURNALD = "systemd-journald.service"


def begin(service, target):
    """A request that is with its worker when this returns; the connection is the caller's."""
    connection = service.connect()
    connection.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert service.ask("/").status == 200
    return connection


def access_of(service, target, since):
    """The access records of a target, once there is one that was not replayed."""
    def found():
        return [record for record in service.access_records(since) if f" {target} " in record["MESSAGE"]]
    return wait_until(found, 20, f"an access record of {target}")


def test_worker_killed_with_a_request_in_flight_names_it(service):
    since = service.mark()
    with begin(service, "/sleep?ms=20000&who=victim"):
        for pid in service.workers():
            service.container.kill(pid, signal.SIGKILL)
        [record] = access_of(service, "/sleep?ms=20000&who=victim", since)
    assert record["OUTCOME"] == "worker-died" and record["HTTP_METHOD"] == "GET"
    [died] = [event for event in service.events("worker-died", since) if event["IN_FLIGHT"] == "1"]
    assert died["WORKER_PID"] == record["WORKER_PID"] and died["SIGNAL"] == "KILL"
    assert died["REQUEST_ID"] == record["REQUEST_ID"]
    assert "GET /sleep?ms=20000&who=victim" in died["REQUESTS"]


def test_poisoned_request_is_named_with_the_stack_of_its_end(service):
    since = service.mark()
    with service.connect() as connection:
        connection.send(b"GET /fault?poison=1 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.rest() == b""
    died = service.wait_for_event("worker-died", since=since)
    assert died["SIGNAL"] == "SEGV" and "in GET /fault?poison=1 from " in died["MESSAGE"]
    assert "probe.so" in died["STACK"]
    [record] = service.records("OUTCOME=worker-died", since=since)
    assert record["REQUEST_ID"] == died["REQUEST_ID"]
    assert record["MESSAGE"].startswith("GET /fault?poison=1 HTTP/1.1 ") and record["REMOTE_ADDR"] in record["MESSAGE"]


def test_what_everybody_left_is_told_by_the_next_master(service):
    container = service.container
    since = service.mark()
    journald = int(container.property(JOURNALD, "MainPID"))
    dead = [service.master(), *service.workers()]
    with begin(service, "/sleep?ms=20000&who=all") as connection:
        container.kill(journald, signal.SIGSTOP)
        try:
            ids = {service.ask(f"/?n={n}").request_id for n in range(300)}
            container.run("sh", "-c", f"kill -9 {' '.join(map(str, reversed(dead)))}")
            connection.rest()
            wait_until(lambda: not any(container.alive(pid) for pid in dead), 20, "the end of all")
        finally:
            container.kill(journald, signal.SIGCONT)
        service.wait_for_event("master-ready", since=since)
        [cut] = access_of(service, "/sleep?ms=20000&who=all", since)
    assert cut["OUTCOME"] == "worker-died" and int(cut["WORKER_PID"]) in dead

    def told():
        return {record["REQUEST_ID"] for record in service.access_records(since)} >= ids
    wait_until(told, 20, "all records of the dead")
    first = [record["REQUEST_ID"] for record in service.access_records(since) if "REPLAYED" not in record]
    assert len(first) == len(set(first))
    [event] = service.events("master-died", since)
    assert f"(pid {dead[0]})" in event["MESSAGE"]
    own = 1 + len(service.workers())
    wait_until(lambda: int(container.property(UNIT, "NFileDescriptorStore")) == own, 20, "boxes of the dead gone")
