# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of master and workers without systemd: ready, crash, hang, reload, drain."""
import contextlib
import os
import re
import signal
import subprocess
import threading

from lib.client import Load
from lib.wait import wait_until

CONFIG = "[server]\nworkers = 2\nthreads = 2\nwatchdog = 1s\ngraceful_timeout = 5s\n"


def test_ready_only_when_the_application_has_started(start, build):
    app = f"[app probe]\ntype = native\npath = {build.application('probe')}\nstart_delay_ms = 1700\n"
    with start(CONFIG + app) as server:
        assert server.lines("master-ready")
        assert len(server.lines("worker-ready")) == 2
        assert any(state.startswith("EXTEND_TIMEOUT_USEC=") for state in server.states())


def test_killed_worker_is_replaced_and_named(start):
    with start(CONFIG) as server:
        victim = server.workers()[0]
        load = Load(server, threads=2)
        with load:
            load.wait_for_answers(20)
            os.kill(victim, signal.SIGKILL)
            load.wait_for_answers(50)
            load.stop()
        wait_until(lambda: len(server.workers()) == 2 and victim not in server.workers(), 10, "two workers again")
        assert len(load.failed) <= 2  # what was in flight in the killed one
        died = server.wait_for_line("EVENT=worker-died")
        assert f"WORKER_PID={victim}" in died and "KILL" in died


def test_crashing_handler_costs_its_worker_only(start):
    with start(CONFIG) as server:
        server.exchange(b"GET /crash HTTP/1.1\r\nHost: a\r\n\r\n")
        server.wait_for_line("EVENT=worker-died")
        wait_until(lambda: server.ask("/").status == 200, 10, "served again")


def test_request_that_crashes_among_others_is_named(start):
    """They came in one turn of the loop; those before it were done, and are not blamed."""
    with start("[server]\nworkers = 1\nthreads = 4\n") as server, contextlib.ExitStack() as stack:
        victim = server.workers()[0]
        connections = [stack.enter_context(server.connect()) for _ in range(8)]
        for connection in connections:
            assert connection.ask("/").status == 200
        os.kill(victim, signal.SIGSTOP)
        for number, connection in enumerate(connections):
            connection.send(b"GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % (b"crash" if number == 4 else b""))
        os.kill(victim, signal.SIGCONT)
        assert ", in GET /crash from 127.0.0.1 (request " in server.wait_for_line("EVENT=worker-died", f"WORKER_PID={victim}")


def test_stopped_worker_is_hung_and_replaced(start):
    with start(CONFIG) as server:
        victim = server.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        hung = server.wait_for_line("worker-hung", seconds=20)
        assert f"WORKER_PID={victim}" in hung
        wait_until(lambda: victim not in server.workers() and len(server.workers()) == 2, 20, "replaced")
        assert server.ask("/").status == 200


def test_reload_loses_nothing_and_obeys(start):
    with start(CONFIG) as server:
        old = server.workers()
        load = Load(server, threads=4)
        with load:
            load.wait_for_answers(20)
            server.write_config(CONFIG.replace("workers = 2", "workers = 3"))
            told = len(server.states())
            server.signal(signal.SIGHUP)
            server.wait_for_state("READY=1", after=told)
            load.wait_for_answers(50)
            load.stop()
        assert not load.failed, load.failed[:3]
        reloading = server.states()[told:]
        assert "RELOADING=1" in reloading
        assert any(state.startswith("MONOTONIC_USEC=") for state in reloading)
        wait_until(lambda: len(server.workers()) == 3 and not set(old) & set(server.workers()), 10, "three new ones")


def test_bad_configuration_changes_nothing(start):
    with start(CONFIG) as server:
        workers = server.workers()
        server.config_file.write_text(server.config_file.read_text() + "\n[server]\nworker = 1\n[http]\nkeepalive = 5\n")
        told = len(server.states())
        server.signal(signal.SIGHUP)
        server.wait_for_state("READY=1", after=told)
        line = server.wait_for_line("config-refused")
        assert "workers" in line and "appsrv.ini:" in line
        assert server.workers() == workers
        assert server.ask("/").status == 200
        wait_until(lambda: any("req/s" in state and "reload refused" in state for state in server.states()[told:]), 10,
                   "the status goes on to say so")


def test_application_that_cannot_start_is_refused_by_reload(start, build):
    with start(CONFIG) as server:
        workers = server.workers()
        server.write_config(CONFIG + f"[app probe]\ntype = native\npath = {build.application('probe')}\nstart_fail = 1\n")
        told = len(server.states())
        server.signal(signal.SIGHUP)
        server.wait_for_state("READY=1", after=told)
        server.wait_for_line("reload-failed")
        assert set(workers) <= set(server.workers())
        wait_until(lambda: server.workers() == workers, 10, "only the old workers")
        assert not server.lines("worker-died", "KILL")
        assert server.ask("/").status == 200


def test_terminated_it_answers_what_it_began(start):
    with start(CONFIG) as server:
        with server.connect() as busy, server.connect() as idle, server.connect() as fresh:
            assert idle.ask("/").status == 200
            answers = []
            asking = threading.Thread(target=lambda: answers.append(busy.ask("/sleep?ms=2500")))
            asking.start()
            wait_until(lambda: any("busy" in state and "(0 busy)" not in state for state in server.states()), 10, "busy")
            server.signal(signal.SIGTERM)
            server.wait_for_state("STOPPING=1")
            stopping = server.states().index("STOPPING=1")
            assert idle.rest() == b""
            late = fresh.ask("/late")
            asking.join()
        assert any(state.startswith("EXTEND_TIMEOUT_USEC=") for state in server.states()[stopping:])
        assert answers[0].status == 200 and answers[0].headers["connection"] == "close"
        assert late.status == 404 or late.status == 200
        assert server.stop() == 0


def test_connections_that_arrive_with_the_signal_are_served(start):
    with start(CONFIG.replace("workers = 2", "workers = 1")) as server:
        [worker] = server.workers()
        os.kill(worker, signal.SIGSTOP)
        # both are ready in one turn of the loop, in this order
        os.kill(worker, signal.SIGTERM)
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(4)]
            for client in clients:
                client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            os.kill(worker, signal.SIGCONT)
            assert [client.receive().status for client in clients] == [200] * 4
        wait_until(lambda: worker not in server.workers() and len(server.workers()) == 1, 10, "a successor")


