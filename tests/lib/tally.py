# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts what became of each test, as a pytest plug-in: one outcome a test, however many of its phases failed."""


class Tally:
    """Passed, failed and skipped tests; what could not be collected counts as failed."""

    def __init__(self):
        self._outcomes = {}

    def pytest_collectreport(self, report):
        if report.outcome != "passed":
            self._note(report.nodeid, report.outcome)

    def pytest_runtest_logreport(self, report):
        # set-up and tear-down count only when they fail or skip
        if report.when == "call" or report.outcome != "passed":
            self._note(report.nodeid, report.outcome)

    def _note(self, name, outcome):
        if self._outcomes.get(name) != "failed":
            self._outcomes[name] = outcome

    def _count(self, outcome):
        return sum(1 for each in self._outcomes.values() if each == outcome)

    def closing_line(self):
        return ", ".join(f"{self._count(outcome)} {outcome}" for outcome in ("passed", "failed", "skipped"))

    def is_good(self):
        return self._count("passed") > 0 and self._count("failed") == 0
