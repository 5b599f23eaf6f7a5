# SPDX-License-Identifier: LGPL-2.1-or-later
"""Responses that are given piece by piece: framing, back-pressure, clients that leave, applications that fail."""
import contextlib
import os
import signal
import socket
import time

import pytest

from lib.client import Incomplete
from lib.processes import descriptors, memory_of
from lib.wait import wait_until

ONE = "[server]\nworkers = 1\nthreads = 2\n"


def access_line(server, target):
    """The access record of a request, which begins with its method."""
    return wait_until(lambda: [line for line in server.lines(f"GET {target}") if "OUTCOME=" in line], 10, "a record")[0]


def test_pieces_of_unknown_length_are_chunked_and_the_connection_goes_on(server):
    with server.connect() as connection:
        for _ in range(3):
            answer = connection.ask("/stream?pieces=10&size=1000")
            assert answer.status == 200 and answer.body == b"x" * 10_000
            assert answer.headers["transfer-encoding"] == "chunked" and "content-length" not in answer.headers
    assert "10000B" in access_line(server, "/stream?pieces=10&size=1000")


def test_pieces_of_known_length_are_not_chunked(server):
    with server.connect() as connection:
        answer = connection.ask("/stream?pieces=10&size=1000&length=10000")
        assert answer.body == b"x" * 10_000 and answer.headers["content-length"] == "10000"
        assert "transfer-encoding" not in answer.headers and answer.headers["content-type"] == "text/plain"
        assert connection.ask("/").status == 200


def test_client_of_http_1_0_reads_until_the_end(server):
    answer = server.exchange(b"GET /stream?pieces=3&size=5 HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n" + b"x" * 15) and b"chunked" not in answer


def test_head_has_no_body(server):
    with server.connect() as connection:
        answer = connection.ask("/stream?pieces=3&size=5&length=15", method="HEAD")
        assert answer.status == 200 and answer.headers["content-length"] == "15"
        assert connection.ask("/").status == 200
        assert connection.ask("/stream?pieces=100&size=5000", method="HEAD").status == 200
        assert connection.rest() == b""


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_304_may_tell_the_length_of_the_200(server, method):
    request = f"{method} /stream?pieces=0&size=0&length=1234&code=304 HTTP/1.1\r\nHost: a\r\n\r\n".encode()
    with server.connect() as connection:
        connection.send(request * 2)
        for _ in range(2):
            answer = connection.receive()
            assert answer.status == 304 and answer.headers["content-length"] == "1234" and "connection" not in answer.headers
        assert connection.ask("/stream?pieces=3&size=5&length=15").body == b"x" * 15
    line = server.wait_for_line(f"REQUEST_ID={answer.request_id}")
    assert "OUTCOME=ok" in line and " 304 0B " in line
    assert server.ask("/stream?pieces=0&size=0&length=12&code=204").status == 500  # has none, ever


def test_each_piece_leaves_at_once(server):
    with server.connect() as connection:
        began = time.monotonic()
        connection.send(b"GET /stream?pieces=3&size=5&ms=1000 HTTP/1.1\r\nHost: a\r\n\r\n")
        while b"xxxxx" not in connection._left:
            connection._need()
        assert time.monotonic() - began < 0.9
        assert b"x" * 15 == connection.receive().body


def test_nothing_follows_a_body_without_pieces(server):
    with server.connect() as connection:
        assert connection.ask("/stream?pieces=0&size=0&length=0").body == b""
        assert connection.ask("/").status == 200


def test_slow_reader_holds_its_own_thread_and_no_memory(start):
    with start(ONE) as server, server.connect() as slow:
        assert server.ask("/stream?pieces=100&size=65536").status == 200
        [worker] = server.workers()
        before = memory_of(worker)
        slow.send(b"GET /stream?pieces=3000&size=65536 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        time.sleep(1)
        for _ in range(20):
            assert server.ask("/").status == 200
        assert memory_of(worker) - before < 4096
        assert len(slow.receive().body) == 3000 * 65536


def narrow(server, target):
    """A client that takes nothing of what it has asked for; its kernel takes little."""
    client = server.connect()
    client.socket.close()
    client.socket = socket.socket()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.socket.settimeout(30)
    client.socket.connect(server.address)
    client.send(b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target.encode())
    return client


def spools(server):
    """How many files without a name the worker has."""
    [worker] = server.workers()
    return sum(name.startswith(("/var/tmp/#", "/tmp/#")) for name in descriptors(worker).values())


def test_slow_readers_leave_threads_for_others_and_get_all(start):
    """As many as there are threads, and more: half of the threads wait for two of them, the rest for the others lies in files."""
    with start("[server]\nworkers = 1\nthreads = 4\n") as server, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(narrow(server, f"/stream?pieces=200&size=65536&n={n}")) for n in range(8)]
        wait_until(lambda: spools(server) >= 6, 20, "six files or more")
        for _ in range(10):
            assert server.ask("/").status == 200
        assert not server.lines("GET /stream", "OUTCOME=")
        assert [len(client.receive().body) for client in slow] == [200 * 65536] * 8
        wait_until(lambda: len(server.lines("GET /stream", "OUTCOME=ok")) == 8, 10, "eight records")
        wait_until(lambda: spools(server) == 0, 10, "no file is left")


