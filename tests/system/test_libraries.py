# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sources with the compiler and the libraries of another release than the one that runs the tests."""
import pytest

from lib import packages, roots


@pytest.mark.seconds(600)
@pytest.mark.parametrize("other", [suite for suite in roots.SUITES if suite != roots.own_suite()])
def test_compiles_without_a_warning_and_the_tests_that_need_no_systemd_pass(other):
    packages.run_tests(other)
