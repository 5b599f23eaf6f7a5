# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connections that begin with a PROXY header: who the client is, and what is no such header."""
import contextlib
import signal
import socket
import struct
import time

import pytest

from lib.client import Connection
from lib.identity import Identity
from lib.wait import wait_until

ONE = "[server]\nworkers = 1\nthreads = 2\n[http]\nproxy_protocol = v1v2\n"
REQUEST = b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(source, command=1, extra=b""):
    """A header of version 2 for a client's address; LOCAL (command 0) has none."""
    if command == 0:
        return SIGNATURE + struct.pack("!BBH", 0x20, 0, len(extra)) + extra
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    address = socket.inet_pton(family, source)
    body = address + address + struct.pack("!HH", 4711, 80) + extra
    return SIGNATURE + struct.pack("!BBH", 0x21, 0x21 if family == socket.AF_INET6 else 0x11, len(body)) + body


def v1(source):
    return f"PROXY TCP{6 if ':' in source else 4} {source} {source} 4711 80\r\n".encode()


def peer_of(answer):
    assert answer.status == 200
    return answer.body.split(b"peer: ")[1].split(b"\n")[0].decode()


def is_refused(connection):
    """By a 400, or, from libmicrohttpd 1.0 on, which does so with a first line of four words, by the close alone."""
    raw = connection.rest()
    return raw == b"" or raw.startswith(b"HTTP/1.1 400 ")


HEADERS = {
    "v1-tcp4": (v1("192.0.2.7"), "192.0.2.7"),
    "v1-tcp6": (v1("2001:db8::7"), "2001:db8::7"),
    "v1-unknown": (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
    "v2-ipv4": (v2("192.0.2.7"), "192.0.2.7"),
    "v2-ipv6": (v2("2001:db8::7"), "2001:db8::7"),
    "v2-local": (v2("", command=0), "127.0.0.1"),
    "v2-extras": (v2("192.0.2.7", extra=b"\x04\x03\xe8" + bytes(1000)), "192.0.2.7"),  # NOOP, 1000 bytes
}


@pytest.fixture(params=HEADERS.values(), ids=HEADERS)
def header(request):
    return request.param


def test_the_client_is_the_one_behind(start, header):
    raw, peer = header
    with start(ONE) as server:
        with server.connect() as at_once:
            at_once.send(raw + REQUEST)
            assert peer_of(at_once.receive()) == peer
            assert peer_of(at_once.ask("/echo")) == peer  # once for the whole connection
        with server.connect() as apart:
            apart.send(raw)
            time.sleep(0.05)
            assert peer_of(apart.ask("/echo")) == peer
        with server.connect() as slow:
            for byte in raw:
                slow.send(bytes([byte]))
                time.sleep(0.0005)
            assert peer_of(slow.ask("/echo")) == peer
        wait_until(lambda: len(server.lines("GET /echo", f"REMOTE_ADDR={peer} ")) == 4, 5, "four records")
        assert len(server.lines("RESPONSE_BYTES")) == 4


WRONG = {
    "none": REQUEST,
    "bare line": b"PROXY TCP4 192.0.2.7 192.0.2.7 4711 80\n" + REQUEST,
    "no address": b"PROXY TCP4 localhost 192.0.2.7 4711 80\r\n" + REQUEST,
    "lower case": b"proxy TCP4 192.0.2.7 192.0.2.7 4711 80\r\n" + REQUEST,
    "endless line": b"PROXY UNKNOWN " + b"x" * 200,
    "version 3": SIGNATURE + b"\x31\x11\0\x0c" + bytes(12) + REQUEST,
    "command 2": SIGNATURE + b"\x22\x11\0\x0c" + bytes(12) + REQUEST,
    "too short for its addresses": SIGNATURE + b"\x21\x11\0\x04" + bytes(4) + REQUEST,
    "too long": SIGNATURE + b"\x21\x11\xff\xff" + bytes(65535) + REQUEST,
}


@pytest.mark.parametrize("raw", WRONG.values(), ids=WRONG)
def test_nothing_else_is_taken(start, raw):
    with start(ONE) as server:
        assert server.exchange(raw) == b""
        assert "REMOTE_ADDR=127.0.0.1" in server.wait_for_line("(no PROXY header)", "OUTCOME=rejected")
        time.sleep(0.2)
        assert len(server.lines("RESPONSE_BYTES")) == 1


def test_a_second_header_is_a_bad_request(start):
    with start(ONE) as server, server.connect() as connection:
        connection.send(v1("192.0.2.7") + v1("192.0.2.8") + REQUEST)
        assert is_refused(connection)


def seconds_to_end(connection, slowly):
    """Sends a byte every now and then, and tells after how many seconds the server had closed."""
    connection.socket.settimeout(0.1)
    began = time.monotonic()
    for byte in slowly:
        try:
            connection.send(bytes([byte]))
            if not connection.socket.recv(1):
                break
        except TimeoutError:
            continue
        except ConnectionError:
            break
    return time.monotonic() - began


def test_who_leaves_or_is_slow_is_recorded_once(start):
    with start(ONE + "header_timeout = 1s\n") as server:
        with server.connect() as leaves:
            leaves.send(b"PROXY TCP4 ")
        server.wait_for_line("OUTCOME=client-abort")
        with server.connect() as silent, server.connect() as drips:
            assert 0.8 < seconds_to_end(drips, b"PROXY UNKNOWN abcdefghijklmnopqrstuvwxyz") < 2.5
            assert silent.rest() == b""
        wait_until(lambda: len(server.lines("OUTCOME=timeout")) == 2, 5, "two of them")
        assert len(server.lines("RESPONSE_BYTES")) == 3


def test_a_balancer_that_looks_whether_we_live_has_no_record(start):
    with start(ONE) as server:
        for raw in (v2("", command=0), b"PROXY UNKNOWN\r\n", v1("192.0.2.7")):
            with server.connect() as connection:
                connection.send(raw)
                time.sleep(0.05)
        with server.connect() as half:
            half.send(v1("192.0.2.7") + b"GET / HT")
            time.sleep(0.05)
        server.wait_for_line("OUTCOME=client-abort", "REMOTE_ADDR=192.0.2.7")
        assert len(server.lines("RESPONSE_BYTES")) == 1


def test_strangers_must_not_say_who_they_are(start):
    with start(ONE + "forwarded_allow_ips = 10.0.0.0/8\n") as server:
        assert server.exchange(v1("10.0.0.1") + REQUEST) == b""
        server.wait_for_line("(its address is not in forwarded_allow_ips)", "OUTCOME=rejected")


def test_headers_of_the_request_are_believed_by_whom_the_proxy_names(start):
    forwarded = b"GET /echo HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 198.51.100.9\r\n\r\n"
    with start(ONE + "forwarded_allow_ips = 127.0.0.1, 10.0.0.1\n") as server:
        for source, peer in (("192.0.2.7", "192.0.2.7"), ("10.0.0.1", "198.51.100.9")):
            with server.connect() as connection:
                connection.send(v1(source) + forwarded)
                assert peer_of(connection.receive()) == peer


def test_on_unix_sockets(start, tmp_path):
    path = tmp_path / "proxied"
    with start(ONE + "forwarded_allow_ips = unix\n", arguments=("--listen", f"unix:{path}")) as server:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(path))
            client.sendall(v2("192.0.2.7") + REQUEST)
            assert b"peer: 192.0.2.7\n" in client.recv(65536)
        server.wait_for_line("GET /echo", "REMOTE_ADDR=192.0.2.7")


