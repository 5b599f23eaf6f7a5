# SPDX-License-Identifier: LGPL-2.1-or-later
"""When the system has nothing left for a successor: the other workers serve, an event says why, and it mends itself."""
import os
import re
import resource
import signal

from lib import cgroups
from lib.client import Load
from lib.processes import descriptors, memory_of
from lib.wait import wait_until

CONFIG = "[server]\nworkers = 2\nthreads = 2\n"

# `make check` has a short one; the whole: APPSRV_DEATHS=1000 tests/run http -k loses_many
DEATHS = int(os.environ.get("APPSRV_DEATHS", "48"))
AT_ONCE = 16
GROWTH_KB = 512


def is_tried_in_vain_until_there_is_room(server, reason, make_room):
    """With two workers, of which one has been killed when nothing was left."""
    settled = server.wait_for_line("EVENT=worker-backoff", reason)
    assert "it cannot be forked" in settled
    server.wait_for_line("EVENT=worker-backoff", reason, after=2)
    with Load(server, threads=2) as load:
        load.wait_for_answers(20)
        load.stop()
    assert not load.failed and len(server.workers()) == 1
    pauses = [int(pause) for pause in re.findall(r"follows in (\d+) ms", server.output())]
    assert pauses == sorted(pauses) and pauses[0] >= 100 and pauses[-1] <= 10000, pauses
    make_room()
    wait_until(lambda: len(server.workers()) == 2, 20, "it mends itself")
    server.wait_for_line("EVENT=worker-ready", after=2)
    assert server.ask("/").status == 200


def kill_one(server):
    os.kill(server.workers()[0], signal.SIGKILL)


def test_no_process_can_be_forked(start):
    with cgroups.group("pids") as group:
        group.limit(pids__max="max")
        with start(CONFIG, wrapper=group.wrapper) as server:
            group.limit(pids__max=1)
            kill_one(server)
            is_tried_in_vain_until_there_is_room(server, "Resource temporarily unavailable", lambda: group.limit(pids__max="max"))


def test_master_has_no_descriptor_left(start):
    with start(CONFIG) as server:
        usual = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (4, usual[1]))
        kill_one(server)
        is_tried_in_vain_until_there_is_room(server, "Too many open files",
                                             lambda: resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, usual))


def test_master_that_loses_many_workers_does_not_grow(start, build):
    with start(CONFIG.replace("workers = 2", f"workers = {AT_ONCE}")) as server:
        master = server.process.pid

        def lose_all():
            ready = len(server.lines("EVENT=worker-ready"))
            for pid in server.workers():
                os.kill(pid, signal.SIGKILL)
            server.wait_for_line("EVENT=worker-ready", after=ready + AT_ONCE - 1, seconds=60)

        lose_all()
        open_before, memory_before = len(descriptors(master)), memory_of(master, "RssAnon")
        for _ in range(max(1, DEATHS // AT_ONCE)):
            lose_all()
        wait_until(lambda: len(descriptors(master)) <= open_before, 10, "as many descriptors as before")
        grown = memory_of(master, "RssAnon") - memory_before
        # what the sanitizer keeps of freed memory grows; it looks for leaks itself, at the end
        assert build.is_sanitized or grown < GROWTH_KB, f"{grown} kB more after {DEATHS} deaths"
        assert len(server.lines("EVENT=worker-died")) == len(server.lines("EVENT=worker-started")) - AT_ONCE
        assert server.ask("/").status == 200
