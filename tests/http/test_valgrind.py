# SPDX-License-Identifier: LGPL-2.1-or-later
"""A whole life of master and workers under valgrind: no error, no leak."""
import re
import shutil
import signal

import pytest

# valgrind makes everything some thirty times slower
PATIENT = "[server]\nworkers = 2\nthreads = 2\nwatchdog = 1min\nstart_timeout = 2min\n"
VALGRIND = ("valgrind", "--leak-check=full", "--show-leak-kinds=definite,indirect,possible", "--track-fds=no",
            "--child-silent-after-fork=no", "--log-file=valgrind.%p")


def test_a_full_life_leaks_nothing(start, build, tmp_path):
    if build.is_sanitized:
        pytest.skip("valgrind does not run sanitized programs; the sanitizers look for leaks themselves")
    if shutil.which("valgrind") is None:
        pytest.skip("valgrind is not installed")
    with start(PATIENT, wrapper=VALGRIND) as server:
        for _ in range(2):
            for target in ("/", "/echo?a=b", "/large?bytes=100000", "/nowhere", "/sleep?ms=20"):
                server.ask(target)
            assert server.ask("/log", method="POST", body=b"a\nb").status == 200
            assert server.exchange(b"GET / HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 400")
            told = len(server.states())
            server.signal(signal.SIGHUP)
            server.wait_for_state("READY=1", 60, after=told)
    logs = list(tmp_path.glob("valgrind.*"))
    # the master, and two workers of each of three generations
    assert len(logs) >= 7
    for log in logs:
        text = log.read_text()
        assert re.search(r"ERROR SUMMARY: 0 errors", text), f"{log.name}\n{text[-5000:]}"
        for kind in ("definitely", "indirectly", "possibly"):
            assert re.search(rf"{kind} lost: 0 bytes", text) or "no leaks are possible" in text, text[-5000:]
