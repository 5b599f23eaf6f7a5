# SPDX-License-Identifier: LGPL-2.1-or-later
"""An application that forks until no process is left: the workers that there are serve, an event says why, and it mends itself."""
import os
import signal

from lib import cgroups
from lib.client import Load
from lib.wait import wait_until

CONFIG = "[server]\nworkers = 2\nthreads = 2\n"
PROCESSES = 60


def test_fork_bomb_in_an_application(start):
    with cgroups.group("pids") as group:
        group.limit(pids__max=PROCESSES)
        with start(CONFIG, wrapper=group.wrapper) as server:
            with Load(server, threads=2) as load:
                assert server.ask("/bomb?ms=1500").status == 200
                wait_until(lambda: int((group.folder / "pids.current").read_text()) == PROCESSES, 10, "there is no process left")
                load.wait_for_answers(20)
                load.stop()
            assert not load.failed
            group.limit(pids__max=PROCESSES // 2)  # what the dead one leaves is nobody's
            os.kill(server.workers()[0], signal.SIGKILL)
            with Load(server, threads=2) as load:
                tried = server.wait_for_line("EVENT=worker-backoff")
                assert "it cannot be forked: Resource temporarily unavailable" in tried
                # what the bomb has forked ends; who is missing is tried for until then
                server.wait_for_line("EVENT=worker-ready", after=2, seconds=30)
                wait_until(lambda: len(server.workers()) == 2, 20, "it mends itself")
            assert not load.failed
            assert server.ask("/").status == 200
