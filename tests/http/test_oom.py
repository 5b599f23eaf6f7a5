# SPDX-License-Identifier: LGPL-2.1-or-later
"""A worker that the kernel kills for want of memory is told from one that anybody kills."""
import contextlib
import os
import signal

from lib import cgroups
from lib.client import Incomplete
from lib.wait import wait_until

LIMIT = 256 << 20


def test_kernel_is_told_from_an_administrator(start):
    with cgroups.group("memory") as group:
        # of the first version, with swap, and of the second
        group.limit(memory__limit_in_bytes=LIMIT, memory__memsw__limit_in_bytes=LIMIT, memory__max=LIMIT, memory__swap__max=0)
        with start("[server]\nworkers = 2\nthreads = 2\n", wrapper=group.wrapper) as server:
            with contextlib.suppress(ConnectionError, Incomplete):
                server.ask("/keep?size=500000000")
            died = server.wait_for_line("EVENT=worker-died")
            assert "CAUSE=out-of-memory" in died and "SIGNAL=KILL" in died and "died: out of memory, signal KILL" in died
            wait_until(lambda: len(server.lines("EVENT=worker-ready")) == 3, 10, "it is replaced")
            victim = server.workers()[0]
            os.kill(victim, signal.SIGKILL)
            assert "CAUSE=signal" in server.wait_for_line("EVENT=worker-died", f"WORKER_PID={victim}")
            assert server.ask("/").status == 200
