# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every test: two runs side by side, since most tests wait most of the time; then what failed once more, alone.

A test that fails beside others and passes alone is a test of a busy machine. It passes, and is named.
"""
import contextlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from lib.processes import die_with_parent
from lib.tally import Tally

SIDES = (("unit", "http"), ("system", "package"))
# more failures than that are no matter of a busy machine
AGAIN_AT_MOST = 6
SECONDS_TO_TIDY_UP = 30


class Run:
    """A run of some tests in a process of its own."""

    def __init__(self, arguments, tally, output=None):
        self.arguments = arguments
        self.tally = tally
        self.process = subprocess.Popen([sys.argv[0], *arguments], stdin=subprocess.DEVNULL, stdout=output,
                                        stderr=subprocess.STDOUT if output else None, preexec_fn=die_with_parent,
                                        env={**os.environ, "APPSRV_TALLY": str(self.tally)})

    def outcomes(self):
        """Waits for its end; {test: outcome}, with the run itself as a failed test when it did not get to its end."""
        status = self.process.wait()
        tally = Tally.read(self.tally)
        if status != (0 if tally.is_good() else 1):
            tally.outcomes[f"tests/run {' '.join(self.arguments)} (exit status {status})"] = "failed"
        return tally.outcomes

    def stop(self):
        # what was started in the background ignores an interrupt
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(SECONDS_TO_TIDY_UP)


def run_all(tests):
    """Runs all tests below the folder `tests` and returns their Tally."""
    tally = Tally()
    with tempfile.TemporaryDirectory(prefix="appsrv-tests-") as folder, tempfile.TemporaryFile() as output:
        runs = [Run(SIDES[0], Path(folder) / "shown"), Run(SIDES[1], Path(folder) / "kept", output)]
        try:
            for run in runs[:]:
                tally.outcomes.update(run.outcomes())
            print(f"\n== {' and '.join(SIDES[1])}, which ran beside the above", flush=True)
            output.seek(0)
            sys.stdout.buffer.write(output.read())
            failed = tally.failed()
            if 0 < len(failed) <= AGAIN_AT_MOST and all("::" in name for name in failed):
                print("\n== once more, alone: " + ", ".join(failed), flush=True)
                runs.append(Run([str(tests / name) for name in failed], Path(folder) / "again"))
                tally.outcomes.update(runs[-1].outcomes())
                print(*(f"{name} failed beside others and passed alone" for name in failed if name not in tally.failed()), sep="\n")
        except KeyboardInterrupt:
            for run in runs:
                run.stop()
            raise
    return tally
