# SPDX-License-Identifier: LGPL-2.1-or-later
"""The master at the edges of its life: starts that fail, signals at the wrong time, watchdogs, sockets and what workers inherit."""
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lib import builds
from lib.client import Load
from lib.processes import descriptors
from lib.serving import Serving
from lib.wait import wait_until

ACTIVATE = Path(builds.__file__).with_name("activate.py")
WORKERS = "[server]\nworkers = 2\nthreads = 2\nwatchdog = 1s\ngraceful_timeout = 3s\n"
# what takes too long is not taken for what hangs
PATIENT = WORKERS.replace("watchdog = 1s", "watchdog = 30s").replace("3s", "0")


def application(build, *keys):
    return f"[app probe]\ntype = native\npath = {build.application('probe')}\n" + "".join(f"{key}\n" for key in keys)


def ended(build, folder, config, seconds=30):
    """Serves a configuration that cannot be served, until the master gives up."""
    server = Serving(build, folder, config)
    done = subprocess.run(server.command, capture_output=True, text=True, timeout=seconds, check=False,
                          env=builds.environment(RUNTIME_DIRECTORY=str(folder)))
    return done.returncode, done.stderr


# -- starts that fail ----------------------------------------------------------

def test_start_is_given_up_after_five_deaths_with_growing_pauses(build, tmp_path):
    begun = time.monotonic()
    status, told = ended(build, tmp_path, "[server]\nworkers = 1\n" + application(build, "start_exit = 1"))
    assert status == 70, told
    assert told.count("EVENT=worker-died") == 5 and told.count("EVENT=worker-backoff") == 4
    assert "EXIT_CODE=1" in told and "master-ready" not in told
    assert time.monotonic() - begun >= 0.1 + 0.2 + 0.4 + 0.8


def test_application_that_cannot_start_ends_the_start_with_78(build, tmp_path):
    status, told = ended(build, tmp_path, "[server]\nworkers = 1\n" + application(build, "start_fail = 1"))
    assert status == 78, told
    assert told.count("EVENT=app-failed") == 1 and "start() failed" in told


def test_application_that_cannot_be_loaded_ends_the_start_with_78_and_its_line(build, tmp_path):
    config = f"[server]\nworkers = 1\n[app bad]\ntype = native\npath = {build.application('refused_symbol')}\n"
    status, told = ended(build, tmp_path, config)
    assert status == 78, told
    assert "EVENT=app-failed" in told and "appsrv.ini:5: [app bad]" in told


def test_start_that_takes_too_long_is_aborted(build, tmp_path):
    config = "[server]\nworkers = 1\nstart_timeout = 1s\n" + application(build, "start_delay_ms = 60000")
    server = Serving(build, tmp_path, config)
    with open(tmp_path / "told", "wb") as output:
        process = subprocess.Popen(server.command, stderr=output, env=builds.environment(RUNTIME_DIRECTORY=str(tmp_path)))
    try:
        told = wait_until(lambda: "EVENT=worker-died" in (tmp_path / "told").read_text() and (tmp_path / "told").read_text(),
                          20, "the worker is aborted")
        assert "EVENT=worker-hung" in told and "SIGNAL=ABRT" in told
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()


# -- signals at the wrong time ---------------------------------------------------

def test_terminated_while_starting_it_ends_at_once(build, tmp_path):
    server = Serving(build, tmp_path, WORKERS + application(build, "start_delay_ms = 20000"))
    process = subprocess.Popen(server.command, stderr=subprocess.PIPE, text=True,
                               env=builds.environment(RUNTIME_DIRECTORY=str(tmp_path)))
    try:
        for line in process.stderr:
            if "worker-started" in line:
                break
        process.terminate()
        rest = process.stderr.read()
        assert process.wait(10) == 0
        assert "worker-died" not in rest
    finally:
        process.kill()
        process.wait()


def test_reloads_that_come_together_end_in_the_last_configuration(start):
    with start(WORKERS) as server:
        told = len(server.states())
        server.signal(signal.SIGHUP)
        server.write_config(WORKERS.replace("workers = 2", "workers = 4"))
        for _ in range(5):
            server.signal(signal.SIGHUP)
        wait_until(lambda: len(server.workers()) == 4, 20, "four workers")
        wait_until(lambda: server.states()[told:].count("READY=1") == server.states()[told:].count("RELOADING=1"), 10,
                   "each reload is over")
        assert server.ask("/").status == 200


