# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests to an application in Python leave nothing behind: no object, no reference, no byte.

APPSRV_LEAK_REQUESTS: how many requests the last test makes, if not 100,000, or 10,000 under a sanitizer (make wsgi-leaks:
1,600,000, 100,000 of each kind).
"""
import os
import re
import shutil
import statistics
import subprocess

import pytest

from lib import builds
from lib.client import Incomplete
from lib.processes import memory_of
from lib.serving import Serving
from test_wsgi import application, the_plugin  # noqa: F401  pylint: disable=unused-import

FAULTS = application("faults", "faults:app")
ONE = "[server]\nworkers = 1\nthreads = {threads}\n[log]\nlevel = {level}\n"
DEMANDED = "APPSRV_LEAK_REQUESTS" in os.environ
REQUESTS = int(os.environ.get("APPSRV_LEAK_REQUESTS", "100000"))
UNDER_SANITIZER = REQUESTS if DEMANDED else 10_000

# until every buffer has had its largest request, and malloc its arenas
WARM_UP = 30_000

# bytes a request, between the first and the last third: the smallest block of malloc is 32, and pages come four kilobytes at once
CHANCE = 4

# bytes in all, by which what is in use differs between two quiet moments
FEW = 8192

# what is asked, and with what body; what is cut in the middle gives no whole answer
KINDS = [("/whole", None), ("/parts", None), ("/generates", None), ("/writes", None), ("/reads", b"one\ntwo and more\nthree\nrest" * 20),
         ("/headers", None), ("/fails", None), ("/fails_late", None), ("/is_wrong", None), ("/logs", None), ("/logs_many_names", None),
         ("/file", None), ("/file_part", None), ("/raises?what=unspeakable", None), ("/raises_in_close?what=chain", None),
         ("/nowhere", None), ("abort", None)]


def ask(server, target, body):
    with server.connect() as connection:
        if target == "abort":  # the client leaves in the middle of a large response
            connection.send(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.socket.recv(1000)
            return
        try:
            connection.ask(target, method="POST" if body else "GET", body=body, headers=[("X-Given", "a value"), ("Cookie", "a=1; b=2")])
        except Incomplete:
            assert target == "/fails_late"


def in_use(server, what=""):
    """Blocks of Python objects, bytes of malloc, references (0 where they are not counted)."""
    return [int(word) for word in server.ask(f"/counters{what}").body.split()]


def leaks(server, target, body, requests):
    """Whether every try leaves something: what the first ones add (caches, free lists) a longer one does not."""
    grown = []
    for factor in (1, 2, 4, 8):
        before = in_use(server)
        for _ in range(requests * factor):
            ask(server, target, body)
        blocks, size, references = ((now - then) / requests / factor for then, now in zip(before, in_use(server)))
        grown.append((blocks, size, references))
        if blocks < 0.5 and size < 16 and references < 0.5:
            return None
    return grown


def leave_nothing_behind(server, requests):
    for target, body in KINDS:
        for _ in range(requests):
            ask(server, target, body)
    leaking = {target: grown for target, body in KINDS if (grown := leaks(server, target, body, requests))}
    assert not leaking, leaking
    assert not server.lines("EVENT=worker-died")


def test_requests_leave_nothing_behind(build, tmp_path):
    with Serving(build, tmp_path, ONE.format(threads=1, level="info") + FAULTS) as server:
        leave_nothing_behind(server, 40 if build.is_sanitized else 100)


def test_attributes_are_not_asked_for_by_new_strings(build, tmp_path):
    """Python's cache of what types have would keep each of them, in the place of one that the application needs."""
    if "address" not in build.name:
        pytest.skip("no build with AddressSanitizer, whose malloc gives each string another place")
    with Serving(build, tmp_path, ONE.format(threads=1, level="info") + FAULTS) as server:
        for target in ("/file_part", "/generates"):
            for _ in range(100):
                ask(server, target, None)
            before = in_use(server, "?names")[1]
            for _ in range(200):
                ask(server, target, None)
            assert (in_use(server, "?names")[1] - before) / 200 < 16, target  # "close" has 54 bytes


