# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many clients of the ledger application, in processes of their own, and the ledger that they keep."""
import itertools
import multiprocessing
import random
import signal
import threading
import time
import traceback

from lib.client import Connection, Incomplete
from lib.processes import die_with_parent
from lib.verdict import DEEDS, Asked

PROCESSES = 4
THREADS = 3
CLIENTS = PROCESSES * THREADS
# every so manieth client opens a connection for each request
SINGLE = 3
STATUSES = (200, 200, 200, 200, 201, 302, 404, 410, 500)
# milliseconds; the long ones see to it that some request is always under way
WORK = (0, 0, 1, 1, 2, 2, 3, 3, 3, 30)
SECONDS_TO_END = 60


class Crowd:
    """Clients in processes of their own, each asking one request after the other until they are told to stop.

    With `rate`, so many requests become due in each second, and what an outage delayed is made up for as fast as the
    service answers; without, each client asks as fast as it can. A request takes one of the times in `work`. One in
    `crashing` ends its worker.
    """

    def __init__(self, service, seed, rate=None, work=WORK, crashing=0):
        self.service = service
        self.seed = seed
        self.rate = rate
        self.work = work
        self.crashing = crashing
        self.tag = f"c{random.Random(seed).randrange(16 ** 8):08x}{time.time_ns() // 1000000 % 16 ** 6:06x}"
        self.ledger = {}
        context = multiprocessing.get_context("fork")
        self._over = context.RawValue("b", 0)
        self._asked = context.RawArray("L", CLIENTS)
        self._answered = context.RawArray("L", CLIENTS)
        self._pipes = [context.Pipe(duplex=False) for _ in range(PROCESSES)]
        self._processes = [context.Process(target=self._run, args=(number,), daemon=True)
                           for number in range(PROCESSES)]

    def __enter__(self):
        self._begun = time.monotonic()
        for process in self._processes:
            process.start()
        return self

    def __exit__(self, *_):
        """The ledger is complete after that."""
        self._over.value = 1
        problems = []
        try:
            for (reader, _), process in zip(self._pipes, self._processes):
                problems += self._collect(reader, process)
        finally:
            for process in self._processes:
                process.kill()
                process.join()
        assert not problems, "\n".join(problems)

    def _collect(self, reader, process):
        if not reader.poll(SECONDS_TO_END):
            return [f"client process {process.pid} does not end"]
        ledger, problems = reader.recv()
        self.ledger |= {asked.id: asked for asked in ledger}
        return problems

    def asked(self):
        return sum(self._asked)

    def answered(self):
        return sum(self._answered)

    def speed(self, seconds):
        """Answers per second from now on for so long."""
        before, begun = self.answered(), time.monotonic()
        time.sleep(seconds)
        return (self.answered() - before) / (time.monotonic() - begun)

    # -- in the client processes

    def _run(self, number):
        die_with_parent()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        ledger, problems = [], []
        with self.service.network():
            threads = [threading.Thread(target=self._client, args=(number * THREADS + each, ledger, problems))
                       for each in range(THREADS)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self._pipes[number][1].send((ledger, problems))

    def _client(self, client, ledger, problems):
        draw = random.Random(f"{self.seed}/{client}")
        connection = None
        try:
            for number in itertools.count(client, CLIENTS):
                asked = self._draw(draw, number, kept_alive=client % SINGLE != 0)
                if not self._wait_until_due(number):
                    break
                connection = self._ask(asked, connection)
                ledger.append(asked)
                self._asked[client] += 1
                self._answered[client] += asked.status != 0
        except Exception:  # a bug of the test: shown by the parent
            problems.append(traceback.format_exc())

    def _draw(self, draw, number, kept_alive):
        id_ = f"{self.tag}-{number:06}"
        wanted = draw.choice(STATUSES)
        target = f"/work?id={id_}&ms={draw.choice(self.work)}&status={wanted}"
        deed = draw.choice(list(DEEDS)) if self.crashing and draw.randrange(self.crashing) == 0 else ""
        if deed:
            target += f"&do={deed}&us={draw.randrange(400)}"
        return Asked(id_, target, kept_alive, wanted, deed)

    def _wait_until_due(self, number):
        due = self._begun + number / self.rate if self.rate else 0
        while not self._over.value:
            left = due - time.monotonic()
            if left <= 0:
                return True
            time.sleep(min(left, 0.05))
        return False

    def _ask(self, asked, connection):
        """Fills in what came of it. Returns the connection when it can be used again."""
        asked.begun = time.time()
        try:
            connection = connection or Connection(self.service.address)
            answer = connection.ask(asked.target, headers=() if asked.kept_alive else [("Connection", "close")])
            asked.status, asked.request_id = answer.status, answer.request_id
            reusable = asked.kept_alive and answer.headers.get("connection", "").lower() != "close"
        except (OSError, Incomplete) as problem:
            asked.error = f"{type(problem).__name__}: {problem}"
            reusable = False
        asked.ended = time.time()
        if connection and not reusable:
            connection.socket.close()
        return connection if reusable else None
