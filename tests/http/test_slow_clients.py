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

SLOW = 5000
GOOD = 50
TIMEOUT = 4
SETTINGS = (f"[server]\nworkers = 2\n[http]\nworker_connections = 4000\nheader_timeout = {TIMEOUT}s\n"
            f"body_timeout = {TIMEOUT}s\nsend_timeout = {TIMEOUT}s\nminimum_rate = 1k\n[log]\naccess = errors\n")
# the pool of a connection, and what a response in pieces may wait in
KILOBYTES_EACH = 32 + 16
ROUNDS = 3, 6  # at least, at most

# what each kind sends at once, and then every second
KINDS = {
    "head": (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"x"),
    "body": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n", b"x"),
    "reader": (b"GET /files/large HTTP/1.1\r\nHost: a\r\n\r\n", b""),
    "silent": (b"", b""),
}


class Crowd:
    """The slow ones, on a thread of their own. `left` counts those that do not know yet that they were cut; readers, who
    have bytes before them, never learn it."""

    def __init__(self, address, number):
        self.address, self.left = address, number - number // len(KINDS)
        self.connected = threading.Event()
        self._over = threading.Event()
        self._number = number
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
        if kind == "reader":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(self.address)
        client.setblocking(False)
        client.send(KINDS[kind][0])
        return client

    def _run(self):
        with selectors.EpollSelector() as selector:
            clients = {}
            for kind, _ in zip(itertools.cycle(KINDS), range(self._number)):
                client = self._connect(kind)
                clients[client] = kind
                if kind != "reader":
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
            if kind == "reader":
                client.recv(100)
            elif KINDS[kind][1]:
                client.send(KINDS[kind][1])
        except BlockingIOError:
            pass
        except ConnectionError:
            if kind != "reader":
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
    """One round that the machine did not disturb is enough."""
    return min(beside) <= 2 * statistics.median(alone)


def readers_cut(server):
    return len(server.lines("GET /files/large", "OUTCOME=timeout"))


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


def test_slow_clients_are_cut_and_disturb_nobody(start, build, tmp_path):
    if build.is_sanitized:
        pytest.skip("a sanitizer costs more than the clients do")
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    with many_descriptors(), start(configuration(build, tmp_path)) as server:
        alone, beside, cut = [], [], 0
        p99(server, 1)
        before = sum(map(memory_of, server.workers()))
        while len(alone) < ROUNDS[0] or not undisturbed(alone, beside) and len(alone) < ROUNDS[1]:
            alone.append(p99(server))
            with Crowd(server.address, SLOW) as crowd:
                beside.append(p99(server))
                assert crowd.left == SLOW * 3 // 4
                grown = sum(map(memory_of, server.workers())) - before
                deadline = time.monotonic() + TIMEOUT + 3
                cut += SLOW // 4
                while (crowd.left or readers_cut(server) < cut) and time.monotonic() < deadline:
                    time.sleep(0.1)
                assert crowd.left == 0 and readers_cut(server) == cut
            assert grown < SLOW * KILOBYTES_EACH
        print("p99 in ms, alone and beside:", alone, beside, "grown by kB:", grown)
        assert undisturbed(alone, beside)
