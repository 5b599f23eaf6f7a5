# SPDX-License-Identifier: LGPL-2.1-or-later
"""Workers killed by the hundred, and what their master has of them afterwards."""
import os
import signal
import time
from dataclasses import dataclass

from lib.processes import descriptors, memory_of
from lib.wait import wait_until

# who has served so long is replaced at once, not after a pause that doubles: SETTLED_USEC of the supervision
SETTLED_SECONDS = 1.0
SECONDS_TO_COME_BACK = 120


@dataclass
class Growth:
    """Over the second half of the rounds: in the first one everything is allocated that is kept."""

    deaths: int
    memory_kb: int
    descriptors: int
    seconds: float


def lose_all(server, number):
    """Kills all workers at once when they have settled, and waits until as many are ready again."""
    since = time.monotonic()
    wait_until(lambda: time.monotonic() - since > SETTLED_SECONDS, 10, "the youngest has settled")
    ready = len(server.lines("EVENT=worker-ready"))
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    server.wait_for_line("EVENT=worker-ready", after=ready + number - 1, seconds=SECONDS_TO_COME_BACK)


def lose_many(server, deaths, number):
    """Lets a master of `number` workers lose all of them, over and over until there were so many deaths."""
    master, begun, rounds = server.process.pid, time.monotonic(), max(2, -(-deaths // number))
    for _ in range(rounds // 2):
        lose_all(server, number)
    open_before, memory_before = len(descriptors(master)), memory_of(master, "RssAnon")
    for _ in range(rounds - rounds // 2):
        lose_all(server, number)
    wait_until(lambda: len(descriptors(master)) <= open_before, 10, "as many descriptors as before")
    died = len(server.lines("EVENT=worker-died"))
    assert died == len(server.lines("EVENT=worker-started")) - number == rounds * number
    assert not server.lines("EVENT=worker-backoff") and server.ask("/").status == 200
    return Growth(died, memory_of(master, "RssAnon") - memory_before, len(descriptors(master)) - open_before, time.monotonic() - begun)
