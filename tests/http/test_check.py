# SPDX-License-Identifier: LGPL-2.1-or-later
"""`appsrv check`: every problem at once, of settings, sections and applications alike."""
import subprocess

import pytest


@pytest.fixture
def check(build, tmp_path):
    def run(text):
        config = tmp_path / "appsrv.ini"
        config.write_text(text, encoding="utf-8")
        return subprocess.run([build.program, "check", "-c", config], capture_output=True, text=True, check=False)
    return run


def test_problems_of_all_layers_come_together(check):
    done = check("[server]\nworkers = 0\n[app a]\ntype = natve\n[app b]\nmount = x\n[app c]\ntype = native\nmount = /c\n")
    assert done.returncode == 78
    lines = done.stderr.splitlines()
    for words in (":2: [server] workers", ":4: [app a] type: 'natve'", ":6: [app b] mount", ":5: [app b] type: missing",
                  ":7: [app c] path"):
        assert len([line for line in lines if words in line]) == 1, (words, done.stderr)
    assert len(lines) == 5


@pytest.mark.parametrize("application", ["refused_abi", "refused_entry", "refused_handle", "refused_host",
                                         "refused_symbol", "refused_tail"])
def test_application_that_cannot_be_loaded_is_located(check, build, application):
    done = check(f"[app good]\ntype = native\npath = {build.application('probe')}\n"
                 f"[app bad]\ntype = native\nmount = /bad\npath = {build.application(application)}\n")
    assert done.returncode == 78
    assert len(done.stderr.splitlines()) == 1 and "appsrv.ini:7: [app bad]" in done.stderr, done.stderr


def test_mistyped_key_of_an_application_is_found(check, build):
    done = check(f"[app a]\ntype = native\npath = {build.application('probe')}\ngreting = hello\n")
    assert done.returncode == 78 and ":4: " in done.stderr and "'greeting'" in done.stderr


def test_no_application_is_a_problem(check):
    done = check("[server]\nworkers = 1\n")
    assert done.returncode == 78 and "[app NAME]" in done.stderr


def test_good_configuration_says_so(check, build):
    done = check(f"[app a]\ntype = native\npath = {build.application('probe')}\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 application loaded" in done.stdout
