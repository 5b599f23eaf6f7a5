# SPDX-License-Identifier: LGPL-2.1-or-later
"""The admin socket: /ready and /live are answered whatever the clients do."""
import contextlib
import os
import signal
import socket
from pathlib import Path

import pytest

from lib.client import Connection, Load
from lib.serving import Serving, free_port
from lib.wait import wait_until

FULL = "[server]\nworkers = 2\nthreads = 1\nwatchdog = 1s\n[http]\nworker_connections = 2\nlimit_connections_per_address = 1\n"
CALM = "[server]\nworkers = 2\nthreads = 2\ngraceful_timeout = 5s\n"


class Unix(Connection):
    """To a unix socket."""

    def __init__(self, path):  # pylint: disable=super-init-not-called
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(str(path))
        self._left = b""


def asked(folder, target="/ready", **options):
    with Unix(folder / "admin.socket") as connection:
        return connection.ask(target, **options)


@pytest.fixture(name="serve")
def a_function(build, tmp_path):
    """A function that makes a server with an admin socket."""
    def make(config=CALM, **options):
        return Serving(build, tmp_path, config, arguments=("--listen", f"admin:unix:{tmp_path}/admin.socket"), **options)
    return make


def test_pages(serve, tmp_path):
    with serve() as server:
        for target, text in (("/ready", b"ready\n"), ("/live", b"live\n")):
            answer = asked(tmp_path, target)
            assert (answer.status, answer.body) == (200, text)
            assert answer.headers["cache-control"] == "no-store" and answer.headers["connection"] == "close"
            line = server.wait_for_line(f"GET {target} ", "OUTCOME=ok", f"REQUEST_ID={answer.request_id}")
            assert "REMOTE_ADDR=unix" in line and f"PEER_PID={os.getpid()}" in line and "APP=" not in line
        assert asked(tmp_path, "/ready", method="HEAD").headers["content-length"] == "6"
        assert asked(tmp_path, "/").status == asked(tmp_path, "/pid").status == 404
        refused = asked(tmp_path, "/ready", method="POST", body=b"x")
        assert refused.status == 405 and refused.headers["allow"] == "GET, HEAD"
        with Unix(tmp_path / "admin.socket") as connection:
            connection.send(b"GET /ready HTTP/1.1\r\n\r\n")
            assert connection.receive().status == 400
        assert server.ask("/ready").status == 404 or b"ready" not in server.ask("/ready").body, "clients have no such pages"


def test_answered_though_no_thread_and_no_connection_is_left(serve, tmp_path):
    with serve(FULL) as server, contextlib.ExitStack() as stack:
        for _ in range(12):
            connection = stack.enter_context(server.connect())
            with contextlib.suppress(OSError):
                connection.send(b"GET /sleep?ms=3000 HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: server.lines("OUTCOME=rejected"), 10, "clients are turned away")
        for _ in range(30):
            answer = asked(tmp_path)
            assert answer.status == 200 and answer.seconds < 2
        # connections that ask nothing take none of the places of others for long
        held = [stack.enter_context(Unix(tmp_path / "admin.socket")) for _ in range(8)]
        assert asked(tmp_path).status == 200 and held


def test_admin_connections_are_none_of_the_clients(serve, tmp_path):
    """A connection there takes no place of worker_connections."""
    one = "[server]\nworkers = 1\nthreads = 1\n[http]\nworker_connections = 1\n"
    with serve(one) as server, Unix(tmp_path / "admin.socket"), Unix(tmp_path / "admin.socket"):
        wait_until(lambda: asked(tmp_path).status == 200, 5, "it is answered")
        assert server.ask("/").status == 200


def test_a_worker_that_hangs_is_not_waited_for(serve, tmp_path):
    with serve(FULL.replace("watchdog = 1s", "watchdog = 5s")) as server:
        [stopped, _] = server.workers()
        os.kill(stopped, signal.SIGSTOP)
        wait_until(lambda: Path(f"/proc/{stopped}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "T", 5, "it is stopped")
        try:
            for _ in range(10):
                assert asked(tmp_path).status == 200
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(stopped, signal.SIGCONT)


def test_ready_all_through_a_reload_and_not_while_it_stops(serve, tmp_path):
    with serve() as server:
        with Load(server, threads=2) as load:
            for _ in range(2):
                done = len(server.lines("EVENT=reload-done"))
                server.signal(signal.SIGHUP)
                while len(server.lines("EVENT=reload-done")) == done:
                    assert asked(tmp_path).status == 200
            load.stop()
        assert not load.failed
        # a connection that was there before sees that it ends
        with Unix(tmp_path / "admin.socket") as before, server.connect() as busy:
            busy.send(b"GET /sleep?ms=1500 HTTP/1.1\r\nHost: a\r\n\r\n")
            before.send(b"GET /ready HTTP/1.1\r\n")
            server.process.terminate()
            server.wait_for_line("EVENT=master-stopping")
            wait_until(lambda: not accepts(tmp_path), 5, "nobody accepts any more")
            before.send(b"Host: a\r\n\r\n")
            answer = before.receive()
            assert (answer.status, answer.body) == (503, b"not ready\n")
            assert busy.receive().status == 200


def accepts(folder):
    """Whether a worker answers on a new connection within a moment."""
    try:
        with Unix(folder / "admin.socket") as connection:
            connection.socket.settimeout(0.3)
            return connection.ask("/live").status == 200
    except OSError:
        return False


def test_proxy_protocol_is_not_for_it(serve, tmp_path):
    with serve(CALM + "[http]\nproxy_protocol = v1v2\n"):
        assert asked(tmp_path).status == 200


def test_on_a_port(build, tmp_path):
    port = free_port()
    with Serving(build, tmp_path, CALM, arguments=("--listen", f"admin:127.0.0.1:{port}")) as server:
        with Connection(("127.0.0.1", port)) as connection:
            assert connection.ask("/ready").body == b"ready\n"
        assert "admin, http://127.0.0.1" in server.output()