def test_in_front_of_a_handshake(start, tmp_path):
    identity = Identity(tmp_path)
    with start(ONE, identity=identity) as server, socket.create_connection(server.address, timeout=10) as plain:
        plain.sendall(v2("192.0.2.7"))
        with server.context.wrap_socket(plain, server_hostname="localhost") as encrypted:
            encrypted.sendall(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            assert b"peer: 192.0.2.7\n" in b"".join(iter(lambda: encrypted.recv(65536), b""))


def test_those_who_wait_count(start):
    with start(ONE + "worker_connections = 20\n") as server, contextlib.ExitStack() as clients:
        for _ in range(40):
            clients.enter_context(server.connect())
        with server.connect() as late:
            late.socket.settimeout(0.5)
            late.send(v1("192.0.2.7") + REQUEST)
            with pytest.raises(TimeoutError):  # more are not accepted
                late.receive()
            clients.close()
            late.socket.settimeout(10)
            assert late.receive().status == 200


def test_a_drain_waits_a_moment_for_headers(start):
    with start(ONE) as server, server.connect() as late, server.connect() as silent:
        time.sleep(0.2)
        began = time.monotonic()
        server.signal(signal.SIGTERM)
        time.sleep(0.3)
        late.send(v1("192.0.2.7") + REQUEST)
        answer = late.receive()
        assert (peer_of(answer), answer.headers["connection"]) == ("192.0.2.7", "close")
        assert silent.rest() == b""
        server.process.wait(10)
        assert time.monotonic() - began < 5


def test_off_means_off(start):
    with start("[server]\nworkers = 1\n") as server, Connection(server.address) as connection:
        connection.send(v1("192.0.2.7") + REQUEST)
        assert is_refused(connection)
