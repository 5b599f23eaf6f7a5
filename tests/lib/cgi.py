# SPDX-License-Identifier: LGPL-2.1-or-later
"""CGI programs of the tests: where they are, and the processes that run them."""
import contextlib
import os
from pathlib import Path

from lib import builds

SCRIPTS = builds.TOP / "tests/apps/cgi"


def compiled(build):
    return build.path / "tests/apps/cgi"


def processes_of(program):
    """The pids of all living processes that execute a file."""
    found = []
    for folder in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if folder.name.isdigit() and os.readlink(folder / "exe") == str(program):
                found.append(int(folder.name))
    return found


def variables(answer):
    """What show.sh and its like have printed: the environment and the body."""
    environment, body = answer.body.split(b"\n\n", 1)
    return dict(line.split(b"=", 1) for line in environment.split(b"\n")), body
