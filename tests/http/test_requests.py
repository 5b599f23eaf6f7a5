# SPDX-License-Identifier: LGPL-2.1-or-later
"""What requests get: heads judged, bodies gathered, routes found, responses framed."""

import os
import socket
import time
from contextlib import ExitStack

import pytest

from lib.client import Connection, Load
from lib.processes import descriptors, memory_of
from lib.wait import wait_until

OK = b"HTTP/1.1 200 "

REFUSED = [
    ("no-host", b"GET / HTTP/1.1\r\n\r\n", 400),
    ("two-hosts", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("bad-host", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("two-lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello", 400),
    ("same-lengths", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
    ("length-list", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\nhello", 400),
    ("length-sign", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello", 400),
    ("length-and-chunked",
     b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG", 400),
    ("two-codings",
     b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("chunked-in-1.0", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    ("connect", b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    ("expectation", b"POST / HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\nContent-Length: 1\r\n\r\nx", 417),
    ("fragment", b"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("nul-escape", b"GET /a%00b HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    ("long-line", b"GET /" + b"a" * 8200 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("longer-than-the-pool", b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    ("many-fields", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 100 + b"\r\n", 431),
    ("long-field", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 8200 + b"\r\n\r\n", 431),
    ("field-longer-than-the-pool", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 200_000 + b"\r\n\r\n", 431),
    ("another-version", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    ("announced-too-large", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10485761\r\n\r\n", 413),
]


@pytest.mark.parametrize("raw, status", [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_refused_with_one_record_and_closed(server, raw, status):
    before = len(server.lines("rejected"))
    answer = server.exchange(raw)
    if len(raw) < 100_000:  # the reset that ends a larger one may overtake the answer
        assert answer.startswith(b"HTTP/1.1 %d " % status), answer[:300]
    line = server.wait_for_line("rejected", after=before)
    assert f" {status} " in line
    assert len(server.lines("rejected")) == before + 1


# closed without an answer by some versions of libmicrohttpd
GARBAGE = {
    "newline-in-the-method": b"GE\nFORGED=1\nT / HTTP/1.1\r\nHost: a\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n",
    "nul": b"GET /a\0b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_has_one_record_too(server, name):
    before = len(server.lines("HTTP_STATUS="))
    server.exchange(GARBAGE[name])
    server.wait_for_line("HTTP_STATUS=", after=before)
    control = server.ask("/")
    server.wait_for_line(control.request_id)
    assert len(server.lines("HTTP_STATUS=")) == before + 2


def test_one_record_for_a_request_with_an_id(server):
    answer = server.ask("/?one=record")
    assert answer.status == 200
    server.wait_for_line(answer.request_id)
    assert len(server.lines("one=record")) == 1


def files_of(pid):
    """The temporary files that a process has open."""
    return [name for name in descriptors(pid).values() if "/var/tmp/#" in name]


def test_large_bodies_lie_in_files_and_come_back_whole(start):
    settings = "[server]\nworkers = 1\n[http]\nbody_spool_threshold = 8k\nlimit_request_body = 100m\n"
    with start(settings) as server, server.connect() as connection:
        [worker] = server.workers()
        body = bytes(range(256)) * 4096
        for size in (0, 8191, 8192, 8193, len(body)):
            assert connection.ask("/echo", method="POST", body=body[:size]).body.endswith(b"\n" + body[:size])
        head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 50000000\r\n\r\n"
        with server.connect() as half:
            half.send(head + bytes(30_000_000))
            wait_until(lambda: files_of(worker), 10, "a file")
            assert memory_of(worker) < 30_000
        wait_until(lambda: not files_of(worker), 10, "no file is left")


# -- answered before all was read ------------------------------------------------------

def test_refusal_is_seen_by_a_client_that_sends_on(start):
    """It would be reset, and lose the answer, if the connection were closed with bytes of it unread."""
    with start("[server]\nworkers = 1\n[http]\nlimit_request_body = 1m\n") as server:
        [worker] = server.workers()
        before = len(descriptors(worker))
        for _ in range(5):
            with server.connect() as connection:
                answer = connection.ask("/echo", method="POST", body=bytes(30_000_000))
            assert (answer.status, answer.headers["connection"]) == (413, "close")
        with server.connect() as connection:
            connection.send(b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 3_000_000)
            assert connection.receive().status == 431
        wait_until(lambda: len(descriptors(worker)) == before, 3, "nothing lingers")
        wait_until(lambda: len(server.lines("OUTCOME=rejected")) == 6, 5, "six records")


def test_nobody_lingers_for_long(start):
    with start("[server]\nworkers = 1\n[http]\nlimit_request_body = 1k\n") as server, ExitStack() as clients:
        [worker] = server.workers()
        before = len(descriptors(worker))
        connections = [clients.enter_context(server.connect()) for _ in range(300)]
        for connection in connections:
            connection.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2000\r\n\r\n")
            assert connection.receive().status == 413
        wait_until(lambda: before < len(descriptors(worker)) <= before + 256, 3, "no more than 256 linger")
        assert server.ask("/").status == 200
        wait_until(lambda: len(descriptors(worker)) == before, 8, "until their time is up")


# -- who is connected --------------------------------------------------------------------

def test_neighbour_on_a_unix_socket_is_known(start, tmp_path):
    path = tmp_path / "neighbours"
    with start("[server]\nworkers = 1\n", arguments=("--listen", f"unix:{path}")) as server:
        with socket.socket(socket.AF_UNIX) as neighbour:
            neighbour.settimeout(10)
            neighbour.connect(str(path))
            neighbour.sendall(b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            told = b"".join(iter(lambda: neighbour.recv(65536), b"")).decode()
        assert f"peer.uid: {os.getuid()}\n" in told and f"peer.pid: {os.getpid()}\n" in told
        record = server.wait_for_line("REMOTE_ADDR=unix")
        assert f"PEER_UID={os.getuid()} " in record and f"PEER_PID={os.getpid()} " in record
        assert b"peer.uid" not in server.ask("/echo").body


FIVE = "[server]\nworkers = 1\n[http]\nlimit_connections_per_address = 5\n"


def test_an_address_has_so_many_connections(start):
    with start(FIVE + "forwarded_allow_ips =\n") as server, ExitStack() as clients:
        kept = [clients.enter_context(server.connect()) for _ in range(5)]
        assert [connection.ask("/").status for connection in kept] == [200] * 5
        answer = server.ask("/")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        server.wait_for_line("(too many connections from this address)", "OUTCOME=rejected")
        kept[0].socket.close()
        wait_until(lambda: server.ask("/").status == 200, 5, "room for another one")
        # one that brings far more is cut, silent ones soon
        silent = [clients.enter_context(server.connect()) for _ in range(60)]
        began = time.monotonic()
        for connection in silent[1:]:  # there was room for one
            connection.rest()
        assert time.monotonic() - began < 3
        assert [connection.ask("/").status for connection in kept[1:]] == [200] * 4


def test_a_proxy_has_as_many_as_it_wants(start):
    with start(FIVE + "forwarded_allow_ips = 127.0.0.1\n") as server, ExitStack() as clients:
        kept = [clients.enter_context(server.connect()) for _ in range(30)]
        assert [connection.ask("/").status for connection in kept] == [200] * 30


def test_white_space_around_a_value_is_no_part_of_it(server):
    with server.connect() as connection:
        answer = connection.ask("/echo", headers=[("X-Padded", " \t a b \t ")])
    assert b"x-padded: a b\n" in answer.body.lower()


def test_ids_are_unique(server):
    ids = {server.ask("/").request_id for _ in range(50)}
    assert len(ids) == 50 and all(len(id) == 32 for id in ids)


def test_keep_alive_serves_pipelined_requests_in_order(server):
    request = b"GET /echo?n=%d HTTP/1.1\r\nHost: a\r\n%s\r\n"
    answer = server.exchange(b"".join(request % (n, b"Connection: close\r\n" if n == 9 else b"") for n in range(10)))
    assert answer.count(OK) == 10
    assert [answer.index(b"n=%d" % n) for n in range(10)] == sorted(answer.index(b"n=%d" % n) for n in range(10))


def test_body_arrives_whole_in_pieces_and_in_chunks(server):
    body = bytes(range(256)) * 2000
    assert body in server.ask("/echo", method="POST", body=body).body
    with server.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, len(body), 10_000):
            piece = body[start:start + 10_000]
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
        assert body in connection.receive().body


def test_continue_is_sent_before_the_body_is(server):
    with server.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        assert connection._until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        connection.send(b"hello")
        assert b"hello" in connection.receive().body


def test_too_large_is_said_instead_of_continue(server):
    answer = server.exchange(b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_chunked_body_over_the_limit(start):
    with start("[server]\nworkers = 1\n[http]\nlimit_request_body = 1k\n") as server:
        chunk = b"400\r\n" + b"x" * 1024 + b"\r\n"
        head = b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert server.exchange(head + chunk + b"0\r\n\r\n").startswith(OK)
        assert server.exchange(head + chunk * 2 + b"0\r\n\r\n").startswith(b"HTTP/1.1 413 ")
        server.exchange(head + chunk * 3000)
        server.wait_for_line(" 413 ", after=1)


def test_head_and_http_1_0(server):
    with server.connect() as connection:
        length = connection.ask("/", method="HEAD").headers["content-length"]
        assert int(length) == len(connection.ask("/").body)
    assert server.exchange(b"GET / HTTP/1.0\r\n\r\n").startswith(OK)


def test_failing_handlers_are_a_500_with_a_record(server):
    for target in ("/fail", "/silent"):
        answer = server.ask(target)
        assert answer.status == 500
        server.wait_for_line(answer.request_id, "500")


def test_application_headers_are_checked(server):
    assert server.ask("/header?name=X-A&value=b").headers["x-a"] == "b"
    assert server.ask("/header?name=X-A&value=b%0d%0aX-B:c").status == 500
    assert server.ask("/header?name=Content-Length&value=0").status == 500


def test_large_response(server):
    assert len(server.ask("/large?bytes=20000000").body) == 20_000_000


def test_target_in_the_record_cannot_forge_a_line(server):
    server.exchange(b"GET /a%0a%0aMESSAGE=forged\\\x7f\xff HTTP/1.1\r\nHost: a\r\n\r\n")
    line = server.wait_for_line("MESSAGE=forged")
    assert "\\xff" in line and "\\x7f" in line
    assert not [line for line in server.output().splitlines() if line.startswith("MESSAGE=")]


def test_slow_head_is_cut_and_recorded(start):
    with start("[server]\nworkers = 1\n[http]\nheader_timeout = 1s\n") as server, server.connect(timeout=10) as slow:
        slow.send(b"GET /slow HTTP/1.1\r\nHost: a\r\n")
        assert slow.rest() == b""
        assert "timeout" in server.wait_for_line("/slow")


def test_idle_connection_is_closed(start):
    with start("[server]\nworkers = 1\n[http]\nkeepalive = 1s\n") as server, server.connect(timeout=10) as idle:
        assert idle.ask("/").status == 200
        assert idle.rest() == b""


def test_client_that_leaves_is_recorded(server):
    with server.connect() as connection:
        connection.send(b"POST /left HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 10\r\n\r\n")
        assert connection._until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
    assert "client-abort" in server.wait_for_line("/left")


def test_applications_are_found_by_their_mounts(start, build):
    probe = build.application("probe")
    config = "[server]\nworkers = 1\n" + "".join(
        f"[app {name}]\ntype = native\npath = {probe}\nmount = {mount}\n"
        for name, mount in (("one", "/one"), ("deep", "/one/deep")))
    with start(config) as server, Connection(server.address) as connection:
        assert connection.ask("/one/echo").status == 200
        assert connection.ask("/one/deep/echo").status == 200
        assert connection.ask("/onerous").status == 404
        assert connection.ask("/").status == 404
        server.wait_for_line("/one/deep/echo", "APP=deep")
        server.wait_for_line("/one/echo", "APP=one")


def test_non_concurrent_application_is_never_entered_twice(start):
    with start("[server]\nworkers = 1\nthreads = 4\n", application="serial") as server:
        load = Load(server, threads=8, keep_alive=True, count=400, target="/")
        with load:
            load.finish()
        assert not load.failed, load.failed[:3]


def test_connection_without_a_request_leaves_no_record(server):
    before = len(server.lines("HTTP_STATUS="))
    for _ in range(3):
        server.connect().socket.close()
    with server.connect() as used:
        answer = used.ask("/")
    server.wait_for_line(answer.request_id)
    server.wait_for_line(server.ask("/").request_id)
    assert len(server.lines("HTTP_STATUS=")) == before + 2


