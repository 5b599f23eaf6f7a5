# SPDX-License-Identifier: LGPL-2.1-or-later
"""A control group of the test's own, in either version of control groups, for what the kernel limits only there."""
import contextlib
import os
from pathlib import Path

from lib.roots import Unavailable
from lib.wait import wait_until

ROOT = Path("/sys/fs/cgroup")
JOIN = 'echo $$ > "$0/cgroup.procs" && exec "$@"'


class Group:
    """What is started with `wrapper` is in it."""

    def __init__(self, folder):
        self.folder = folder
        self.wrapper = ("sh", "-c", JOIN, folder)

    def limit(self, **values):
        """Sets those of the files that there are, a dot in a name being two underscores; one at least."""
        known = [(self.folder / name.replace("__", "."), value) for name, value in values.items()]
        known = [(path, value) for path, value in known if path.exists()]
        if not known:
            raise Unavailable(f"nothing is limited by {', '.join(values)} here")
        for path, value in known:
            path.write_text(f"{value}\n")


@contextlib.contextmanager
def group(controller):
    """A Group that has this controller, until all of it has ended."""
    first = ROOT / controller
    folder = (first if first.is_dir() else ROOT) / f"appsrv-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as reason:
        raise Unavailable(f"no control group can be made: {reason}") from None
    try:
        yield Group(folder)
    finally:
        wait_until(lambda: not (folder / "cgroup.procs").read_text(), 10, "all have gone")
        folder.rmdir()
