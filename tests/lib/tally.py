# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts what became of each test, as a pytest plug-in: one outcome a test, however many of its phases failed."""
import json


class Tally:
    """Passed, failed and skipped tests; what could not be collected counts as failed."""

    def __init__(self):
        self.outcomes = {}

    def pytest_collectreport(self, report):
        if report.outcome != "passed":
            self._note(report.nodeid, report.outcome)

    def pytest_runtest_logreport(self, report):
        # set-up and tear-down count only when they fail or skip
        if report.when == "call" or report.outcome != "passed":
            self._note(report.nodeid, report.outcome)

    def _note(self, name, outcome):
        if self.outcomes.get(name) != "failed":
            self.outcomes[name] = outcome

    def _count(self, outcome):
        return sum(1 for each in self.outcomes.values() if each == outcome)

    def failed(self):
        return [name for name, outcome in self.outcomes.items() if outcome == "failed"]

    def closing_line(self):
        return ", ".join(f"{self._count(outcome)} {outcome}" for outcome in ("passed", "failed", "skipped"))

    def is_good(self):
        return self._count("passed") > 0 and not self.failed()

    def write(self, path):
        path.write_text(json.dumps(self.outcomes), encoding="utf-8")

    @classmethod
    def read(cls, path):
        """What write() wrote; nothing where a run did not get as far."""
        tally = cls()
        if path.exists():
            tally.outcomes = json.loads(path.read_text(encoding="utf-8"))
        return tally
