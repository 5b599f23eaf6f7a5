# SPDX-License-Identifier: LGPL-2.1-or-later
"""Thousands of clients that are slow in every way, beside a few good ones."""
import contextlib
import itertools
import os
import re
import resource
import selectors
import shutil
import socket
import statistics
import subprocess
import threading
import time

import pytest

from lib.processes import die_with_parent, memory_of
from lib.serving import Serving
from lib.wait import wait_until

SLOW = 5000
GOOD = 50
TIMEOUT = 5
SETTINGS = (f"[server]\nworkers = 2\n[http]\nworker_connections = 4000\nheader_timeout = {TIMEOUT}s\n"
            f"body_timeout = {TIMEOUT}s\nsend_timeout = {TIMEOUT}s\nminimum_rate = 1k\n[log]\naccess = errors\n")
# the pool of a connection, and what a response in pieces may wait in
KILOBYTES_EACH = 32 + 16
ROUNDS = 3, 6  # at least, at most
STREAMS = 100  # many times as many as there are threads

# what each kind sends at once, and then every second
KINDS = {
    "head": (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x"),
    "body": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n", b"x"),
    "reader": (b"GET /files/large HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    "silent": (b"", b""),
    # more than the kernel takes
    "stream": (b"GET /stream?pieces=100&size=60000 HTTP/1.1\r\nHost: a\r\n\r\n", b""),
}
READERS = {"reader": "GET /files/large", "stream": "GET /stream"}


def kinds(number):
    """What each of so many clients is."""
    others = itertools.cycle(kind for kind in KINDS if kind != "stream")
    return ["stream" if n % (number // STREAMS) == 0 else next(others) for n in range(number)]


class Crowd:
    """The slow ones, on a thread of their own. `left` counts those that do not know yet that they were cut; readers, who
    have bytes before them, never learn it."""

    def __init__(self, address, number):
        self.address = address
        self._kinds = kinds(number)
        self.left = sum(kind not in READERS for kind in self._kinds)
        self.connected = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        assert self.connected.wait(30)
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _connect(self, kind):
        client = socket.socket()
        if kind in READERS:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(self.address)
        client.setblocking(False)
        client.send(KINDS[kind][0])
        return client

    def _run(self):
        with selectors.EpollSelector() as selector:
            clients = {}
            for kind in self._kinds:
                client = self._connect(kind)
                clients[client] = kind
                if kind not in READERS:
                    selector.register(client, selectors.EVENT_READ)
            self.connected.set()
            self._live(selector, clients)
            for client in clients:
                client.close()

    def _live(self, selector, clients):
        again = time.monotonic() + 1
        while not self._over.is_set():
            for key, _ in selector.select(0.1):
                self._drop(selector, clients, key.fileobj)
            if time.monotonic() >= again:
                again += 1
                for client, kind in list(clients.items()):
                    self._move(selector, clients, client, kind)

    def _move(self, selector, clients, client, kind):
        try:
            if kind in READERS:
                client.recv(100)
            elif KINDS[kind][1]:
                client.send(KINDS[kind][1])
        except BlockingIOError:
            pass
        except ConnectionError:
            if kind not in READERS:
                self._drop(selector, clients, client)

    def _drop(self, selector, clients, client):
        selector.unregister(client)
        client.close()
        del clients[client]
        self.left -= 1


def p99(server, seconds=2):
    """Milliseconds, of the good clients."""
    shown = subprocess.run(["wrk", "-t", "1", "-c", str(GOOD), "-d", str(seconds), "--latency",
                            f"http://{server.address[0]}:{server.address[1]}/"], stdin=subprocess.DEVNULL,
                           capture_output=True, text=True, check=True, timeout=60, preexec_fn=die_with_parent).stdout
    assert "Non-2xx" not in shown and "Socket errors" not in shown, shown
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", shown).groups()
    return float(number) * {"us": 0.001, "ms": 1, "s": 1000}[unit]


def undisturbed(alone, beside):
    """The machine disturbs some rounds of both: the median of each is neither luck nor disturbance."""
    return len(beside) >= ROUNDS[0] and statistics.median(beside) <= 2 * statistics.median(alone)


def readers_cut(server):
    return [len(server.lines(target, "OUTCOME=timeout")) for target in READERS.values()]


@contextlib.contextmanager
def many_descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], 2 * SLOW), max(before[1], 4 * SLOW)))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def configuration(build, folder):
    (folder / "large").touch()
    os.truncate(folder / "large", 20_000_000)
    return (SETTINGS + f"[app probe]\ntype = native\npath = {build.application('probe')}\nmount = /\n"
            f"[app files]\ntype = static\nroot = {folder}\nmount = /files\n")


def p99_alone(server, other):
    """The machine has as much to do as beside the crowd, which is at another server."""
    with Crowd(other.address, SLOW):
        return p99(server)


def test_slow_clients_are_cut_and_disturb_nobody(start, build, tmp_path):
    if build.is_sanitized:
        pytest.skip("a sanitizer costs more than the clients do")
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    config, folder = configuration(build, tmp_path), tmp_path / "other"
    folder.mkdir()
    with many_descriptors(), start(config) as server, Serving(build, folder, config) as other:
        alone, beside = [], []
        p99(server, 1)
        before = sum(map(memory_of, server.workers()))
        for number in range(1, ROUNDS[1] + 1):
            alone.append(p99_alone(server, other))
            with Crowd(server.address, SLOW) as crowd:
                all_of_them = crowd.left
                measured = p99(server)
                if crowd.left == all_of_them:  # else the machine was so busy that it was measured beside fewer
                    beside.append(measured)
                grown = sum(map(memory_of, server.workers())) - before
                cut = [number * kinds(SLOW).count(kind) for kind in READERS]
                wait_until(lambda: crowd.left == 0 and readers_cut(server) == cut, TIMEOUT + 10, "all of them are cut")
            assert grown < SLOW * KILOBYTES_EACH
            if undisturbed(alone, beside):
                break
        print("p99 in ms, alone and beside:", alone, beside, "grown by kB:", grown)
        assert undisturbed(alone, beside)


def test_memory_of_a_crowd_is_given_back(start, build, tmp_path):
    if build.is_sanitized:
        pytest.skip("a sanitizer keeps what is freed")
    config = configuration(build, tmp_path).replace("workers = 2", "workers = 1\nthreads = 8").replace(f"{TIMEOUT}s", "2s")
    with start(config) as server, contextlib.ExitStack() as stack:
        [worker] = server.workers()
        assert server.ask("/").status == 200
        before = memory_of(worker, "RssAnon")
        for _ in range(1200):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(server.address)
            client.send(KINDS["reader"][0])
        wait_until(lambda: memory_of(worker, "RssAnon") - before > 25_000, 20, "the crowd costs memory")
        wait_until(lambda: len(server.lines("OUTCOME=timeout")) == 1200, 20, "all are cut")
        wait_until(lambda: memory_of(worker, "RssAnon") - before < 9000, 10, "the memory is given back")
