# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sources with the compiler and the libraries of another release than the one that runs the tests."""
import pytest

from lib import packages, roots


# what may be missing there: what has no part in how the libraries are used, or is no part of the release
SKIPPED = (
    "root may read everything",
    " is not installed",
    "libmicrohttpd 1.0 sends 100 only when the body is not there yet",
    "valgrind does not run sanitized programs; the sanitizers look for leaks themselves",
    "the sanitizer reports it in its own way, and aborts",
    "the sanitizer keeps what was freed",
    "a sanitizer wants to be the first that is loaded",
    "sanitizers have handlers of their own",
    "no control group can be made",
    "there is no debug build of Python",
    "no module httpbin",  # Debian 13 has none
)


@pytest.mark.seconds(900)
@pytest.mark.parametrize("other", [suite for suite in roots.SUITES if suite != roots.own_suite()])
def test_compiles_without_a_warning_and_the_tests_that_need_no_systemd_pass(other):
    reasons = packages.run_tests(other)
    assert [reason for reason in reasons if not any(known in reason for known in SKIPPED)] == []
