# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bodies that an application reads while they arrive: at the client's pace, at its own, and not at all."""
import contextlib
import os
import signal
import time

import pytest

from lib.client import Incomplete
from lib.processes import memory_of
from lib.serving import Serving
from lib.wait import wait_until

ONE = "[server]\nworkers = 1\nthreads = 2\n[http]\nlimit_request_body = 100m\n"


@pytest.fixture(scope="module")
def server(build, tmp_path_factory):
    with Serving(build, tmp_path_factory.mktemp("server"), ONE, application="reader") as running:
        yield running


def told(answer):
    """How reading ended, how many bytes there were, and their sum."""
    assert answer.status == 200
    return tuple(int(word) for word in answer.body.split())


def sum_of(body):
    total = 0
    for byte in body:
        total = (total * 31 + byte) & 0xffffffff
    return total


def head(target, *lines):
    return "\r\n".join([f"POST {target} HTTP/1.1", "Host: a", *lines, "", ""]).encode()


def chunked(*pieces):
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (*filter(None, pieces), b""))


def test_bytes_come_before_the_rest_is_sent(server):
    with server.connect() as connection:
        connection.send(head("/?early", "Content-Length: 10"))
        server.wait_for_line("begins")
        connection.send(b"first")
        server.wait_for_line("first bytes")
        connection.send(b"rest!")
        assert told(connection.receive()) == (0, 10, sum_of(b"firstrest!"))
        assert told(connection.ask("/")) == (0, 0, 0)  # no body at all


