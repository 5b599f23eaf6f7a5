# SPDX-License-Identifier: LGPL-2.1-or-later
"""How evenly connections spread over the workers, and that a worker which hangs delays nobody."""
import collections
import contextlib
import os
import signal
import socket
import threading
import time

import pytest

from lib.client import Connection, Incomplete, Load
from lib.wait import wait_until

WORKERS = [2, 4, 8, 16]
# the most loaded worker, against the mean
EVEN = 1.15


def config(workers):
    return f"[server]\nworkers = {workers}\nthreads = 2\nwatchdog = 60s\n"


def worst(numbers, workers):
    return max(numbers) / (sum(numbers) / workers)


def pid_of(connection):
    return int(connection.ask("/pid").body)


def opened_at_once(address, count):
    """So many connections that are begun before any of them is accepted."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            each.connect(address)
    connections = []
    for each in sockets:
        each.settimeout(20)
        connection = Connection.__new__(Connection)
        connection.socket, connection._left = each, b""
        connections.append(connection)
    return connections


@pytest.mark.parametrize("clients", [1, 8])
@pytest.mark.parametrize("workers", WORKERS)
def test_short_connections(start, workers, clients):
    with start(config(workers)) as server:
        tries = []
        # once more when the machine was busy with something else: a worker that is kept from running serves less
        while len(tries) < 3 and (not tries or worst(tries[-1].values(), workers) > EVEN):
            with Load(server, threads=clients, count=2400, target="/pid?id={id}") as load:
                pass
            assert not load.failed
            tries.append(collections.Counter(answer.body for answer in load.ledger))
        assert worst(tries[-1].values(), workers) <= EVEN, tries


@pytest.mark.parametrize("workers", WORKERS)
def test_connections_that_stay(start, workers):
    with start(config(workers)) as server:
        connections = opened_at_once(server.address, 30 * workers)
        held = collections.Counter(pid_of(connection) for connection in connections)
        for connection in connections:
            connection.socket.close()
        assert len(held) == workers and worst(held.values(), workers) <= EVEN, held


def test_connections_that_stay_one_after_the_other(start):
    """They end up on all workers while short ones come and go."""
    def held_by_each(server):
        with contextlib.ExitStack() as stack, Load(server, threads=2) as load:
            load.wait_for_answers(20)
            kept = []
            for _ in range(8):
                kept.append(stack.enter_context(server.connect()))
                kept[-1].ask("/")
                time.sleep(0.02)
            held = collections.Counter(pid_of(connection) for connection in kept)
        assert not load.failed
        return held

    with start(config(4)) as server:
        tries = [held_by_each(server)]
        # once more when the machine kept a worker from running
        while len(tries) < 3 and (len(tries[-1]) < 4 or max(tries[-1].values()) > 3):
            tries.append(held_by_each(server))
        assert len(tries[-1]) == 4 and max(tries[-1].values()) <= 3, tries


def test_a_worker_that_hangs_delays_nobody(start):
    with start(config(4)) as server:
        with Load(server, threads=4, count=100) as before:
            pass
        assert not before.failed
        victim = server.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        try:
            with Load(server, threads=8, count=500, target="/pid?id={id}") as load:
                pass
            # a hundred that come at once, too
            together = opened_at_once(server.address, 100)
            began = time.monotonic()
            assert all(pid_of(connection) != victim for connection in together)
            assert time.monotonic() - began < 1
            for connection in together:
                connection.socket.close()
        finally:
            os.kill(victim, signal.SIGCONT)
        assert not load.failed
        assert max(answer.seconds for answer in load.ledger) < 0.5
        # back again, it has its share
        wait_until(lambda: any(int(server.ask("/pid").body) == victim for _ in range(20)), 10, "it serves")


class Busy:
    """A client that asks without a pause, over a connection that he only leaves when he is told to."""

    def __init__(self, server, connection):
        self.server, self.connection = server, connection
        self.served_by, self.failures = [], []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._ask_on)

    def _ask_on(self):
        try:
            while not self.stop.is_set():
                answer = self.connection.ask("/pid")
                assert answer.status == 200
                self.served_by.append(int(answer.body))
                if answer.headers.get("connection") == "close":
                    self.connection.socket.close()
                    self.connection = self.server.connect()
        except (OSError, Incomplete, AssertionError) as failure:
            self.failures.append(failure)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()
        self.connection.socket.close()


@pytest.mark.parametrize("others", ["idle", "gone"])
def test_long_lived_busy_connections_pin_no_load(start, others):
    """All that are busy have met at one worker; some of them end up elsewhere, without a failed request."""
    with start(config(2)) as server, contextlib.ExitStack() as stack:
        connections = opened_at_once(server.address, 24)
        pids = [pid_of(connection) for connection in connections]
        met = collections.Counter(pids).most_common(1)[0][0]
        busy = [Busy(server, connection) for connection, pid in zip(connections, pids) if pid == met][:8]
        for connection in connections:
            if all(client.connection is not connection for client in busy):
                stack.callback(connection.socket.close)
                if others == "gone":
                    connection.socket.close()
        for client in busy:
            stack.enter_context(client)

        def spread():
            return collections.Counter(client.served_by[-1] for client in busy if client.served_by)
        wait_until(lambda: max(spread().values(), default=len(busy)) <= 5, 20, "others serve as well")
        time.sleep(3)  # and it stays so
        held = spread()
        assert max(held.values()) <= 6, held
    assert not any(client.failures for client in busy)


def test_busy_connections_stay_when_they_are_even(start):
    with start(config(2)) as server, contextlib.ExitStack() as stack:
        busy = [Busy(server, connection) for connection in opened_at_once(server.address, 8)]
        for client in busy:
            stack.enter_context(client)
        time.sleep(4)
        assert all(len(set(client.served_by)) == 1 for client in busy)
    assert not any(client.failures for client in busy)


def test_busy_connections_do_not_hold_up_others(start):
    """Connections that ask without a pause, all from one burst, leave room for new ones everywhere."""
    with start(config(2)) as server:
        stop = threading.Event()

        def ask_on(connection):
            while not stop.is_set():
                connection.ask("/")

        busy = opened_at_once(server.address, 8)
        held = collections.Counter(pid_of(connection) for connection in busy)
        threads = [threading.Thread(target=ask_on, args=(connection,)) for connection in busy]
        for thread in threads:
            thread.start()
        try:
            with Load(server, threads=2, count=300, target="/pid?id={id}") as load:
                pass
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        for connection in busy:
            connection.socket.close()
        assert not load.failed and max(held.values()) <= 5, held
        assert len({answer.body for answer in load.ledger}) == 2
