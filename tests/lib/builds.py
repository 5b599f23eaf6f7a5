# SPDX-License-Identifier: LGPL-2.1-or-later
"""The builds of the project that unit and http tests run."""
import os
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
USUAL = ("build/default", "build/address-undefined")

# a finding ends the program at once, with an exit status that no test takes for a pass
SANITIZERS = {
    "ASAN_OPTIONS": "abort_on_error=1:detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "halt_on_error=1:abort_on_error=1:print_stacktrace=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}


class Build:
    """One build/<flavour>/ folder."""

    def __init__(self, path):
        self.path = (TOP / path).resolve()
        self.name = self.path.name
        self.program = self.path / "appsrv"

    def unit(self, name):
        return self.path / "tests" / "unit" / name

    def application(self, name):
        """A test application out of tests/apps, or an example of packaging/examples."""
        tested = self.path / "tests" / "apps" / f"{name}.so"
        return tested if tested.exists() else self.path / f"{name}.so"

    @property
    def is_sanitized(self):
        return any(word in self.name for word in ("address", "undefined", "thread"))

    def missing(self):
        """Why nothing of this build can be run, or None."""
        if self.program.exists():
            return None
        flavour = "" if self.name == "default" else f" SAN={self.name.replace('-', ',')}"
        return f"build/{self.name} is not built: make test-programs{flavour}"


def chosen():
    """The builds to test: the one that APPSRV_BUILD names, or the usual ones."""
    named = os.environ.get("APPSRV_BUILD")
    return [Build(named)] if named else [Build(path) for path in USUAL]


def environment(**more):
    return {**os.environ, **SANITIZERS, **more}
