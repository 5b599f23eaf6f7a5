# SPDX-License-Identifier: LGPL-2.1-or-later
"""Applications that take longer than request_timeout: their client has an answer, the worker a successor."""
import ast
import contextlib
import errno
import re
import signal
import time

import pytest

from lib.roots import Unavailable
from lib.wait import wait_until

LIMIT = 1.0
ONE = "[server]\nworkers = 1\nthreads = 2\ngraceful_timeout = 1s\n[http]\nrequest_timeout = 1s\n"
REASON = "its application took too long"


def get(target):
    return f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def has_successor(server, worker):
    wait_until(lambda: server.ask("/pid").body != str(worker).encode(), 10, "another worker serves")


@pytest.mark.parametrize("stuck", ["/sleep?ms=60000", "/spin?ms=60000"])
def test_client_is_answered_and_the_worker_replaced(start, stuck):
    with start(ONE) as server, server.connect() as connection, server.connect() as other:
        [worker] = server.workers()
        connection.send(get(stuck))
        time.sleep(LIMIT * 0.7)
        other.send(get("/sleep?ms=800&other"))  # is not harmed
        began = time.monotonic()
        answer = connection.receive()
        assert answer.status == 504 and answer.headers["connection"] == "close"
        assert LIMIT * 0.2 < time.monotonic() - began < LIMIT
        line = server.wait_for_line(f"GET {stuck}", "HTTP_STATUS=504", "OUTCOME=timeout")
        assert REASON in line and f"RESPONSE_BYTES={len(answer.body)}" in line
        told = server.wait_for_line("EVENT=request-timeout")
        assert f"REQUEST_ID={answer.request_id}" in told and "APP=probe" in told and f"WORKER_PID={worker}" in told
        stack = re.search(r"\bSTACK=(.*)", told)[1]
        assert "probe.so(" in stack and ("nanosleep" in stack) == ("sleep" in stuck), stack
        assert other.receive().status == 200
        has_successor(server, worker)
        wait_until(lambda: worker not in server.workers(), 10, "the worker has gone")
        assert len(server.lines(f"GET {stuck}", "OUTCOME=")) == 1
        assert not server.lines("EVENT=worker-died")


def test_successor_is_ready_first(start, build):
    slow = f"[app probe]\ntype = native\npath = {build.application('probe')}\nstart_delay_ms = 1000\n"
    with start(ONE + slow) as server, server.connect() as connection:
        [worker] = server.workers()
        connection.send(get("/sleep?ms=60000"))
        assert connection.receive().status == 504
        assert int(server.ask("/pid").body) == worker, "nobody else is there: its other thread serves on"
        told = server.wait_for_line("EVENT=worker-recycled")
        assert "REASON=request_timeout" in told and f"WORKER_PID={worker}" in told
        assert int(server.ask("/pid").body) != worker
        output = server.output()
        assert output.index("EVENT=request-timeout") < output.rindex("EVENT=worker-ready") < output.index("EVENT=worker-recycled")
        wait_until(lambda: worker not in server.workers(), 10, "the worker has gone")


def test_all_workers_are_stuck_and_new_connections_wait_for_fresh_ones(start):
    with start(ONE.replace("workers = 1", "workers = 2").replace("threads = 2", "threads = 1")) as server:
        first = server.workers()
        with contextlib.ExitStack() as stack:
            of_worker = {}
            while len(of_worker) < 2:
                connection = stack.enter_context(server.connect())
                of_worker[connection.ask("/pid").body] = connection
            for connection in of_worker.values():
                connection.send(get("/sleep?ms=60000"))
            assert [connection.receive().status for connection in of_worker.values()] == [504, 504]
            assert server.ask("/").status == 200
        wait_until(lambda: not set(first) & set(server.workers()), 10, "both were replaced")
        assert not server.lines("EVENT=worker-died")


def test_nobody_is_cut_in_time(start):
    with start(ONE) as server:
        [worker] = server.workers()
        for _ in range(2):
            assert server.ask("/sleep?ms=700").status == 200
        with server.connect() as connection:  # its time begins again with each request
            for _ in range(2):
                assert connection.ask("/sleep?ms=700").status == 200
        assert server.workers() == [worker] and not server.lines("EVENT=request-timeout")


def test_waiting_for_a_thread_is_not_counted(start):
    with start(ONE.replace("threads = 2", "threads = 1")) as server:
        connections = [server.connect() for _ in range(4)]
        for connection in connections:
            connection.send(get("/sleep?ms=600"))
        assert [connection.receive().status for connection in connections] == [200] * 4
        assert not server.lines("EVENT=request-timeout")
        for connection in connections:
            connection.socket.close()


def test_waiting_for_the_client_is_not_counted(start):
    with start(ONE, application="reader") as server, server.connect() as slow:
        slow.send(b"POST /?slow HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n")
        for _ in range(20):
            slow.send(b"x")
            time.sleep(0.1)
        assert slow.receive().status == 200
        assert not server.lines("EVENT=request-timeout")


def test_body_that_it_does_not_read_is(start):
    with start(ONE, application="reader") as server, server.connect() as connection:
        [worker] = server.workers()
        connection.send(b"POST /deaf?ms=60000 HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n" + bytes(1_000_000))
        assert connection.rest() == b""
        assert REASON in server.wait_for_line("POST /deaf", "HTTP_STATUS=504", "OUTCOME=timeout")
        wait_until(lambda: server.workers() and worker not in server.workers(), 10, "another worker")


