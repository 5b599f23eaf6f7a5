# SPDX-License-Identifier: LGPL-2.1-or-later
"""When the system has nothing left for a successor: the other workers serve, an event says why, and it mends itself."""
import os
import re
import resource
import shutil
import signal

import pytest

from lib import builds, cgroups
from lib.client import Load
from lib.deaths import lose_many
from lib.wait import wait_until

CONFIG = "[server]\nworkers = 2\nthreads = 2\n"

# `make check` has a short one; `make deaths` the whole
WHOLE = 1000
DEATHS = int(os.environ.get("APPSRV_DEATHS", "48"))
WORKERS = 16 if DEATHS < WHOLE else 50
GROWTH_KB = 512
VALGRIND = ("valgrind", "--leak-check=full", "--show-leak-kinds=all", "--freelist-vol=0", "--child-silent-after-fork=yes", "--log-file=valgrind.%p")


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
    # what is freed is given back at once, or what the sanitizer keeps of it would grow
    frugal = f"{builds.SANITIZERS['ASAN_OPTIONS']}:quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
    with start(CONFIG.replace("workers = 2", f"workers = {WORKERS}"), wrapper=("env", f"ASAN_OPTIONS={frugal}")) as server:
        growth = lose_many(server, DEATHS, WORKERS)
        print(growth)
        # it takes a sanitizer some hundred of them to have all that it keeps
        assert growth.memory_kb < GROWTH_KB or (build.is_sanitized and DEATHS < WHOLE), growth


@pytest.mark.seconds(900)
def test_nor_does_it_under_valgrind(start, build, tmp_path):
    if build.is_sanitized:
        pytest.skip("valgrind does not run sanitized programs")
    if DEATHS < WHOLE:
        pytest.skip("takes minutes: make deaths; test_valgrind.py has a few deaths")
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    workers = WORKERS // 2
    patient = CONFIG.replace("workers = 2", f"workers = {workers}") + "watchdog = 1min\nstart_timeout = 2min\n"
    with start(patient, wrapper=VALGRIND) as server:
        growth = lose_many(server, DEATHS, workers)
        print(growth)
        # workers have no last look at their memory: that is the master's test
        server.signal(signal.SIGQUIT)
        assert server.process.wait(60) == 0
    log = (tmp_path / f"valgrind.{server.process.pid}").read_text()
    assert "ERROR SUMMARY: 0 errors" in log and "no leaks are possible" in log, log[-3000:]
    assert growth.memory_kb < GROWTH_KB, growth
