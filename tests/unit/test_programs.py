# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the end of a unit program means."""
import pytest

from lib.programs import UnitFailure, run_unit


@pytest.fixture
def program(tmp_path):
    def write(commands):
        path = tmp_path / "test_some"
        path.write_text(f"#!/bin/sh\n{commands}\n", encoding="ascii")
        path.chmod(0o755)
        return path
    return write


def test_program_that_ends_with_0_passes(program):
    run_unit(program("echo some words; exit 0"))


def test_program_that_ends_with_77_is_a_skip_that_says_why(program):
    with pytest.raises(pytest.skip.Exception) as skipped:
        run_unit(program("echo what it did; echo not allowed to; exit 77"))
    assert skipped.value.msg == "not allowed to"


@pytest.mark.parametrize("commands, text", [("echo some words; exit 1", "exit status 1\nsome words"),
                                            ("exit 78", "exit status 78"), ("kill -ABRT $$", "killed by SIGABRT")])
def test_any_other_end_fails_and_is_told(program, commands, text):
    with pytest.raises(UnitFailure, match=text):
        run_unit(program(commands))


def test_program_that_is_not_there_fails(tmp_path):
    with pytest.raises(UnitFailure, match="not built"):
        run_unit(tmp_path / "test_none")
