# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sources with the compiler and the libraries of each suite."""
from lib import packages


def test_compiles_without_a_warning_and_the_tests_that_need_no_systemd_pass(suite):
    packages.run_tests(suite)
