# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests that wait for an application thread: not for longer than queue_timeout, and nobody else's."""
import contextlib
import json
import select
import subprocess
import time

from lib import builds
from lib.wait import wait_until

LIMIT = 0.5
ONE = f"[server]\nworkers = 1\nthreads = 1\n[http]\nqueue_timeout = {LIMIT * 1000:.0f}ms\n"
REASON = "no application thread was free in time"


def occupy(connection, target):
    """The only application thread."""
    connection.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    time.sleep(0.1)


def test_who_waits_too_long_is_told_so(start):
    with start(ONE) as server, server.connect() as busy, server.connect() as waits, server.connect() as late:
        occupy(busy, "/sleep?ms=900")
        began = time.monotonic()
        waits.send(b"GET /echo?waits HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(LIMIT * 0.9)
        late.send(b"GET /echo?late HTTP/1.1\r\nHost: a\r\n\r\n")
        answer = waits.receive()
        assert LIMIT <= time.monotonic() - began < LIMIT + 0.3
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert "connection" not in answer.headers
        assert REASON in server.wait_for_line("GET /echo?waits", "HTTP_STATUS=503", "OUTCOME=rejected")
        assert busy.receive().status == late.receive().status == 200
        assert waits.ask("/echo?again").status == 200


def test_application_never_sees_it(start):
    with start(ONE) as server, server.connect() as busy:
        occupy(busy, "/sleep?ms=800")
        assert server.ask("/log", method="POST", body=b"never seen").status == 503
        assert busy.receive().status == 200
        assert server.ask("/log", method="POST", body=b"seen later").status == 200
        server.wait_for_line("seen later")
        assert not server.lines("never seen")


def test_many_at_once(start):
    """They all have their answer at their time, and the worker is as free as before."""
    with start(ONE) as server, server.connect() as busy:
        occupy(busy, "/sleep?ms=1200")
        waiting = [server.connect() for _ in range(200)]
        for connection in waiting:
            connection.send(b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        assert {connection.receive().status for connection in waiting} == {503}
        assert busy.receive().status == 200
        for connection in waiting:
            assert connection.ask("/echo").status == 200
            connection.socket.close()
        wait_until(lambda: len(server.lines("OUTCOME=rejected", "HTTP_STATUS=503")) == 200, 10, "all records")


def test_body_that_nobody_reads_in_time(start):
    with start(ONE, application="reader") as server, server.connect() as busy, server.connect() as waits:
        occupy(busy, "/deaf?ms=1000")
        waits.send(b"POST /?body HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" + bytes(100_000))
        time.sleep(LIMIT + 0.2)
        waits.send(bytes(200_000))
        answer = waits.receive()
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        assert REASON in server.wait_for_line("POST /?body", "OUTCOME=rejected")
        assert busy.receive().status == 200
        assert not server.lines("first bytes")


def test_what_takes_a_moment_does_not_wait_behind_a_crowd_that_takes_long(start):
    """Once it is known what takes long: 12 for 4 threads, and each three of them have been answered before the rest begins."""
    with start("[server]\nworkers = 1\nthreads = 4\n") as server, contextlib.ExitStack() as stack:
        for _ in range(3):
            assert server.ask("/sleep?ms=10").status == 200
        crowd = [stack.enter_context(server.connect()) for _ in range(12)]
        for connection in crowd:
            connection.send(b"GET /sleep?ms=500 HTTP/1.1\r\nHost: a\r\n\r\n")
        for _ in range(10):
            assert server.ask("/echo").status == 200
        answered = select.select([connection.socket for connection in crowd], [], [], 0)[0]
        assert len(answered) < 6
        assert {connection.receive().status for connection in crowd} == {200}


def busy_threads(server):
    shown = subprocess.run([server.build.program, "status", "--json", "--socket", str(server.folder / "runtime" / "status")],
                           capture_output=True, check=True, timeout=30, env=builds.environment()).stdout
    return json.loads(shown)["workers"][0]["busy_threads"]


def test_crowd_that_takes_long_has_all_threads_when_it_is_alone(start):
    with start("[server]\nworkers = 1\nthreads = 4\n") as server, contextlib.ExitStack() as stack:
        for _ in range(3):
            assert server.ask("/sleep?ms=10").status == 200
        crowd = [stack.enter_context(server.connect()) for _ in range(4)]
        for connection in crowd:
            connection.send(b"GET /sleep?ms=3000 HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: busy_threads(server) == 4, 2.5, "all four are busy")
        assert {connection.receive().status for connection in crowd} == {200}
