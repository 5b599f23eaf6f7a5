# SPDX-License-Identifier: LGPL-2.1-or-later
"""`appsrv status` of the installed service, by root and by others, while it works and while the journal does not."""
import json
import signal

from lib.wait import wait_until

JOURNALD = "systemd-journald.service"


def look(service):
    return json.loads(service.container.run("appsrv", "status", "--json").stdout)


def test_root_sees_the_request_in_flight(service):
    with service.connect() as connection:
        connection.send(b"GET /sleep?ms=4000&who=seen HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: look(service)["in_flight"] == 1, 10, "the request is in flight")
        shown = service.container.run("appsrv", "status").stdout.splitlines()
        seen = look(service)
        answer = connection.receive()
    assert shown[0].startswith("4 workers (1 busy), ") and shown[0].endswith("; 1 in flight")
    [line] = [line for line in shown if "/sleep" in line]
    assert f" running GET /sleep?ms=4000&who=seen from 127.0.0.1 {answer.request_id}" in line
    assert seen["master"]["pid"] == service.master()
    assert sorted(worker["pid"] for worker in seen["workers"]) == sorted(service.workers())
    [worker] = [worker for worker in seen["workers"] if worker["requests_in_flight"]]
    [record] = service.records(f"REQUEST_ID={answer.request_id}")
    assert int(record["WORKER_PID"]) == worker["pid"]


def test_others_may_not_look(service):
    done = service.container.run("setpriv", "--reuid=65534", "--clear-groups", "appsrv", "status", check=False)
    assert done.returncode == 69 and "Permission denied" in done.stderr, done


def test_black_box_that_waits_for_the_journal_is_counted(service):
    container = service.container
    journald = int(container.property(JOURNALD, "MainPID"))
    victim = service.workers()[0]
    container.kill(journald, signal.SIGSTOP)
    try:
        container.kill(victim, signal.SIGKILL)
        wait_until(lambda: look(service)["master"]["black_boxes_waiting"] == 1, 20, "the dead worker's box waits")
        assert "; 1 black box waits for the journal" in container.run("appsrv", "status").stdout
        assert victim not in [worker["pid"] for worker in look(service)["workers"]]
    finally:
        container.kill(journald, signal.SIGCONT)
    wait_until(lambda: look(service)["master"]["black_boxes_waiting"] == 0, 20, "its records are in the journal")


def test_service_that_does_not_run_is_told(service):
    service.container.systemctl("stop", "appsrv.socket", "appsrv.service")
    done = service.container.run("appsrv", "status", check=False)
    assert (done.returncode, done.stderr) == (69, "appsrv status: no running appsrv found\n")
    service.begin()
