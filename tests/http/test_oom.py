# SPDX-License-Identifier: LGPL-2.1-or-later
"""A worker that the kernel kills for want of memory is told from one that anybody kills."""
import contextlib
import os
import signal
from pathlib import Path

import pytest

from lib.client import Incomplete
from lib.roots import Unavailable
from lib.wait import wait_until

ROOT = Path("/sys/fs/cgroup")
LIMIT = 256 << 20
JOIN = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


def limit(group):
    """Limits its memory, swap included, in either version of control groups."""
    for name, value in [("memory.limit_in_bytes", LIMIT), ("memory.memsw.limit_in_bytes", LIMIT), ("memory.max", LIMIT), ("memory.swap.max", 0)]:
        if (group / name).exists():
            (group / name).write_text(str(value))
    if not any((group / name).exists() for name in ("memory.limit_in_bytes", "memory.max")):
        raise OSError("no control of memory")


@pytest.fixture(name="group")
def limited_group():
    first = ROOT / "memory"
    group = (first if first.is_dir() else ROOT) / f"appsrv-test-{os.getpid()}"
    try:
        group.mkdir()
    except OSError as reason:
        raise Unavailable(f"no control group can be made: {reason}") from None
    try:
        try:
            limit(group)
        except OSError as reason:
            raise Unavailable(f"memory cannot be limited: {reason}") from None
        yield group
    finally:
        wait_until(lambda: not (group / "cgroup.procs").read_text(), 10, "all have gone")
        group.rmdir()


def test_kernel_is_told_from_an_administrator(start, group):
    with start("[server]\nworkers = 2\nthreads = 2\n", wrapper=("sh", "-c", JOIN, group)) as server:
        with contextlib.suppress(ConnectionError, Incomplete):
            server.ask("/keep?size=500000000")
        died = server.wait_for_line("EVENT=worker-died")
        assert "CAUSE=out-of-memory" in died and "SIGNAL=KILL" in died and "died: out of memory, signal KILL" in died
        wait_until(lambda: len(server.lines("EVENT=worker-ready")) == 3, 10, "it is replaced")
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        assert "CAUSE=signal" in server.wait_for_line("EVENT=worker-died", f"WORKER_PID={victim}")
        assert server.ask("/").status == 200