def test_stream_that_stops_is_cut(start):
    with start(ONE) as server, server.connect() as connection:
        [worker] = server.workers()
        connection.send(get("/stream?pieces=2&ms=60000"))
        began = time.monotonic()
        raw = connection.rest()
        assert raw.startswith(b"HTTP/1.1 200 ") and not raw.endswith(b"0\r\n\r\n")
        assert LIMIT * 0.8 < time.monotonic() - began < LIMIT + 1.5
        assert REASON in server.wait_for_line("GET /stream", "HTTP_STATUS=200", "OUTCOME=timeout")
        has_successor(server, worker)


def test_what_is_begun_too_late_is_not_sent(start):
    """The application comes back after its client has his answer, and finds nobody."""
    with start(ONE) as server, server.connect() as late, server.connect() as stream:
        late.send(get("/sleep?ms=1600"))
        stream.send(get("/stream?wait=1600&pieces=1000&size=1000"))
        assert late.receive().status == stream.receive().status == 504
        wait_until(lambda: len(server.lines("OUTCOME=timeout")) == 2, 10, "both records")
        time.sleep(1)
        assert len(server.lines("OUTCOME=")) == 2


def test_worker_that_is_told_to_end_meanwhile(start):
    with start(ONE) as server, server.connect() as connection:
        connection.send(get("/sleep?ms=60000"))
        time.sleep(0.3)
        server.signal(signal.SIGTERM)
        assert connection.receive().status == 504
        server.wait_for_line("GET /sleep", "OUTCOME=timeout")


def test_each_application_has_its_own_limit(start, build):
    own = ONE + f"""
[app quick]
type = native
path = {build.application('probe')}
mount = /quick
[app slow]
type = native
path = {build.application('probe')}
request_timeout = 0
"""
    with start(own) as server:
        [worker] = server.workers()
        assert server.ask("/sleep?ms=1300").status == 200 and server.workers() == [worker]
        assert server.ask("/quick/sleep?ms=60000").status == 504
        assert "APP=quick" in server.wait_for_line("EVENT=request-timeout")


def test_application_extends_its_deadline_up_to_the_greatest(start):
    with start(ONE + "request_timeout_max = 2s\n") as server:
        [worker] = server.workers()
        before, result, after = map(int, server.ask("/extend?ms=1400&extend=1800").body.split())
        assert 0 < before <= 1_000_000 and result == 0 and 1_000_000 < after <= 1_800_000
        before, result, after = map(int, server.ask("/extend?ms=0&extend=2100").body.split())
        assert result == -errno.ERANGE and after <= before, "nothing has changed"
        before, result, after = map(int, server.ask("/extend?ms=0&extend=100").body.split())
        assert result == 0 and after > 500_000, "it is never shortened"
        assert server.workers() == [worker] and not server.lines("EVENT=request-timeout")
        assert server.ask("/extend?ms=60000&extend=1200").status == 504


HALTS = """[server]
workers = 1
threads = 4
graceful_timeout = 1s
watchdog = {watchdog}
[app halts]
type = native
path = {path}
mount = /halts
"""


def test_application_that_says_that_it_hangs_is_given_up(start, build):
    """No other one of the worker is; who has asked for time has it."""
    hangs = HALTS.format(watchdog="1s", path=build.application("halts"))
    hangs += f"hangs = yes\n[app probe]\ntype = native\npath = {build.application('probe')}\n"
    with start(hangs) as server, server.connect() as stuck, server.connect() as other:
        [worker] = server.workers()
        assert server.ask("/halts/?ms=1800&extend=5000").status == 200 and server.workers() == [worker]
        other.send(get("/sleep?ms=1800"))
        stuck.send(get("/halts/?ms=60000"))
        answer = stuck.receive()
        assert answer.status == 504 and answer.headers["connection"] == "close"
        told = server.wait_for_line("EVENT=app-hung", "APP=halts", f"REQUEST_ID={answer.request_id}", f"WORKER_PID={worker}")
        assert "halts.so(" in re.search(r"\bSTACK=(.*)", told)[1]
        assert "its application hung as a whole" in server.wait_for_line("GET /halts/?ms=60000", "HTTP_STATUS=504", "OUTCOME=timeout")
        assert other.receive().status == 200
        assert "REASON=watchdog" in server.wait_for_line("EVENT=worker-recycled")
        wait_until(lambda: worker not in server.workers(), 10, "the worker has gone")
        assert len(server.lines("EVENT=app-hung")) == 1 and not server.lines("EVENT=worker-died")


def test_application_is_asked_only_about_what_takes_long(start, build):
    with start(HALTS.format(watchdog="5s", path=build.application("halts"))) as server, server.connect() as connection:
        assert {connection.ask("/halts/").body for _ in range(50)} == {b"0"}
        assert int(connection.ask("/halts/?ms=1200").body) > 0


PYTHON = """
import time
import appsrv


def app(environ, start_response):
    told = [appsrv.time_left()]
    for seconds in (1.5, 3600, -1, "soon"):
        try:
            told.append(appsrv.extend(seconds))
        except Exception as reason:
            told.append(type(reason).__name__)
    told.append(appsrv.time_left())
    while appsrv.time_left() > 0.3:  # beyond what it had at first
        time.sleep(0.01)
    start_response("200 OK", [])
    return [repr(told).encode()]
"""


def test_so_does_one_in_python(start, build, tmp_path):
    if not (build.program.parent / "wsgi.so").exists():
        raise Unavailable("this build has no wsgi.so")
    (tmp_path / "patient.py").write_text(PYTHON)
    with start(ONE + f"[app patient]\ntype = wsgi\nmodule = patient:app\nchdir = {tmp_path}\n") as server:
        before, *results, after = ast.literal_eval(server.ask("/").body.decode())
        assert 0 < before <= 1 < after <= 1.5
        assert results == [None, "ValueError", "ValueError", "TypeError"]
