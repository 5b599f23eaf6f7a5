# SPDX-License-Identifier: LGPL-2.1-or-later
"""Applications that ask whether their client still waits: one who is there, sends no more, has left, or has reset the connection."""
import socket
import struct

import pytest

from lib.identity import Identity
from lib.roots import Unavailable
from lib.serving import Serving

TWO = "[server]\nworkers = 1\nthreads = 3\ngraceful_timeout = 5s\n"
RESET = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module", params=["plain", "encrypted"])
def server(request, build, tmp_path_factory):
    folder = tmp_path_factory.mktemp("server")
    identity = Identity(folder) if request.param == "encrypted" else None
    with Serving(build, folder, TWO, identity=identity) as running:
        yield running


def begins(server, connection, name, patience):
    """Has the application work until it has seen its client in a state beyond `patience`, or for ten seconds."""
    target = f"/outlast?{name}&patience={patience}&ms=10000"
    begun = len(server.lines("outlast begins"))
    connection.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    server.wait_for_line("outlast begins", after=begun)
    return target


def seen(server, target):
    """What the application has seen, and whether that was before its time was up."""
    access = server.wait_for_line(f"GET {target}", "OUTCOME=")
    request = access.split("REQUEST_ID=")[1].split()[0]
    return server.wait_for_line("client ", f"REQUEST_ID={request}")


def test_one_who_waits(server):
    assert server.ask("/outlast?ms=50&patience=0").body == b"0\n"


def test_one_who_sends_no_more_gets_his_answer(server):
    with server.connect() as connection:
        target = begins(server, connection, "half", 0)
        socket.socket.shutdown(connection.socket, socket.SHUT_WR)
        assert connection.receive().body == b"1\n"
    assert "some ms left" in seen(server, target)


def test_one_who_has_closed(server):
    with server.connect() as connection:
        target = begins(server, connection, "closed", 0)
    told = seen(server, target)
    assert "client 1, some" in told or "client 2, some" in told


def test_one_who_has_reset_the_connection(server):
    with server.connect() as connection:
        target = begins(server, connection, "reset", 1)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    assert "client 2, some ms left" in seen(server, target)


def test_one_who_has_got_a_504(start):
    with start(TWO + "[http]\nrequest_timeout = 500ms\n") as server:
        assert server.ask("/outlast?ms=10000&patience=1").status == 504
        server.wait_for_line("client 2, some ms left")


PYTHON = """
import time
import appsrv


def app(environ, start_response):
    end = time.monotonic() + 10
    asked = getattr(appsrv, environ["PATH_INFO"][1:])
    print("begins", environ["PATH_INFO"], flush=True)
    while not asked() and environ["QUERY_STRING"] and time.monotonic() < end:
        time.sleep(0.01)
    print("seen", environ["PATH_INFO"], appsrv.client_closed(), appsrv.client_gone(), flush=True)
    start_response("200 OK", [])
    return [b"%d" % appsrv.client_closed()]
"""


def test_python_asks_too(start, build, tmp_path):
    if not (build.program.parent / "wsgi.so").exists():
        raise Unavailable("this build has no wsgi.so")
    (tmp_path / "curious.py").write_text(PYTHON)
    with start(TWO + f"[app curious]\ntype = wsgi\nmodule = curious:app\nchdir = {tmp_path}\n") as server:
        assert server.ask("/client_closed").body == b"0" and server.ask("/client_gone").body == b"0"
        with server.connect() as connection:
            connection.send(b"GET /client_closed?wait HTTP/1.1\r\nHost: a\r\n\r\n")
            connection.socket.shutdown(socket.SHUT_WR)
            assert connection.receive().body == b"1"
        server.wait_for_line("seen /client_closed True False")
        with server.connect() as connection:
            connection.send(b"GET /client_gone?wait HTTP/1.1\r\nHost: a\r\n\r\n")
            server.wait_for_line("begins /client_gone", after=1)
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        server.wait_for_line("seen /client_gone True True")
