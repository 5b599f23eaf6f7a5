# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all tests share: the C unit programs as test items, a time limit for each test, logs beside a failure."""
import signal

import pytest

from lib import builds
from lib.programs import UnitFailure, run_unit
from lib.roots import Unavailable

SECONDS_A_TEST = 150


# -- C unit tests ------------------------------------------------------------

def pytest_collect_file(file_path, parent):
    if file_path.suffix == ".c" and file_path.name.startswith("test_") and file_path.parent.name == "unit":
        return UnitSource.from_parent(parent, path=file_path)
    return None


class UnitSource(pytest.File):
    """tests/unit/test_*.c: one program in each build."""

    def collect(self):
        for build in builds.chosen():
            yield UnitProgram.from_parent(self, name=f"{self.path.stem}[{build.name}]", build=build)


class UnitProgram(pytest.Item):
    """One of them."""

    def __init__(self, *, build, **rest):
        super().__init__(**rest)
        self.build = build
        self.program = build.unit(self.path.stem)

    def runtest(self):
        if self.build.missing():
            pytest.skip(self.build.missing())
        run_unit(self.program)

    def repr_failure(self, excinfo, style=None):
        return str(excinfo.value) if excinfo.errisinstance(UnitFailure) else super().repr_failure(excinfo, style)

    def reportinfo(self):
        return self.path, None, self.name


# -- every test ----------------------------------------------------------------

class TooLong(BaseException):
    """Not an Exception, so that no test takes it for what it waits for."""


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    marker = item.get_closest_marker("seconds")
    seconds = marker.args[0] if marker else SECONDS_A_TEST

    def expired(*_):
        raise TooLong(f"{item.name}: over {seconds} s")

    before = signal.signal(signal.SIGALRM, expired)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    # a machine that cannot run containers skips; what a container then does wrong fails
    if call.excinfo is not None and call.excinfo.errisinstance(Unavailable):
        report.outcome = "skipped"
        report.longrepr = (__file__, 0, f"Skipped: {call.excinfo.value}")
    if report.failed:
        for name, fixture in getattr(item, "funcargs", {}).items():
            if hasattr(fixture, "report"):
                report.sections.append((name, fixture.report()))


