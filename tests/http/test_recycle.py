# SPDX-License-Identifier: LGPL-2.1-or-later
"""Workers that have served enough: a fresh one takes over from each, one after the other, and no client notices."""
import contextlib
import re

from lib.client import Load
from lib.processes import has_ended
from lib.roots import Unavailable
from lib.wait import wait_until

CONFIG = "[server]\nworkers = {workers}\nthreads = 2\nwatchdog = 1s\ngraceful_timeout = 5s\n{limits}\n"
BROKEN = "import module_that_nobody_has\n"
WORKING = """
def app(_environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served"]
"""


def config(limits, workers=2):
    return CONFIG.format(limits=limits, workers=workers)


def living(server):
    """Processes of workers, without those whose end the master is about to take note of."""
    return sum(not has_ended(pid) for pid in server.workers())


def recycled(server):
    return server.lines("EVENT=worker-recycled")


def number(line, field):
    return int(re.search(rf"{field}=(\d+)", line)[1])


def test_by_requests_under_load_nobody_notices(start):
    with start(config("max_requests = 300\nmax_requests_jitter = 200")) as server:
        first = server.workers()
        most = []
        with Load(server, threads=2) as load, Load(server, threads=2, keep_alive=True) as lasting:
            wait_until(lambda: most.append(living(server)) or len(recycled(server)) >= 4, 30, "four were recycled")
            load.wait_for_answers(20)
            lasting.wait_for_answers(20)
            load.stop()
            lasting.stop()
        assert not load.failed + lasting.failed, (load.failed + lasting.failed)[:3]
        wait_until(lambda: len(server.workers()) == 2 and not set(first) & set(server.workers()), 15, "all are fresh")
        assert max(most) <= 3, "more than one was out"
        assert not server.lines("EVENT=worker-died") and not server.lines("EVENT=drain-timeout")
        for line in recycled(server):
            assert "REASON=max_requests" in line and number(line, "REQUEST_COUNT") >= 300
            assert number(line, "AGE_USEC") > 0 and number(line, "MEMORY_BYTES") > 0


def test_successor_is_ready_first_and_the_old_one_drains(start, build):
    limits = config("max_requests = 3", workers=1)
    delayed = f"[app probe]\ntype = native\npath = {build.application('probe')}\nstart_delay_ms = 1000\n"
    with start(limits + delayed) as server:
        [worker] = server.workers()
        for _ in range(3):
            server.ask("/")
        wait_until(lambda: len(server.workers()) == 2, 10, "a successor starts")
        with server.connect() as long:
            long.send(b"GET /sleep?ms=1500 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert int(server.ask("/pid").body) == worker, "it serves on until its successor is ready"
            told = server.wait_for_line("EVENT=worker-recycled")
            assert f"WORKER_PID={worker}" in told
            assert int(server.ask("/pid").body) != worker
            assert long.receive().status == 200
        wait_until(lambda: worker not in server.workers(), 10, "it has gone")
        server.wait_for_line("EVENT=worker-exited", f"WORKER_PID={worker}")
        order = [line for line in server.output().splitlines() if "EVENT=worker-" in line]
        names = [re.search(r"EVENT=(worker-\w+)", line)[1] for line in order]
        assert names[:5] == ["worker-started", "worker-ready", "worker-started", "worker-ready", "worker-recycled"]


def test_by_memory_only_when_it_stays_above(start):
    with start(config("max_memory = 64m", workers=1)) as server:
        [worker] = server.workers()
        server.ask("/large?size=100000000")  # one large answer is no leak
        for _ in range(8):
            server.ask("/keep?size=1000000")
        assert server.workers() == [worker] and not recycled(server)
        server.ask("/keep?size=100000000")
        line = wait_until(lambda: server.ask("/") and recycled(server), 15, "it is recycled")[0]
        assert "REASON=max_memory" in line and number(line, "MEMORY_BYTES") > 64 << 20
        wait_until(lambda: server.workers() and worker not in server.workers(), 15, "it has gone")
        server.ask("/")
        assert len(recycled(server)) == 1


def test_by_age_also_when_there_is_nothing_to_do(start):
    with start(config("max_age = 2s")) as server:
        first = server.workers()
        wait_until(lambda: len(recycled(server)) >= 2, 15, "both are recycled")
        assert all("REASON=max_age" in line and number(line, "AGE_USEC") >= 2_000_000 for line in recycled(server))
        wait_until(lambda: not set(first) & set(server.workers()), 15, "both have gone")


def test_successor_that_cannot_start_leaves_the_old_one_serving(start, build, tmp_path):
    if not (build.program.parent / "wsgi.so").exists():
        raise Unavailable("this build has no wsgi.so")
    module = tmp_path / "shop.py"
    module.write_text(WORKING)
    with start(config("max_age = 2s", workers=1) + f"[app shop]\ntype = wsgi\nmodule = shop:app\nchdir = {tmp_path}\n") as server:
        [worker] = server.workers()
        module.write_text(BROKEN)
        with Load(server, threads=2) as load:
            wait_until(lambda: len(server.lines("EVENT=worker-backoff")) >= 2, 20, "two tries")
            load.stop()
        assert not load.failed and worker in server.workers() and not recycled(server)
        with contextlib.suppress(FileNotFoundError):
            module.unlink()
        module.write_text(WORKING)
        wait_until(lambda: recycled(server), 20, "it is tried again, with success")
        wait_until(lambda: server.workers() and worker not in server.workers(), 10, "it has gone")
        assert server.ask("/").body == b"served"