def test_slow_reader_leaves_the_only_thread_to_others_and_gets_all(start):
    with start("[server]\nworkers = 1\nthreads = 1\n") as server, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(narrow(server, f"/stream?pieces=200&size=65536&n={n}")) for n in range(3)]
        for _ in range(10):
            assert server.ask("/").status == 200
        assert not server.lines("GET /stream", "OUTCOME=") and spools(server) == 3
        assert [len(client.receive().body) for client in slow] == [200 * 65536] * 3
        wait_until(lambda: len(server.lines("GET /stream", "OUTCOME=ok")) == 3, 10, "three records")


def test_slow_reader_of_more_than_the_spool_does_not_keep_the_only_thread(start):
    with start("[server]\nworkers = 1\nthreads = 1\n[http]\nresponse_spool = 64k\nresponse_patience = 200ms\n") as server:
        with narrow(server, "/stream?pieces=10000&size=65536") as slow:
            assert server.ask("/").status == 200
            with pytest.raises(Incomplete):
                slow.receive()
            assert "read too slowly" in access_line(server, "/stream?pieces=10000")


def test_slow_readers_of_more_than_the_spool_are_cut(start):
    with start("[server]\nworkers = 1\nthreads = 4\n[http]\nresponse_spool = 64k\nresponse_patience = 200ms\n") as server:
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(narrow(server, f"/stream?pieces=10000&size=65536&n={n}")) for n in range(6)]
            wait_until(lambda: len(server.lines("the client has gone")) == 4, 20, "four were given up")
            for _ in range(10):
                assert server.ask("/").status == 200
            for client in slow:
                client.socket.setblocking(False)
            cut = wait_until(lambda: read_to_the_end(slow), 20, "four have lost the rest")
            assert len(cut) == 4
            told = wait_until(lambda: len(server.lines("GET /stream", "OUTCOME=timeout")) == 4 and server.lines("GET /stream", "OUTCOME="), 10, "four")
            assert len(told) == 4 and all("read too slowly" in line for line in told)


def read_to_the_end(clients):
    """Those among four that have; the others go on, so that one turn is not for ever."""
    ended = []
    for client in clients:
        with contextlib.suppress(BlockingIOError, ConnectionError):
            for _ in range(100):
                if not client.socket.recv(65536):
                    ended.append(client)
                    break
    return ended if len(ended) == 4 else None


def test_client_that_leaves_ends_the_writing_and_has_one_record(start):
    with start(ONE) as server:
        with server.connect() as client:
            client.send(b"GET /stream?pieces=100000&size=65536 HTTP/1.1\r\nHost: a\r\n\r\n")
            client._need()
        server.wait_for_line("the client has gone")
        assert "OUTCOME=client-abort" in access_line(server, "/stream?pieces=100000")
        assert not server.lines("handler failed")
        for _ in range(10):
            assert server.ask("/").status == 200
        assert len([line for line in server.lines("GET /stream") if "OUTCOME=" in line]) == 1


def test_client_that_leaves_while_nothing_is_written_is_noticed_with_the_next_piece(start):
    with start(ONE) as server:
        with server.connect() as client:
            client.send(b"GET /stream?pieces=20&size=5&ms=300 HTTP/1.1\r\nHost: a\r\n\r\n")
            client._need()
        server.wait_for_line("the client has gone")
        assert "OUTCOME=client-abort" in access_line(server, "/stream?pieces=20")


@pytest.mark.parametrize("how", ["fail", "length=11", "length=11&fail"])
def test_application_that_fails_after_the_first_byte_cuts_the_connection(start, how):
    with start(ONE) as server:
        with server.connect() as connection:
            connection.send(b"GET /stream?pieces=2&size=5&%s HTTP/1.1\r\nHost: a\r\n\r\n" % how.encode())
            with pytest.raises(Incomplete):
                connection.receive()
        assert "OUTCOME=app-failed" in access_line(server, "/stream?pieces=2")
        assert len(server.lines("handler failed")) == 1
        assert server.ask("/").status == 200


def test_more_than_was_announced_is_not_sent(start):
    with start(ONE) as server, server.connect() as connection:
        connection.send(b"GET /stream?pieces=3&size=5&length=12 HTTP/1.1\r\nHost: a\r\n\r\n")
        with pytest.raises(Incomplete):
            connection.receive()
        assert "OUTCOME=app-failed" in access_line(server, "/stream?pieces=3")


def test_stream_is_finished_while_the_worker_drains(start):
    with start(ONE) as server, server.connect() as connection:
        connection.send(b"GET /stream?pieces=10&size=5&ms=200 HTTP/1.1\r\nHost: a\r\n\r\n")
        connection._need()
        server.signal(signal.SIGTERM)
        assert connection.receive().body == b"x" * 50
        assert server.process.wait(5) == 0
        assert "OUTCOME=ok" in access_line(server, "/stream?pieces=10")


def test_stream_that_outlasts_the_drain_has_its_record(start):
    with start(ONE + "graceful_timeout = 1s\n") as server, server.connect() as connection:
        connection.send(b"GET /stream?pieces=1000&size=5&ms=200 HTTP/1.1\r\nHost: a\r\n\r\n")
        connection._need()
        server.signal(signal.SIGTERM)
        server.process.wait(10)
        assert "OUTCOME=shutdown" in access_line(server, "/stream?pieces=1000")


def test_worker_killed_in_the_middle_leaves_a_record_with_the_status(start):
    with start(ONE) as server, server.connect() as connection:
        connection.send(b"GET /stream?pieces=1000&size=5&ms=100 HTTP/1.1\r\nHost: a\r\n\r\n")
        connection._need()
        [worker] = server.workers()
        os.kill(worker, signal.SIGKILL)
        line = access_line(server, "/stream?pieces=1000")
        assert "OUTCOME=worker-died" in line and "HTTP_STATUS=200" in line