def test_leak_sanitizer_finds_nothing(build, tmp_path):
    """In the living worker, whose interpreter is never finalised: what it holds is in reach, what is not is lost."""
    if "address" not in build.name:
        pytest.skip("no build with AddressSanitizer")
    # LeakSanitizer of gcc 12 crashes on the thread-local memory of plug-ins when it keeps account of it itself
    options = builds.SANITIZERS["ASAN_OPTIONS"] + ":intercept_tls_get_addr=0"
    with Serving(build, tmp_path, ONE.format(threads=2, level="info") + FAULTS, wrapper=("env", f"ASAN_OPTIONS={options}")) as server:
        for target, body in KINDS * 5:
            ask(server, target, body)
        assert server.ask("/leaks").body == b"0", server.output()[-5000:]
        assert server.ask("/loses").body == b"1"  # it does look
        server.wait_for_line("SUMMARY: AddressSanitizer")  # the last one of its report, which comes by a pipe
        server.output_file.write_text("")


# -- many requests -----------------------------------------------------------------------------------

WRK = """
local kinds, at = {}, 0
init = function()
    kinds = {%s}
end
request = function()
    at = at %% #kinds + 1
    return kinds[at]
end
"""


def lua_of(target, body):
    if body:
        return f'wrk.format("POST", "{target}", nil, "{body.decode()}")'.replace("\n", "\\n")
    return f'wrk.format("GET", "{target}")'


def kinds_script(folder):
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed")
    script = folder / "kinds.lua"
    script.write_text(WRK % ", ".join(lua_of(*kind) for kind in KINDS if kind[0] != "abort"))
    return script


def load(server, script, seconds):
    """Requests of all kinds, as fast as they come, from eight connections. Returns how many were answered."""
    done = subprocess.run(["wrk", "--threads", "1", "--connections", "8", "--duration", f"{seconds}s", "--script", str(script),
                           "http://{}:{}/".format(*server.address)], capture_output=True, text=True, check=True)
    answered, failed = (int(re.search(pattern, done.stdout)[1]) for pattern in (r"(\d+) requests in", r"Non-2xx or 3xx responses: (\d+)"))
    assert 0.2 < failed / answered < 0.4, done.stdout  # as many as there are kinds that fail
    return answered


def stays_flat(build, folder, options):
    """The memory of a worker does not grow with the requests that it answers, of all kinds."""
    script = kinds_script(folder)
    with Serving(build, folder, ONE.format(threads=4, level="warning") + "access = errors\n" + FAULTS, wrapper=("env", *options)) as server:
        [worker] = server.workers()
        warm = 0
        while warm < WARM_UP:
            warm += load(server, script, 1)
        done, rounds = 0, [(0, memory_of(worker, "RssAnon") * 1024)]
        while done < REQUESTS or len(rounds) < 6:
            for _ in range(10):
                ask(server, "abort", None)
            done += load(server, script, 1)
            rounds.append((done, memory_of(worker, "RssAnon") * 1024))
        assert server.workers() == [worker]
        third = len(rounds) // 3
        (before, small), (after, large) = (map(statistics.median, zip(*part)) for part in (rounds[:third], rounds[-third:]))
        assert large - small < CHANCE * (after - before), rounds
    server.output_file.unlink()  # some hundred bytes a request


def live_bytes(server):
    """Of malloc, without what a thread that still ends a request of before has."""
    return min(in_use(server)[1] for _ in range(20))


def keeps_no_byte(build, folder):
    """A sanitizer keeps memory that was freed, so that pages say nothing; its own account of what is in use is exact."""
    script = kinds_script(folder)
    options = builds.SANITIZERS["ASAN_OPTIONS"] + ":quarantine_size_mb=1:thread_local_quarantine_size_kb=64"
    with Serving(build, folder, ONE.format(threads=4, level="warning") + "access = errors\n" + FAULTS,
                 wrapper=("env", f"ASAN_OPTIONS={options}")) as server:
        [worker] = server.workers()
        made, marks = 0, []
        for part in (0.2, 0.6, 1):  # at the first one caches are full
            while made < UNDER_SANITIZER * part:
                made += load(server, script, 1)
                for _ in range(10):
                    ask(server, "abort", None)
            marks.append((made, live_bytes(server)))
        assert server.workers() == [worker]
        assert marks[-1][1] - min(live for _, live in marks) < FEW, marks
        assert server.ask("/keeps").status == 200 and live_bytes(server) - marks[-1][1] > FEW  # it does count
        print(f"{build.name}: (requests, bytes in use): {marks}")
    server.output_file.unlink()


@pytest.mark.seconds(1800)
def test_memory_is_flat_over_many_requests(build, tmp_path):
    if "address" in build.name:
        keeps_no_byte(build, tmp_path)
    elif build.is_sanitized:
        pytest.skip("the sanitizer keeps what was freed, and account of what it is")
    else:
        stays_flat(build, tmp_path, ["MALLOC_ARENA_MAX=1"])
