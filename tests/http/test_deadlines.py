# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long a client may take: no trickle stretches a deadline, nobody who is fast enough is cut."""
import contextlib
import socket
import time

import pytest

from lib.identity import Identity
from lib.processes import processor_seconds
from lib.wait import wait_until

ONE = "[server]\nworkers = 1\nthreads = 2\n[http]\n"
# a deadline of 1 s, with what a busy machine adds
CUT = 2.5
EVERY = 0.1


def drip(connection, piece, seconds):
    """Sends a piece every now and then; returns after how many seconds the server had closed, or None."""
    began = time.monotonic()
    connection.socket.settimeout(EVERY)
    while time.monotonic() < began + seconds:
        with contextlib.suppress(TimeoutError):
            try:
                if not connection.socket.recv(65536):
                    return time.monotonic() - began
            except ConnectionError:
                return time.monotonic() - began
        with contextlib.suppress(ConnectionError):
            connection.send(piece)
    return None


def test_head_byte_by_byte_is_cut(start):
    with start(ONE + "header_timeout = 1s\n") as server, server.connect() as slow:
        slow.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        assert 0.8 < drip(slow, b"x", 6) < CUT
        assert "OUTCOME=timeout" in server.wait_for_line("HTTP_STATUS=408")


@pytest.mark.parametrize("piece", [b"x", b"\r\n"], ids=["letters", "empty lines"])
def test_later_head_byte_by_byte_is_cut(start, piece):
    with start(ONE + "header_timeout = 1s\nkeepalive = 1s\n") as server, server.connect() as slow:
        assert slow.ask("/").status == 200
        # libmicrohttpd 1.0 takes one empty line and no more
        assert drip(slow, piece, 8) < 1 + CUT


def test_silent_connection_is_closed_without_an_answer(start):
    with start(ONE + "header_timeout = 1s\n") as server, server.connect() as silent:
        began = time.monotonic()
        assert silent.rest() == b""
        assert 0.8 < time.monotonic() - began < CUT


def test_idle_connection_is_closed_after_keepalive(start):
    with start(ONE + "keepalive = 1s\n") as server, server.connect() as idle:
        for _ in range(3):
            assert idle.ask("/").status == 200
            time.sleep(0.5)
        assert idle.ask("/").status == 200
        began = time.monotonic()
        assert idle.rest() == b""
        assert 0.8 < time.monotonic() - began < CUT


def test_body_byte_by_byte_is_cut(start):
    with start(ONE + "body_timeout = 1s\nminimum_rate = 1k\n") as server, server.connect() as slow:
        slow.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        assert 0.8 < drip(slow, b"x", 6) < CUT
        assert "OUTCOME=timeout" in server.wait_for_line("HTTP_STATUS=408")


def test_body_that_stops_is_cut_however_much_of_it_came(start):
    with start(ONE + "body_timeout = 1s\nminimum_rate = 500\n") as server, server.connect() as stalled:
        stalled.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2000000\r\n\r\n" + bytes(1_000_000))
        began = time.monotonic()
        assert stalled.rest() == b""
        assert 0.8 < time.monotonic() - began < CUT
        assert "OUTCOME=timeout" in server.wait_for_line("HTTP_STATUS=408")


def test_client_that_leaves_within_his_body_is_noticed(start):
    """Also when the end comes together with the last bytes, which libmicrohttpd 0.9.75 does not notice itself."""
    with start(ONE) as server:
        for _ in range(5):
            with server.connect() as client:
                client.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n" + bytes(3_000_000))
        wait_until(lambda: len(server.lines("OUTCOME=client-abort")) == 5, 5, "five records")


def test_body_that_is_fast_enough_may_take_longer(start):
    with start(ONE + "body_timeout = 1s\nminimum_rate = 1k\n") as server, server.connect() as steady:
        body = b"steady" * 4000
        steady.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body))
        for at in range(0, len(body), 1000):
            steady.send(body[at:at + 1000])
            time.sleep(EVERY)
        answer = steady.receive()
        assert answer.status == 200 and answer.body.endswith(b"\n" + body)


def narrow(server):
    """A connection whose client takes little at a time."""
    connection = server.connect()
    connection.socket.close()
    connection.socket = socket.socket()
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.socket.connect(server.address)
    return connection