def test_request_that_outlasts_the_drain_has_its_record(start):
    with start(CONFIG.replace("graceful_timeout = 5s", "graceful_timeout = 1s")) as server:
        with server.connect() as connection:
            connection.send(b"GET /sleep?ms=20000 HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: any("(1 busy)" in state for state in server.states()), 10, "busy")
            assert server.stop() == 0
        assert "shutdown" in server.wait_for_line("GET /sleep", "OUTCOME=")
        [told] = server.lines("EVENT=drain-timeout")
        assert "Application probe was not done with request" in told and "APP=probe" in told and "nanosleep" in told.split(" STACK=")[1]


def test_told_to_quit_it_ends_at_once_and_cut_requests_have_their_records(start):
    with start(CONFIG) as server:
        with server.connect() as connection:
            connection.send(b"GET /sleep?ms=20000 HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: any("(1 busy)" in state for state in server.states()), 10, "busy")
            server.signal(signal.SIGQUIT)
            assert server.process.wait(5) == 0
        assert "OUTCOME=shutdown" in server.wait_for_line("GET /sleep?ms=20000 ")


def test_workers_end_when_their_master_is_killed(start, build, tmp_path):
    with start(CONFIG) as server:
        workers = server.workers()
        server.process.kill()
        server.process.wait()
        wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") and "Z" not in state(pid) for pid in workers), 10,
                   "workers ended")
        server.process.returncode = 0


def state(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
            return stat.read().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def test_configuration_problems_are_all_told_at_once(build, tmp_path):
    config = tmp_path / "bad.ini"
    config.write_text("[server]\nthread = 4\nworkers = 0\nwatchdog = 10\n[htpp]\nx = 1\n")
    done = subprocess.run([build.program, "check", "-c", config], capture_output=True, text=True, check=False)
    assert done.returncode == 78
    for words in ("bad.ini:2:", "threads", "bad.ini:3:", "bad.ini:4:", "unit", "bad.ini:5:", "http"):
        assert words in done.stderr, done.stderr
    served = subprocess.run([build.program, "serve", "-c", config], capture_output=True, text=True, check=False)
    assert served.returncode == 78


def test_show_config_reads_back(build, tmp_path):
    config = tmp_path / "a.ini"
    config.write_text(f"[server]\nworkers = 3\n[app a]\ntype = native\npath = {build.application('probe')}\n")
    shown = subprocess.run([build.program, "show-config", "-c", config], capture_output=True, text=True, check=True)
    assert "a.ini:2" in shown.stdout
    again = tmp_path / "b.ini"
    again.write_text(shown.stdout)
    twice = subprocess.run([build.program, "show-config", "-c", again], capture_output=True, text=True, check=True)
    assert re.search(r"^workers += 3\b", twice.stdout, re.MULTILINE)
