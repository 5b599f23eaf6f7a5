# SPDX-License-Identifier: LGPL-2.1-or-later
"""Python projects as the distribution has them: whether they are here, what their programs say, and Gunicorn to compare with."""
import contextlib
import functools
import os
import subprocess
from pathlib import Path

from lib.client import Server
from lib.processes import die_with_parent, finished
from lib.roots import Unavailable
from lib.serving import SECONDS_TO_START, SECONDS_TO_STOP, free_port
from lib.wait import wait_until

PYTHON = "/usr/bin/python3"
SECONDS_A_COMMAND = 60


def need(package, module):
    """Skips without the distribution's package; what else this Python may find does not count."""
    if not has(module):
        raise Unavailable(f"no module {module} for {PYTHON}: install the package {package}")


@functools.lru_cache(maxsize=None)
def has(module):
    return finished([PYTHON, "-c", f"import {module}"], SECONDS_A_COMMAND, env=clean()).returncode == 0


def python(*arguments, folder=None, **variables):
    """What the distribution's Python prints."""
    done = finished([PYTHON, *map(str, arguments)], SECONDS_A_COMMAND, cwd=folder, env=clean(**variables), text=True)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def clean(**more):
    """Without what a developer's shell has for Python and for the projects."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "DJANGO", "FLASK", "RADICALE", "GUNICORN"))}
    return {**mine, "PYTHONDONTWRITEBYTECODE": "1", **more}


@contextlib.contextmanager
def gunicorn(target, folder):
    """A Server: the application in a Gunicorn with threads, on a free port of the loopback interface."""
    server = Server(free_port())
    output = Path(folder) / "gunicorn"
    with open(output, "wb") as file:
        process = subprocess.Popen(
            [PYTHON, "-m", "gunicorn", "--worker-class", "gthread", "--threads", "4", "--bind", "{}:{}".format(*server.address), target],
            cwd=folder, env=clean(), stdin=subprocess.DEVNULL, stdout=file, stderr=file, preexec_fn=die_with_parent)

    def answers():
        assert process.poll() is None, output.read_text(encoding="utf-8")
        with contextlib.suppress(OSError):
            return server.ask("/").status
        return None
    try:
        wait_until(answers, SECONDS_TO_START, "Gunicorn answers")
        yield server
    finally:
        process.terminate()
        process.wait(SECONDS_TO_STOP)