def test_response_that_nobody_takes_is_cut(start):
    with start(ONE + "send_timeout = 1s\n") as server, narrow(server) as deaf:
        began = time.monotonic()
        deaf.send(b"GET /large?bytes=8000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert "OUTCOME=timeout" in server.wait_for_line("GET /large")
        assert 0.8 < time.monotonic() - began < CUT


def test_response_that_is_taken_drop_by_drop_is_cut(start):
    with start(ONE + "send_timeout = 1s\nminimum_rate = 1m\n") as server, narrow(server) as slow:
        slow.send(b"GET /large?bytes=8000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        began = time.monotonic()
        while not server.lines("GET /large") and time.monotonic() < began + 6:
            slow.socket.recv(1000)
            time.sleep(0.05)
        assert "OUTCOME=timeout" in server.wait_for_line("GET /large")
        assert time.monotonic() - began < CUT


def test_response_that_is_taken_fast_enough_may_take_longer(start):
    with start(ONE + "send_timeout = 1s\nminimum_rate = 10k\n") as server, narrow(server) as steady:
        steady.send(b"GET /large?bytes=8000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        began, size = time.monotonic(), 0
        while time.monotonic() < began + 3:
            size += len(steady.socket.recv(20_000))
            time.sleep(0.02)
        while piece := steady.socket.recv(1 << 20):
            size += len(piece)
        assert size > 8_000_000
        assert "OUTCOME=ok" in server.wait_for_line("GET /large")


def test_neighbour_on_a_unix_socket_may_be_slow(start, tmp_path):
    path = tmp_path / "web"
    with start(ONE + "send_timeout = 1s\n", arguments=["--listen", f"unix:{path}"]) as server:
        with socket.socket(socket.AF_UNIX) as slow:
            slow.connect(str(path))
            slow.sendall(b"GET /large?bytes=8000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            began, size = time.monotonic(), 0
            while time.monotonic() < began + 3:
                size += len(slow.recv(1000))
                time.sleep(0.05)
            while piece := slow.recv(1 << 20):
                size += len(piece)
        assert size > 8_000_000
        assert "OUTCOME=ok" in server.wait_for_line("GET /large")


def test_application_may_take_longer_than_its_client(start):
    with start(ONE + "header_timeout = 1s\nbody_timeout = 1s\nsend_timeout = 1s\nkeepalive = 1s\n") as server:
        assert server.ask("/sleep?ms=2500").status == 200


def test_beyond_the_limit_clients_are_told(start):
    with start("[server]\nworkers = 2\n[http]\nworker_connections = 2\n") as server, contextlib.ExitStack() as stack:
        served = [stack.enter_context(server.connect()) for _ in range(4)]
        assert [connection.ask("/").status for connection in served] == [200] * 4
        for _ in range(5):
            answer = server.ask("/")
            assert answer.status == 503 and answer.headers["retry-after"] == "1"
        assert "OUTCOME=rejected" in server.wait_for_line("too many connections")
        served.pop().socket.close()
        wait_until(lambda: server.ask("/").status == 200, 5, "room for one more")
        assert [connection.ask("/").status for connection in served] == [200] * 3


def test_chunk_line_without_end_burns_no_processor(start):
    """libmicrohttpd 0.9.75 asks for turn after turn then; later versions refuse it."""
    with start(ONE + "body_timeout = 10s\n") as server, contextlib.ExitStack() as stack:
        [worker] = server.workers()
        before = processor_seconds(worker)
        for _ in range(5):
            connection = stack.enter_context(server.connect())
            with contextlib.suppress(ConnectionError):
                connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 60_000)
        wait_until(lambda: len(server.lines("POST / ", "OUTCOME=rejected")) == 5, 20, "all of them are refused")
        used = processor_seconds(worker) - before
        assert used < 0.6, used
        assert server.ask("/").status == 200


ENDLESS_LINE = b"POST /endless HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5;" + b"x" * 60_000


@pytest.mark.parametrize("way", ["tcp", "tls", "unix"])
def test_chunk_line_without_end_is_not_waited_for(start, tmp_path, way):
    """However long the deadline is: no answer is possible with libmicrohttpd 0.9.75, and its loop stays awake."""
    path = tmp_path / "web"
    options = {"identity": Identity(tmp_path)} if way == "tls" else {}
    with start(ONE + "body_timeout = 10min\n", arguments=["--listen", f"unix:{path}"], **options) as server, server.connect() as connection:
        if way == "unix":
            connection.socket.close()
            connection.socket = socket.socket(socket.AF_UNIX)
            connection.socket.settimeout(10)
            connection.socket.connect(str(path))
        with contextlib.suppress(ConnectionError):
            connection.send(ENDLESS_LINE)
        assert b"HTTP/1.1 200" not in connection.rest()
        line = server.wait_for_line("/endless", "OUTCOME=rejected")
        assert " 400 " in line or not server.microhttpd().startswith("0.")


@pytest.mark.parametrize("pieces", [3, 60], ids=["with pauses", "without an end in sight"])
def test_chunks_that_are_read_are_waited_for(start, pieces):
    """Also while more of them are there than an application has read so far."""
    with start(ONE, application="reader") as server, server.connect() as connection:
        connection.send(b"POST /?piece=20000&ms=20 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(pieces):
            time.sleep(0 if pieces > 10 else 0.7)
            connection.send(b"8000\r\n" + bytes(0x8000) + b"\r\n")
        connection.send(b"0\r\n\r\n")
        answer = connection.receive()
        assert answer.status == 200 and answer.body.split()[1] == b"%d" % (pieces * 0x8000)
