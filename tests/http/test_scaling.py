# SPDX-License-Identifier: LGPL-2.1-or-later
"""The number of workers: by load, by signals, and that no request notices."""
import collections
import contextlib
import json
import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from lib import builds
from lib.client import Load
from lib.serving import Serving
from lib.wait import wait_until

# one thread each, so that few clients are a load
RANGE = "[server]\nworkers = 1-2\nthreads = 1\nshrink_after = 1s\ngraceful_timeout = 5s\n"
TWO = "[server]\nworkers = 2\nthreads = 2\n"


def status(server):
    done = subprocess.run([server.build.program, "status", "--json", "--socket", server.folder / "runtime" / "status"],
                          capture_output=True, text=True, timeout=30, env=builds.environment())
    assert done.returncode == 0, done
    return json.loads(done.stdout)


class Idle:
    """Clients that keep their connections and ask now and then; one that is told to close is connected anew."""

    def __init__(self, server, count=4):
        self.server = server
        self.connections = [server.connect() for _ in range(count)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self.connections:
            connection.socket.close()

    def is_served(self):
        for number, connection in enumerate(self.connections):
            answer = connection.ask("/pid")
            assert answer.status == 200
            if answer.headers.get("connection", "").lower() == "close":
                connection.socket.close()
                self.connections[number] = self.server.connect()
        return True


def wait_for_ready(server, number, seconds=20):
    """Until so many workers are ready, those that drain not counted."""
    def there():
        gone = {word for line in server.lines("EVENT=worker-retired") for word in line.split() if word.startswith("WORKER_PID=")}
        ready = {word for line in server.lines("EVENT=worker-ready") for word in line.split() if word.startswith("WORKER_PID=")}
        alive = {f"WORKER_PID={pid}" for pid in server.workers()}
        return len((ready - gone) & alive) == number
    wait_until(there, seconds, f"{number} workers are ready\n{server.output()}")


def test_load_makes_it_grow_a_reload_keeps_that_and_idling_makes_it_shrink(start):
    with start(RANGE) as server:
        assert len(server.workers()) == 1
        busy = "/sleep?ms=20&id={id}"
        with Load(server, threads=2, keep_alive=True, target=busy) as kept, Load(server, threads=2, target=busy) as short:
            wait_for_ready(server, 2)
            wait_until(lambda: any(state.startswith("STATUS=2 workers of 1-2 (") for state in server.states()), 10, "a status")
            told = len(server.states())
            server.signal(signal.SIGHUP)
            server.wait_for_state("READY=1", after=told)
            assert len(server.lines("EVENT=worker-started", "GENERATION=2")) == 2
            for load in (kept, short):
                load.wait_for_answers(10)
        with Idle(server) as idle:
            wait_until(lambda: idle.is_served() and len(server.workers()) == 1, 20, "the other one has ended")
            assert idle.is_served()
        assert not kept.failed + short.failed
        seen = status(server)
        assert seen["workers_range"] == [1, 2] and seen["workers_wanted"] == 1
        [up], [down] = server.lines("EVENT=scaled", "Up to 2 workers"), server.lines("EVENT=scaled", "Down to 1 worker")
        assert " requests wait" in up and "the others are enough" in down
        [retired] = server.lines("EVENT=worker-retired")
        [pid] = [word for word in retired.split() if word.startswith("WORKER_PID=")]
        server.wait_for_line("EVENT=worker-exited", pid)
        assert not server.lines("EVENT=worker-died")


class Flood:
    """A client with so many requests on their way, on one connection, that the server never waits for him."""

    BATCH = 400

    def __init__(self, server, target):
        self.server = server
        self.batch = f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode() * self.BATCH
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(30)

    def run(self):
        while not self.over.is_set():
            # one that is moved to another worker ends in the middle
            with contextlib.suppress(OSError), self.server.connect() as connection:
                self.ask(connection.socket)

    def ask(self, client):
        underway, tail = 0, b""
        while not self.over.is_set():
            if underway < self.BATCH:
                client.sendall(self.batch)
                underway += self.BATCH
            received = client.recv(65536)
            if not received:
                return
            underway -= (tail + received).count(b"spun\n")
            tail = received[-4:]


def processors(build, folder):
    """How many of them the server may use: it has as many workers unless it is told otherwise."""
    folder.mkdir()
    with Serving(build, folder, "[server]\nworkers = auto\n") as server:
        return len(server.workers())


def test_requests_too_short_to_queue_make_it_grow_too(start, build, tmp_path):
    if build.is_sanitized:
        pytest.skip("takes seconds, and the other build has the same numbers")
    if processors(build, tmp_path / "auto") < 2:
        pytest.skip("a second worker would have no processor")
    with start(RANGE.replace("threads = 1", "threads = 2") + "[log]\naccess = off\n") as server:
        # who leads runs them himself, one after the other
        with Flood(server, "/spin?us=20"):
            wait_for_ready(server, 2, 40)
        up = server.lines("EVENT=scaled")[0]
        assert "Up to 2 workers: " in up and ", the workers have no pause" in up
        server.wait_for_line("EVENT=scaled", "Down to 1 worker", seconds=20)


def test_signals_ask_for_one_more_and_one_fewer(start):
    with start(TWO) as server:
        with Load(server, threads=4, keep_alive=True) as kept, Load(server, threads=2) as short:
            for number in (3, 4):
                server.signal(signal.SIGTTIN)
                wait_for_ready(server, number)
            for load in (kept, short):
                load.wait_for_answers(50)
            seen = status(server)
            assert seen["workers_wanted"] == 4 and seen["workers_range"] is None
            for number in (3, 2, 1):
                server.signal(signal.SIGTTOU)
                wait_for_ready(server, number)
            wait_until(lambda: len(server.workers()) == 1, 20, "the others have ended")
            kept.wait_for_answers(50)
        assert not kept.failed + short.failed
        server.signal(signal.SIGTTOU)
        server.wait_for_line("EVENT=scaled", "The limit is reached, still 1 worker: SIGTTOU")
        assert not server.lines("EVENT=worker-backoff")
        # as with Gunicorn, the configuration decides again
        told = len(server.states())
        server.signal(signal.SIGHUP)
        server.wait_for_state("READY=1", after=told)
        wait_until(lambda: len(server.workers()) == 2, 20, "two workers")


def test_signals_to_all_processes_stop_no_worker(start):
    """Whose processes are a shell's would be stopped; those of this test have a session of their own, and would not."""
    with start(TWO) as server:
        for pid in server.workers():
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            # caught, and not ignored: the latter would last in what an application starts
            [caught] = [int(line.split()[1], 16) for line in status.splitlines() if line.startswith("SigCgt:")]
            assert all(caught >> number - 1 & 1 for number in (signal.SIGTTIN, signal.SIGTTOU))


def test_one_that_is_taken_back_before_it_is_ready_is_no_failure(start, build):
    app = f"[app probe]\ntype = native\npath = {build.application('probe')}\nstart_delay_ms = 1000\n"
    with start(TWO + app) as server:
        server.signal(signal.SIGTTIN)
        wait_until(lambda: len(server.workers()) == 3, 10, "a third worker starts")
        server.signal(signal.SIGTTOU)
        wait_until(lambda: len(server.workers()) == 2, 10, "it is gone")
        assert server.wait_for_line("EVENT=worker-exited", "is not needed any more")
        assert not server.lines("EVENT=worker-backoff") and not server.lines("EVENT=worker-died")
        assert server.ask("/").status == 200


def test_connections_spread_over_those_that_came_later_and_a_death_is_replaced(start):
    with start(TWO) as server:
        server.signal(signal.SIGTTIN)
        wait_for_ready(server, 3)
        server.signal(signal.SIGTTIN)
        wait_for_ready(server, 4)
        tries = []
        # once more when the machine kept a worker from running
        while len(tries) < 3 and (not tries or max(tries[-1].values()) > 150):
            with Load(server, threads=4, count=400, target="/pid?id={id}") as load:
                pass
            assert not load.failed
            tries.append(collections.Counter(answer.body for answer in load.ledger))
        assert len(tries[-1]) == 4 and max(tries[-1].values()) <= 150, tries
        victim = server.workers()[-1]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: victim not in server.workers() and len(server.workers()) == 4, 10, "four again")