def test_reload_while_starting_comes_after_the_start(start, build):
    server = start(WORKERS + application(build, "start_delay_ms = 1000"))
    begun = []

    class Early(Serving):
        def wait_for_state(self, state, seconds=30, after=0):
            if not begun:
                begun.append(True)
                self.wait_for_line("worker-started")
                self.write_config(WORKERS.replace("workers = 2", "workers = 3"))
                self.signal(signal.SIGHUP)
            super().wait_for_state(state, seconds, after)

    server.__class__ = Early
    with server:
        wait_until(lambda: len(server.workers()) == 3, 20, "the second configuration")
        assert server.states().count("RELOADING=1") == 1


def test_stop_while_reloading_ends_all(start, build):
    with start(WORKERS) as server:
        server.write_config(WORKERS + application(build, "start_delay_ms = 20000"))
        server.signal(signal.SIGHUP)
        server.wait_for_line("reload-started")
        assert server.stop() == 0


def test_worker_that_is_told_to_end_is_replaced_and_nobody_notices(start):
    with start(WORKERS) as server:
        victim = server.workers()[0]
        with Load(server, threads=4) as load:
            load.wait_for_answers(20)
            os.kill(victim, signal.SIGTERM)
            wait_until(lambda: victim not in server.workers() and len(server.workers()) == 2, 10, "replaced")
            load.wait_for_answers(20)
            load.stop()
        assert not load.failed, load.failed[:3]
        server.wait_for_line("worker-exited", f"WORKER_PID={victim}")
        assert not server.lines("worker-died")


def test_ready_is_told_again_when_the_queue_was_full(start, build):
    with start(WORKERS.replace("watchdog = 1s", "watchdog = 3s")) as server:
        # more workers than a queue of ten messages (net.unix.max_dgram_qlen) has room for
        many = "[server]\nworkers = 16\nthreads = 1\nwatchdog = 3s\n[log]\nlevel = debug\n"
        server.write_config(many + application(build, "start_delay_ms = 500"))
        told = len(server.states())
        server.signal(signal.SIGHUP)
        wait_until(lambda: len(server.lines("worker-started", "GENERATION=2")) == 16, 20, "all are forked")
        server.signal(signal.SIGSTOP)
        wait_until(lambda: len(server.lines("probe started", "GENERATION=2")) == 16, 20, "all are loaded")
        server.signal(signal.SIGCONT)
        server.wait_for_state("READY=1", 10, after=told)
        assert len(server.lines("worker-ready", "GENERATION=2")) == 16


# -- the master's own beat ---------------------------------------------------------

def test_beats_only_while_somebody_serves(start):
    with start(WORKERS.replace("watchdog = 1s", "watchdog = 10s"), wrapper=("env", "WATCHDOG_USEC=200000")) as server:
        for _ in range(3):
            told = len(server.states())
            server.wait_for_state("WATCHDOG=1", 5, after=told)
        victims = server.workers()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        server.wait_for_line("worker-ready", after=3)
        told = len(server.states())
        server.wait_for_state("WATCHDOG=1", 5, after=told)


def test_does_not_beat_while_nobody_serves(start, build):
    config = WORKERS + application(build)
    with start(config, wrapper=("env", "WATCHDOG_USEC=200000")) as server:
        # from now on a worker cannot become ready, and those that serve die
        server.write_config(WORKERS + application(build, "start_delay_ms = 3000"))
        told = len(server.states())
        server.signal(signal.SIGHUP)
        server.wait_for_state("READY=1", 20, after=told)
        for pid in server.workers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: len(server.lines("SIGNAL=KILL")) >= 2, 10, "both are dead")
        server.states()
        told = len(server.states())
        server.wait_for_line("worker-ready", after=5, seconds=20)
        dead_time = server.states()[told:]
        # a beat may have been on the way, and one may follow the first worker that is ready again
        assert dead_time.count("WATCHDOG=1") <= 3, dead_time


