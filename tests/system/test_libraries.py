# SPDX-License-Identifier: LGPL-2.1-or-later
"""The sources with the compiler and the libraries of each suite."""
from lib import packages


def test_compiles_without_a_warning_and_unit_tests_pass(suite):
    packages.run_unit_tests(suite)
