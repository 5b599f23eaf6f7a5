# SPDX-License-Identifier: LGPL-2.1-or-later
"""What proxies say of their clients: believed from those that are named, and from nobody else."""
import socket

import pytest

from lib.wait import wait_until

ONE = "[server]\nworkers = 1\n[http]\n"


def told(answer):
    """What the application learned, out of /echo."""
    lines = answer.body.decode().split("\n\n")[0].splitlines()
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def test_neighbour_is_believed_by_default(server):
    answer = server.ask("/echo?believed", headers=[("X-Forwarded-For", "192.0.2.9"), ("X-Forwarded-Proto", "https"),
                                                   ("X-Forwarded-Host", "shop.example")])
    seen = told(answer)
    assert (seen["peer"], seen["scheme"], seen["host"]) == ("192.0.2.9", "https", "shop.example")
    assert " 192.0.2.9 " in server.wait_for_line("/echo?believed")


def test_forwarded_of_rfc_7239(server):
    answer = server.ask("/echo", headers=[("Forwarded", 'for="[2001:db8::9]:4711";proto=https;host=shop.example')])
    seen = told(answer)
    assert (seen["peer"], seen["scheme"], seen["host"]) == ("2001:db8::9", "https", "shop.example")


def test_rightmost_that_is_not_trusted_is_the_client(start):
    with start(ONE + "forwarded_allow_ips = 127.0.0.1, 10.0.0.0/8\n") as server:
        answer = server.ask("/echo", headers=[("X-Forwarded-For", "203.0.113.1, 192.0.2.9, 10.1.2.3")])
        assert told(answer)["peer"] == "192.0.2.9"


def test_stranger_is_not_believed(start):
    with start(ONE + "forwarded_allow_ips = 10.0.0.0/8\n") as server:
        answer = server.ask("/echo", headers=[("X-Forwarded-For", "192.0.2.9"), ("X-Forwarded-Proto", "https")])
        assert told(answer)["peer"] == "127.0.0.1" and told(answer)["scheme"] == "http"
        assert server.ask("/echo", headers=[("X-Forwarded-For", "no address")]).status == 200


def test_nobody_is_believed_when_nobody_is_named(start):
    with start(ONE + "forwarded_allow_ips =\n") as server:
        assert told(server.ask("/echo", headers=[("X-Forwarded-For", "192.0.2.9")]))["peer"] == "127.0.0.1"


@pytest.mark.parametrize("headers", [
    [("X-Forwarded-For", "no address")],
    [("X-Forwarded-Proto", "gopher")],
    [("X-Forwarded-Host", "a b")],
    [("X-Forwarded-For", "192.0.2.9"), ("Forwarded", "for=192.0.2.8")],
    [("X-Forwarded-Proto", "https"), ("Forwarded", "proto=http")],
])
def test_contradiction_is_refused(server, headers):
    assert server.ask("/echo", headers=headers).status == 400


def test_neighbour_on_a_unix_socket_is_believed_when_named(start, tmp_path):
    path = tmp_path / "web"
    with start(ONE + "forwarded_allow_ips = unix\n", arguments=("--listen", path)) as server:
        with socket.socket(socket.AF_UNIX) as proxy:
            proxy.connect(str(path))
            proxy.sendall(b"GET /echo HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.9\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: proxy.recv(65536), b""))
        assert b"peer: 192.0.2.9" in answer


def test_nonsense_is_no_set_of_addresses(start, build, tmp_path):
    with start(ONE) as server:
        server.write_config(ONE + "forwarded_allow_ips = 10.0.0.1/8\n")
        server.signal(1)
        server.wait_for_line("config-refused", "forwarded_allow_ips")
        assert server.ask("/").status == 200


# -- names of requests -----------------------------------------------------------------

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NAMES = [("X-Request-ID", "proxy-1.a:b"), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")]


def test_name_of_a_request_is_the_proxys(start):
    with start(ONE + "[log]\naccess_fields = trace_id\n") as server, server.connect() as connection:
        answer = connection.ask("/id", headers=NAMES)
        assert (answer.request_id, answer.body) == ("proxy-1.a:b", b"proxy-1.a:b")
        # the next one on the connection has one of ours
        assert connection.ask("/id").request_id not in ("proxy-1.a:b", "")
        record = server.wait_for_line("REQUEST_ID=proxy-1.a:b ")
        assert f"TRACE_ID={TRACE}" in record
        # two requests may have the same one
        connection.ask("/id", headers=NAMES)
        wait_until(lambda: len(server.lines("REQUEST_ID=proxy-1.a:b ")) == 2, 5, "two records")


@pytest.mark.parametrize("headers", [[("X-Request-ID", "a b")], [("X-Request-ID", "x" * 65)], [("X-Request-ID", "")],
                                     [("X-Request-ID", "a"), ("X-Request-ID", "b")]])
def test_name_that_is_none_is_ignored(server, headers):
    answer = server.ask("/id", headers=headers)
    assert answer.status == 200 and len(answer.request_id) == 32 and answer.body.decode() == answer.request_id


def test_name_that_a_stranger_gives_is_ignored(start):
    with start(ONE + "forwarded_allow_ips = 10.0.0.0/8\n[log]\naccess_fields = trace_id\n") as server:
        answer = server.ask("/id", headers=NAMES)
        assert len(answer.request_id) == 32
        assert "TRACE_ID" not in server.wait_for_line(f"REQUEST_ID={answer.request_id}")


def test_name_is_told_of_a_request_that_was_lost(start):
    with start(ONE) as server:
        server.exchange(b"GET /crash HTTP/1.1\r\nHost: a\r\nX-Request-ID: the-culprit\r\n\r\n")
        assert "OUTCOME=worker-died" in server.wait_for_line("REQUEST_ID=the-culprit", "RESPONSE_BYTES")
        server.wait_for_line("EVENT=worker-died", "REQUEST_ID=the-culprit")


def test_refusal_has_the_name_too(start):
    with start(ONE + "limit_request_body = 1k\n") as server:
        answer = server.ask("/", method="POST", body=bytes(2000), headers=NAMES)
        assert (answer.status, answer.request_id) == (413, "proxy-1.a:b")