def test_status_tells_workers_and_load(start):
    with start(WORKERS) as server:
        with Load(server, threads=2) as load:
            load.wait_for_answers(10)
            wait_until(lambda: [state for state in server.states() if state.startswith("STATUS=2 workers (")
                                and " req/s, p99 " in state and state.endswith("backlog 0, log ok")
                                and " 0 req/s" not in state], 10, "a status with a rate and a latency")
            load.stop()


# -- sockets -------------------------------------------------------------------------

def test_passed_socket_wins_over_listen(build, tmp_path):
    server = Serving(build, tmp_path, WORKERS)
    server.command = [sys.executable, "-B", ACTIVATE, *map(str, server.address), "http", *server.command]
    server.command[server.command.index("--listen") + 1] = "127.0.0.1:1"
    with server:
        assert server.ask("/").status == 200
        assert len(server.lines("EVENT=listening")) == 1


def test_unix_socket_and_several_addresses(start, tmp_path):
    path = tmp_path / "web"
    with start(WORKERS, arguments=("--listen", path)) as server:
        assert server.ask("/").status == 200
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            client.sendall(b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 ") and b"peer: unix" in answer
        server.wait_for_line("REMOTE_ADDR=unix")
    assert not path.exists()


def test_address_that_is_taken_is_69_and_nonsense_78(build, tmp_path):
    server = Serving(build, tmp_path, WORKERS)
    with socket.create_server(server.address):
        done = subprocess.run(server.command, capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 69 and "{}:{}".format(*server.address) in done.stderr
    server.command[server.command.index("--listen") + 1] = "nonsense"
    done = subprocess.run(server.command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 78 and "nonsense" in done.stderr


# -- what workers inherit --------------------------------------------------------------

def test_workers_have_nothing_of_the_masters(start):
    with start(WORKERS, wrapper=("env", "WATCHDOG_USEC=10000000", "LISTEN_PID=1", "LISTEN_FDS=1")) as server:
        for pid in server.workers():
            environment = dict(entry.split("=", 1) for entry in
                               Path(f"/proc/{pid}/environ").read_text(encoding="utf-8").split("\0") if "=" in entry)
            assert environment  # what the kernel shows is that of the exec, so the descriptors tell the rest
            links = list(descriptors(pid).values())
            assert not [link for link in links if "pidfd" in link or "[timerfd]" in link or "[signalfd]" in link]
            assert sum("[eventpoll]" in link for link in links) == 2  # the worker's own and libmicrohttpd's
            assert Path(f"/proc/{pid}/comm").read_text(encoding="ascii").startswith("appsrv-w")
            assert Path(f"/proc/{pid}/oom_score_adj").read_text(encoding="ascii").strip() == "300"


def test_nothing_is_left_behind(start, tmp_path):
    with start(WORKERS) as server:
        assert (tmp_path / "runtime" / "notify").exists()
        workers = server.workers()
    assert not list((tmp_path / "runtime").iterdir())
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()]


# -- what an application can do to its master ----------------------------------------------

def unruly(build, *keys):
    return application(build, *keys).replace("probe", "unruly")


def test_generation_that_is_never_complete_is_refused(start, build):
    with start(WORKERS) as server:
        workers = server.workers()
        # worker 1 serves for a moment and dies, over and over, while worker 2 still loads
        server.write_config(WORKERS + unruly(build, "die_after_ms = 20", "others_delay_ms = 20000"))
        told = len(server.states())
        server.signal(signal.SIGHUP)
        server.wait_for_state("READY=1", 20, after=told)
        assert server.lines("reload-failed")
        assert len(server.lines("worker-died", "EXIT_CODE=3")) == 5
        wait_until(lambda: server.workers() == workers, 10, "only the old workers")
        assert server.ask("/").status == 200


def test_flood_of_the_notify_socket_stops_nothing(start, build):
    config = WORKERS.replace("watchdog = 1s", "watchdog = 30s") + unruly(build, "floods = 1")
    with start(config, wrapper=("env", "WATCHDOG_USEC=500000")) as server:
        for _ in range(3):
            told = len(server.states())
            server.wait_for_state("WATCHDOG=1", 5, after=told)
        assert server.ask("/").status == 200
        assert server.stop() == 0
        assert "STOPPING=1" in server.states()


def test_worker_that_ends_with_0_without_being_told_has_died(start, build):
    with start(WORKERS + unruly(build)) as server:
        server.exchange(b"GET /exit HTTP/1.1\r\nHost: a\r\n\r\n")
        assert "EXIT_CODE=0" in server.wait_for_line("EVENT=worker-died")
        wait_until(lambda: len(server.workers()) == 2, 10, "replaced")
        assert not server.lines("worker-exited")


def test_application_that_is_slow_to_stop_is_no_hung_worker(start, build):
    with start(WORKERS + unruly(build, "stop_delay_ms = 2000")) as server:
        assert server.stop() == 0
        assert len(server.lines("worker-exited")) == 2
        assert not server.lines("worker-hung") and not server.lines("drain-timeout")


def test_application_that_never_stops_is_cut(start, build):
    with start(PATIENT + unruly(build, "stop_delay_ms = 60000")) as server:
        assert server.stop() == 0
        died = server.lines("worker-died")
        assert len(died) == 2 and len(server.lines("drain-timeout", "IN_FLIGHT=0")) == 2
        assert all("CAUSE=graceful-timeout" in line and "SIGNAL=ABRT" in line for line in died)
        # a sanitizer keeps fatal signals for itself
        assert build.is_sanitized or all("unruly.so" in line.split(" STACK=")[1] for line in died)


def test_worker_that_is_cut_has_its_requests_named_and_its_stack_told(start, build):
    with start(PATIENT.replace("workers = 2", "workers = 1")) as server:
        [victim] = server.workers()
        with server.connect() as connection:
            connection.send(b"GET /sleep?ms=30000 HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: any("(1 busy)" in state for state in server.states()), 10, "busy")
            os.kill(victim, signal.SIGSTOP)  # it cannot end by itself
            assert server.stop() == 0
        cut = server.wait_for_line("EVENT=drain-timeout", f"WORKER_PID={victim}", "IN_FLIGHT=1")
        died = server.wait_for_line("EVENT=worker-died", f"WORKER_PID={victim}", "CAUSE=graceful-timeout", "SIGNAL=ABRT")
        assert "GET /sleep?ms=30000 from 127.0.0.1, running" in cut and "GET /sleep?ms=30000" in died
        assert build.is_sanitized or "STACK=" in died
        server.wait_for_line("GET /sleep?ms=30000 HTTP/1.1", "OUTCOME=shutdown")


def test_core_of_a_worker_is_named(start, build, tmp_path):
    pattern = Path("/proc/sys/kernel/core_pattern").read_text(encoding="ascii").strip()
    if build.is_sanitized:
        pytest.skip("a sanitizer lets no core be dumped")
    if pattern[:1] in "|@/" and "systemd-coredump" not in pattern:
        pytest.skip(f"no core lies where a test may look for it: {pattern}")
    with start(WORKERS, wrapper=("prlimit", "--core=unlimited:unlimited")) as server:
        server.exchange(b"GET /crash HTTP/1.1\r\nHost: a\r\n\r\n")
        died = server.wait_for_line("EVENT=worker-died")
        pid = re.search(r"WORKER_PID=(\d+)", died)[1]
        if pattern[:1] == "|":
            assert f"core dumped (coredumpctl info {pid})" in died
            return
        core = Path(re.search(r"COREDUMP=(\S+)", died)[1])
        assert f"signal SEGV, core dumped ({core}), " in died
        assert core.parent == tmp_path and core.stat().st_size > 0
        core.unlink()


def test_environment_of_a_worker_is_its_masters_word(start, build, tmp_path):
    wrapper = ("env", "WATCHDOG_USEC=10000000", "LISTEN_PID=1", "LISTEN_FDS=1", "LISTEN_FDNAMES=x")
    with start(WORKERS + unruly(build), wrapper=wrapper) as server:
        assert server.ask("/").body.decode() == f"NOTIFY_SOCKET={tmp_path}/runtime/notify\n"


# -- signals for all of them -----------------------------------------------------------------

def test_signals_that_are_sent_to_all_processes_end_none(start):
    with start(WORKERS) as server:
        workers = server.workers()
        for number, word in [(signal.SIGUSR1, "EVENT=service-state"), (signal.SIGUSR2, "EVENT=signal-ignored"),
                             (signal.SIGWINCH, "")]:
            os.killpg(server.process.pid, number)
            server.wait_for_line(word)
        assert server.ask("/").status == 200 and server.workers() == workers
        os.killpg(server.process.pid, signal.SIGHUP)
        wait_until(lambda: len(server.workers()) == 2 and not set(workers) & set(server.workers()), 20, "a new generation")
        assert not server.lines("EVENT=worker-died") and server.ask("/").status == 200


def test_console_that_is_gone_ends_nobody(start, tmp_path):
    fifo = tmp_path / "console"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: reader is not None and os.close(reader))
        server = stack.enter_context(start(WORKERS, wrapper=("sh", "-c", 'exec "$@" >"$0" 2>&1', fifo)))
        os.close(reader)
        reader = None
        before = server.workers()
        for target in ("/print?text=to%20nobody", "/"):
            assert server.ask(target).status == 200
        os.kill(before[0], signal.SIGKILL)
        wait_until(lambda: len(server.workers()) == 2 and before[0] not in server.workers(), 10, "replaced")
        assert server.ask("/").status == 200 and server.stop() == 0


# -- what wears out ----------------------------------------------------------------------

def test_all_workers_hung_are_all_replaced(start):
    with start(WORKERS.replace("workers = 2", "workers = 8")) as server:
        victims = server.workers()
        for pid in victims:
            os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: len(server.lines("worker-died", "SIGNAL=ABRT")) == 8, 20, "all are aborted")
        assert len(server.lines("worker-hung")) == 8 and not server.lines("drain-timeout")
        told = server.lines("WORKER_PID=")
        for pid in victims:  # the cause comes before the death, however soon it followed
            ends = [line for line in told if f"WORKER_PID={pid}" in line and ("worker-hung" in line or "worker-died" in line)]
            assert ["worker-hung" in line for line in ends] == [True, False], ends
        wait_until(lambda: server.ask("/").status == 200, 10, "served again")
        assert not set(victims) & set(server.workers())


def test_worker_that_hangs_in_its_drain_is_told_once(start):
    with start(WORKERS.replace("watchdog = 1s", "watchdog = 30s").replace("3s", "0")) as server:
        victim = server.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        server.process.terminate()
        assert server.stop() == 0
        assert len(server.lines("drain-timeout")) == 1 and server.lines("drain-timeout", f"WORKER_PID={victim}")
        assert len(server.lines("worker-died")) == 1


def test_descriptors_of_the_master_do_not_grow(start):
    def reload(config):
        server.write_config(config)
        told = len(server.states())
        server.signal(signal.SIGHUP)
        server.wait_for_state("READY=1", 20, after=told)

    with start(WORKERS) as server:
        before = len(descriptors(server.process.pid))
        for _ in range(3):
            known = len(server.lines("worker-ready"))
            os.kill(server.workers()[0], signal.SIGKILL)
            server.wait_for_line("worker-ready", after=known)
            reload(WORKERS)
            reload("[server]\nworkers = none\n")
            wait_until(lambda: len(server.workers()) == 2, 10, "the old ones have ended")
        wait_until(lambda: len(descriptors(server.process.pid)) <= before, 10, "as many as before")


def test_what_a_worker_has_open_it_keeps_from_its_children(server):
    for pid in server.workers():
        for number, leads_to in descriptors(pid).items():
            with contextlib.suppress(FileNotFoundError):
                info = Path(f"/proc/{pid}/fdinfo/{number}").read_text(encoding="ascii")
                flags = int(info.split("flags:")[1].split()[0], 8)
                assert number <= 2 or flags & os.O_CLOEXEC, leads_to


# -- what cannot be begun ------------------------------------------------------------------

def test_passed_socket_of_an_unknown_name_is_78(build, tmp_path):
    server = Serving(build, tmp_path, WORKERS)
    command = [sys.executable, "-B", ACTIVATE, *map(str, server.address), "htttp", *server.command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 78 and "htttp" in done.stderr and "FileDescriptorName=" in done.stderr


def test_missing_runtime_directory_is_told(build, tmp_path):
    server = Serving(build, tmp_path, WORKERS)
    done = subprocess.run(server.command, capture_output=True, text=True, timeout=20, check=False,
                          env=builds.environment(RUNTIME_DIRECTORY=str(tmp_path / "missing")))
    assert done.returncode == 70 and "notify socket" in done.stderr and "No such file" in done.stderr
