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
        return [record for record in service.access_records(since)
                if f" {target} " in record["MESSAGE"] and "REPLAYED" not in record]
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
            # the master first: it would tell of the others; some of which end with it before it is their turn
            container.run("sh", "-c", f"kill -9 {' '.join(map(str, dead))}", check=False)
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


# -- output ----------------------------------------------------------------------

def test_what_an_application_prints_is_a_record_of_its_worker(service):
    since = service.mark()
    service.ask("/print?stdout=printed-and-recorded")
    record = wait_until(lambda: service.records("RECORD=output", since=since), 10, "what was printed")[0]
    assert record["MESSAGE"] == "printed-and-recorded" and record["STREAM"] == "stdout"
    assert int(record["WORKER_PID"]) in service.workers() and record["APP"] == "probe"
    assert record["_TRANSPORT"] == "journal"
    raw = service.container.journal("_TRANSPORT=stdout", unit=UNIT, since=since)
    assert not raw, raw


# -- which requests, and where to ------------------------------------------------

def test_sample_stands_for_the_rest_and_errors_are_all_there(service):
    service.configure("[server]\nworkers = 1\n[log]\naccess = sample:10\n")
    service.container.systemctl("reload", UNIT)
    service.wait_for_workers(1)
    since = service.mark()
    for _ in range(30):
        assert service.ask("/").status == 200
    for _ in range(3):
        assert service.ask("/nowhere").status == 404
    records = service.wait_for_access_records(6, since)
    well = [record for record in records if record["HTTP_STATUS"] == "200"]
    assert sum(int(record["SAMPLE"]) for record in well) == 30
    assert len(records) == len(well) + 3 and not any("SAMPLE" in record for record in records if record not in well)


def test_access_records_go_to_their_namespace(fresh_service):
    service, container = fresh_service, fresh_service.container
    service.drop_in(container.path("/usr/share/doc/appsrv/examples/access-namespace.conf").read_text(encoding="utf-8"))
    service.configure("[server]\nworkers = 2\n[log]\naccess_namespace = appsrv\n")
    service.begin()
    for _ in range(10):
        assert service.ask("/").status == 200

    def there():
        out = container.run("journalctl", "--namespace=appsrv", "-q", "-o", "cat", "-u", UNIT, "RECORD=access").stdout
        return len(out.splitlines()) == 10
    wait_until(there, 20, "ten records in the namespace")
    assert not service.access_records()
    assert service.events("master-ready")