@pytest.mark.parametrize("size", [1, 65535, 65536, 65537, 300_000])
@pytest.mark.parametrize("piece", [0, 1000])
def test_whole_bodies(server, size, piece):
    body = os.urandom(size)
    with server.connect() as connection:
        answer = connection.ask(f"/?piece={piece}", method="POST", body=body)
        assert told(answer) == (0, size, sum_of(body))
        connection.send(head(f"/?piece={piece}", "Transfer-Encoding: chunked")
                        + chunked(body[:size // 3], body[size // 3:]))
        assert told(connection.receive()) == (0, size, sum_of(body))


def test_next_request_is_behind_the_body(server):
    with server.connect() as connection:
        once = head("/?piece=7", "Content-Length: 100000") + bytes(100_000)
        connection.send(once * 3 + head("/", "Content-Length: 0"))
        assert [told(connection.receive())[:2] for _ in range(4)] == [(0, 100_000)] * 3 + [(0, 0)]


def test_expect_is_answered(server):
    with server.connect() as connection:
        connection.send(head("/", "Content-Length: 3", "Expect: 100-continue"))
        assert connection._until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        connection.send(b"abc")
        assert told(connection.receive())[:2] == (0, 3)
        connection.send(head("/", "Content-Length: 999999999", "Expect: 100-continue"))
        assert connection.receive().status == 413


def test_client_that_waits_is_told_to_go_on_by_the_first_read_alone(server):
    with server.connect() as connection:
        connection.send(head("/deaf", "Content-Length: 100000", "Expect: 100-continue"))
        seen = connection.rest()
        assert seen.startswith(b"HTTP/1.1 200 ") and b"100 Continue" not in seen and b"Connection: close" in seen
    with server.connect() as connection:
        connection.send(head("/hasty", "Content-Length: 100000", "Expect: 100-continue"))
        seen = connection.rest()
        assert seen.startswith(b"HTTP/1.1 200 ") and b"already" in seen and b"100 Continue" not in seen


def test_version_1_0(server):
    with server.connect() as connection:
        connection.send(b"POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello")
        assert told(connection.receive()) == (0, 5, sum_of(b"hello"))


def test_slow_reader_holds_back_its_client_alone(start, build):
    size = 12_000_000
    with start(ONE, application="reader") as server, server.connect() as slow:
        [worker] = server.workers()
        most = memory_of(worker) + (3000 if not build.is_sanitized else 100_000)
        slow.socket.settimeout(0.3)
        slow.send(head("/?piece=65536&ms=20", f"Content-Length: {size}"))
        sent, began = 0, time.monotonic()
        with contextlib.suppress(TimeoutError):
            while time.monotonic() < began + 1:
                sent += slow.socket.send(bytes(1_000_000))
        assert sent < size and memory_of(worker) < most
        assert server.ask("/", method="POST", body=b"x").status == 200
        slow.socket.settimeout(60)
        slow.send(bytes(size - sent))
        assert told(slow.receive())[:2] == (0, size)
        assert memory_of(worker) < most
        assert "OUTCOME=ok" in server.wait_for_line("POST /?piece=65536")


@pytest.mark.parametrize("target", ["/deaf", "/deaf?ms=300", "/?most=1"])
def test_what_is_not_read_is_no_request(server, target):
    with server.connect() as connection:
        connection.send(head(target, "Content-Length: 3000000") + b"GET / HTTP/1.1\r\nHost:b\r\n\r\n\n" * 100_000
                        + bytes(300_000))
        assert connection.receive().status == 200
        assert told(connection.ask("/", method="POST", body=b"after")) == (0, 5, sum_of(b"after"))


def test_response_that_begins_first_drops_the_body(server):
    with server.connect() as connection:
        for framing in (["Content-Length: 500000"], ["Transfer-Encoding: chunked"]):
            body = bytes(500_000)
            connection.send(head("/hasty", *framing) + (body if "Content" in framing[0] else chunked(body)))
            answer = connection.receive()
            assert (answer.status, answer.body[-7:], len(answer.body)) == (200, b"already", 1_000_007)
            if answer.headers.get("connection") == "close":
                break
        else:
            assert told(connection.ask("/"))[:2] == (0, 0)


def test_client_that_leaves_is_told_to_the_application(start):
    with start(ONE, application="reader") as server:
        with server.connect() as connection:
            connection.send(head("/?leaves", "Content-Length: 1000000") + bytes(1000))
            server.wait_for_line("first bytes")
        server.wait_for_line("reading ended with EPIPE")
        assert "OUTCOME=client-abort" in server.wait_for_line("POST /?leaves")
        assert not server.lines("handler failed")
        assert server.ask("/").status == 200


def test_client_that_stalls_is_cut(start):
    with start(ONE + "body_timeout = 1s\n", application="reader") as server, server.connect() as stalls:
        stalls.send(head("/?stalls", "Content-Length: 1000000") + bytes(1000))
        began = time.monotonic()
        assert stalls.rest() == b""
        assert 0.8 < time.monotonic() - began < 3
        server.wait_for_line("reading ended with EPIPE")
        assert "OUTCOME=timeout" in server.wait_for_line("POST /?stalls")


def test_body_timeout_is_not_the_applications(start):
    """While it does not read, the client is not to blame."""
    with start(ONE + "body_timeout = 1s\n", application="reader") as server, server.connect() as connection:
        connection.send(head("/deaf?ms=2500", "Content-Length: 2000000"))
        connection.send(bytes(2_000_000))
        assert connection.receive().status == 200


def test_chunked_body_beyond_the_limit(start):
    with start("[server]\nworkers = 1\n[http]\nlimit_request_body = 100k\n", application="reader") as server:
        with server.connect() as connection:
            connection.send(head("/?large", "Transfer-Encoding: chunked") + chunked(bytes(90_000), bytes(90_000)))
            answer = connection.receive()
            assert (answer.status, answer.headers["connection"]) == (413, "close")
        server.wait_for_line("reading ended with EMSGSIZE")
        assert "HTTP_STATUS=413" in server.wait_for_line("POST /?large", "OUTCOME=rejected")
        with server.connect() as endless:
            with contextlib.suppress(ConnectionError):
                endless.send(head("/?endless", "Transfer-Encoding: chunked") + chunked(*[bytes(100_000)] * 100))
            with contextlib.suppress(ConnectionError, Incomplete):
                endless.receive()
        assert "HTTP_STATUS=413" in server.wait_for_line("POST /?endless", "OUTCOME=rejected")


def test_gathered_bodies_can_be_read_as_well(start, build):
    config = f"{ONE}[app probe]\ntype = native\npath = {build.application('probe')}\n"
    with start(config) as server:
        body = os.urandom(200_000)
        assert server.ask("/read?size=7000", method="POST", body=body).body == body
        assert server.ask("/read?size=7000").body == b""


def test_more_uploads_than_threads(start):
    with start(ONE, application="reader") as server, contextlib.ExitStack() as stack:
        connections = [stack.enter_context(server.connect()) for _ in range(10)]
        for number, connection in enumerate(connections):
            connection.send(head(f"/?n={number}", "Content-Length: 200000") + bytes(100_000))
        time.sleep(0.3)
        for connection in reversed(connections):  # those that wait for a thread first
            connection.send(bytes(100_000))
        assert [told(connection.receive())[:2] for connection in connections] == [(0, 200_000)] * 10


def test_slow_uploads_leave_threads_for_others(start):
    """Half of the threads wait for two of them; the others are gathered, and read when they are there."""
    with start("[server]\nworkers = 1\nthreads = 4\n", application="reader") as server, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(8)]
        for number, connection in enumerate(slow):
            connection.send(head(f"/?n={number}", "Content-Length: 200000") + bytes(1000))
        wait_until(lambda: len(server.lines("first bytes")) == 2, 10, "two are read")
        for _ in range(10):
            assert told(server.ask("/deaf", method="POST", body=b"x"))[0] == 0
        assert len(server.lines("first bytes")) == 2
        for connection in reversed(slow):
            connection.send(bytes(199_000))
        assert [told(connection.receive())[:2] for connection in slow] == [(0, 200_000)] * 8
        # those that have arrived do not count any more
        again = [stack.enter_context(server.connect()) for _ in range(2)]
        for connection in again:
            connection.send(head("/", "Content-Length: 10") + b"first")
        wait_until(lambda: len(server.lines("first bytes")) == 10, 10, "two more are read")
        for connection in again:
            connection.send(b"rest!")
            assert told(connection.receive())[:2] == (0, 10)


def test_drain_lets_it_arrive(start):
    with start(ONE, application="reader") as server, server.connect() as connection:
        connection.send(head("/", "Content-Length: 10") + b"first")
        server.wait_for_line("first bytes")
        server.signal(signal.SIGTERM)
        time.sleep(0.5)
        connection.send(b"rest!")
        answer = connection.receive()
        assert told(answer)[:2] == (0, 10) and answer.headers["connection"] == "close"


def test_worker_that_dies_has_it_in_its_evidence(start):
    with start(ONE, application="reader") as server, server.connect() as connection:
        connection.send(head("/?dies", "Content-Length: 10") + b"first")
        server.wait_for_line("first bytes")
        wait_until(lambda: server.workers(), 5, "a worker")
        os.kill(server.workers()[0], signal.SIGKILL)
        assert "OUTCOME=worker-died" in server.wait_for_line("POST /?dies", "RESPONSE_BYTES")
