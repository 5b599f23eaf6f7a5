# SPDX-License-Identifier: LGPL-2.1-or-later
"""The C unit programs: run one, and say what its end means."""
import signal

import pytest

from lib import builds
from lib.processes import finished

SECONDS = 60
# as tests/unit/skip.h has it
SKIPPED = 77


class UnitFailure(Exception):
    pass


def run_unit(program):
    """Runs a program that passes by ending with 0, and skips with its last line as the reason by ending with 77."""
    if not program.exists():
        raise UnitFailure(f"{program} is not built")
    done = finished([str(program)], SECONDS, text=True, errors="replace", env=builds.environment())
    if done.returncode == SKIPPED:
        pytest.skip(done.stdout.rstrip().rpartition("\n")[2] or "without a reason")
    if done.returncode != 0:
        raise UnitFailure(f"{program.name}: {ending(done.returncode)}\n{done.stdout}{done.stderr}")


def ending(status):
    return f"exit status {status}" if status >= 0 else f"killed by {signal.Signals(-status).name}"
