# SPDX-License-Identifier: LGPL-2.1-or-later
"""A worker that runs CGI programs, good and bad ones, under valgrind: no error, no leak."""
from lib.client import Incomplete
from lib.cgi import compiled, processes_of
from lib.wait import wait_until
from test_valgrind import PATIENT, VALGRIND, check, skip_without_valgrind

TARGETS = ("answer", "errors", "error_flood", "nothing", "endless_head", "forks", "escapes", "fails", "loop", "short_stream")


def test_a_life_with_programs_leaks_nothing(start, build, tmp_path):
    skip_without_valgrind(build)
    program = compiled(build) / "unruly"
    config = (PATIENT.replace("workers = 2", "workers = 1\ngraceful_timeout = 2min") + f"[app cgi]\ntype = cgi\nprogram = {program}\nlinger = 500ms\nerror_limit = 10k\n"
              "env.A = b\n")
    with start(config, wrapper=VALGRIND) as server:
        for target in TARGETS:
            try:
                server.ask(f"/{target}", method="POST", body=b"x" * 100_000)
            except Incomplete:
                assert target == "short_stream"
        with server.connect() as connection:
            connection.send(b"GET /endless_body HTTP/1.1\r\nHost: a\r\n\r\n")
            connection.socket.recv(1000)
        wait_until(lambda: not processes_of(program), 20, "no program runs any more")
        [worker] = server.workers()
    check(tmp_path / f"valgrind.{worker}")
