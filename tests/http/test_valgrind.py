# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole life of master and workers under valgrind: no error, no leak."""
import os
import re
import shutil
import signal

import pytest

from lib.wait import wait_until

# valgrind makes everything some thirty times slower
PATIENT = "[server]\nworkers = 2\nthreads = 2\nwatchdog = 1min\nstart_timeout = 2min\n"
VALGRIND = ("valgrind", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible", "--track-fds=no",
            "--child-silent-after-fork=no", "--log-file=valgrind.%p")


def skip_without_valgrind(build):
    if build.is_sanitized:
        pytest.skip("valgrind does not run sanitized programs; the sanitizers look for leaks themselves")
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")


def reload(server, config):
    server.write_config(config)
    told = len(server.states())
    server.signal(signal.SIGHUP)
    server.wait_for_state("READY=1", 60, after=told)


def check(log):
    text = log.read_text()
    assert re.search(r"ERROR SUMMARY: 0 errors", text), f"{log.name}\n{text[-5000:]}"
    for kind in ("definitely", "indirectly", "possibly"):
        assert re.search(rf"{kind} lost: 0 bytes", text) or "no leaks are possible" in text, text[-5000:]


def test_a_full_life_leaks_nothing(start, build, tmp_path):
    skip_without_valgrind(build)
    with start(PATIENT, wrapper=VALGRIND) as server:
        for _ in range(2):
            for target in ("/", "/echo?a=b", "/large?bytes=100000", "/nowhere", "/sleep?ms=20"):
                server.ask(target)
            assert server.ask("/log", method="POST", body=b"a\nb").status == 200
            assert server.exchange(b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")
            reload(server, PATIENT)
    logs = list(tmp_path.glob("valgrind.*"))
    # the master, and two workers of each of three generations
    assert len(logs) >= 7
    for log in logs:
        check(log)


def test_a_master_that_loses_workers_and_refuses_reloads_leaks_nothing(start, build, tmp_path):
    skip_without_valgrind(build)
    failing = PATIENT + f"[app probe]\ntype = native\npath = {build.application('probe')}\nstart_fail = 1\n"
    with start(PATIENT, wrapper=VALGRIND) as server:
        for _ in range(2):
            ready = len(server.lines("worker-ready"))
            os.kill(server.workers()[0], signal.SIGKILL)
            server.wait_for_line("worker-ready", seconds=60, after=ready)
            reload(server, "[server]\nworkers = none\n")
            reload(server, failing)
            wait_until(lambda: len(server.workers()) == 2, 60, "only those that serve")
        assert len(server.lines("reload-failed")) == 2
    check(tmp_path / f"valgrind.{server.process.pid}")
