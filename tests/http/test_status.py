# SPDX-License-Identifier: LGPL-2.1-or-later
"""`appsrv status`: what it shows of a running server, how it finds one, and that who looks disturbs nobody."""
import contextlib
import fcntl
import json
import os
import pty
import re
import signal
import socket
import struct
import subprocess
import termios

from lib import builds
from lib.client import Load, Server
from lib.processes import die_with_parent
from lib.serving import free_port
from lib.wait import wait_until

CONFIG = "[server]\nworkers = 2\nthreads = 2\nwatchdog = 1s\ngraceful_timeout = 5s\n"
NOTHING_SERVED = 69


def window_of(server):
    return str(server.folder / "runtime" / "status")


def run(build, *arguments, **environment):
    return subprocess.run([build.program, "status", *arguments], capture_output=True, text=True, timeout=30,
                          check=False, env=builds.environment(**environment))


def look(server):
    done = run(server.build, "--socket", window_of(server), "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextlib.contextmanager
def in_flight(server, target):
    """A request that is with its worker."""
    with server.connect() as connection:
        connection.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        wait_until(lambda: look(server)["in_flight"] == 1, 10, f"{target} is begun")
        yield connection


@contextlib.contextmanager
def by_hand(build, folder):
    """A server that nothing tells its runtime folder; gives its pid."""
    environment = builds.environment(XDG_RUNTIME_DIR=str(folder))
    environment.pop("RUNTIME_DIRECTORY", None)
    port = free_port()
    with open(folder / "output", "wb") as output:
        process = subprocess.Popen([build.program, "serve", "--listen", f"127.0.0.1:{port}", "--log", "console",
                                    build.application("probe")], stdout=output, stderr=output, env=environment,
                                   preexec_fn=die_with_parent, start_new_session=True)
    try:
        wait_until(lambda: "EVENT=master-ready" in (folder / "output").read_text(), 20, "ready")
        assert Server(port).ask("/").status == 200
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        process.wait(20)


def watched(build, socket_path, rows, columns, frames, **environment):
    """What a terminal of this size is sent: a list of so many frames, each a list of lines."""
    screen, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    watching = subprocess.Popen([build.program, "status", "--watch", "--socket", socket_path],
                                stdin=subprocess.DEVNULL, stdout=terminal, preexec_fn=die_with_parent,
                                env=builds.environment(**environment))
    os.close(terminal)
    shown = b""
    while shown.count(b"\033[J") < frames:
        shown += os.read(screen, 4096)
    watching.terminate()
    watching.wait(10)
    os.close(screen)
    told = shown.decode("ascii").split("\033[H")[1:]
    assert told[0].startswith("\033[2J") and not any("\033[2J" in frame for frame in told[1:])
    return [frame.replace("\033[2J", "").replace("\033[K", "").split("\033[J")[0].splitlines() for frame in told[:frames]]


# -- what it shows -------------------------------------------------------------

def test_slow_request_is_shown_with_its_age(start):
    with start(CONFIG) as server, in_flight(server, "/sleep?ms=6000&who=slow") as connection:
        seen = look(server)
        [worker] = [worker for worker in seen["workers"] if worker["requests_in_flight"]]
        [request] = worker["requests_in_flight"]
        assert request["target"] == "/sleep?ms=6000&who=slow" and request["method"] == "GET"
        assert request["state"] == "running" and request["app"] == "probe" and request["peer"] == "127.0.0.1"
        assert 1_000_000 <= request["age_usec"] < 6_000_000 and request["thread"] > 0
        assert worker["pid"] in server.workers() and worker["busy_threads"] == 1 and worker["connections"] == 1
        assert seen["workers_busy"] == 1 and seen["workers_ready"] == 2 and seen["master"]["pid"] == server.process.pid
        shown = run(server.build, "--socket", window_of(server)).stdout.splitlines()
        assert shown[0].startswith("2 workers (1 busy), ") and shown[0].endswith("log ok; 1 in flight")
        [line] = [line for line in shown if "/sleep" in line]
        assert f"running GET /sleep?ms=6000&who=slow from 127.0.0.1 {request['request_id']}" in line
        [frame] = watched(server.build, window_of(server), 24, 100, 1, TERM="xterm")
        assert frame[0].startswith("\033[1m2 workers (1 busy)") and frame[2].startswith("\033[7m NO ")
        assert all(line.startswith("\033[32m  ") and " ready " in line and line.endswith("\033[0m") for line in frame[3:5])
        assert len(frame) == 6 and frame[5].startswith("\033[1m  ") and "running GET /sleep?ms=6000&who=slow from" in frame[5]
        assert connection.receive().request_id == request["request_id"]
        wait_until(lambda: look(server)["in_flight"] == 0, 10, "nothing is in flight")


def test_rates_are_those_of_the_clients(start):
    with start(CONFIG) as server:
        with Load(server, threads=2) as load:
            load.wait_for_answers(20)
            before = len(load.ledger)
            seen = look(server)
            answered = len(load.ledger) - before
            load.stop()
        assert 0 < seen["requests_per_second"] <= answered + 4, seen
        assert 0 < seen["p50_usec"] <= seen["p99_usec"]
        last = look(server)
        assert sum(worker["requests"] for worker in last["workers"]) == len(load.ledger)
        assert sum(worker["responses"]["2xx"] for worker in last["workers"]) == len(load.ledger)
        wait_until(lambda: sum(worker["log"]["shipped"] for worker in look(server)["workers"]) >= len(load.ledger), 10,
                   "all is shipped")
        assert last["log_lost"] == 0 and last["requests_per_second"] == 0


def test_killed_worker_is_gone_and_its_replacement_is_there(start):
    with start(CONFIG) as server:
        victim = server.workers()[0]
        assert victim in [worker["pid"] for worker in look(server)["workers"]]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(server.lines("worker-ready")) == 3, 10, "replaced")
        whole = look(server)
        seen = whole["workers"]
        assert whole["restarts"] == 1 and sorted(worker["restarts"] for worker in seen) == [0, 1]
        assert sorted(worker["pid"] for worker in seen) == sorted(server.workers())
        assert [worker["worker_id"] for worker in seen] == [1, 2]
        assert {worker["state"] for worker in seen} == {"ready"}


def test_old_generation_is_shown_while_it_drains(start):
    with start(CONFIG) as server, in_flight(server, "/sleep?ms=4000"):
        told = len(server.states())
        server.signal(signal.SIGHUP)
        server.wait_for_state("READY=1", after=told)
        seen = look(server)
        assert [worker["state"] for worker in seen["workers"] if worker["generation"] == 2] == ["ready", "ready"]
        [draining] = [worker for worker in seen["workers"] if worker["requests_in_flight"]]
        assert draining["generation"] == 1 and draining["state"] == "draining" and not draining["accepting"]
        assert seen["workers_ready"] == 2 and seen["generation"] == 2 and seen["restarts"] == 0


def test_stopped_worker_is_looked_at_all_the_same(start):
    with start(CONFIG.replace("watchdog = 1s", "watchdog = 20s")) as server:
        victim = server.workers()[0]
        os.kill(victim, signal.SIGSTOP)
        try:
            assert victim in [worker["pid"] for worker in look(server)["workers"]]
        finally:
            os.kill(victim, signal.SIGCONT)


def interruptible():
    """In a child: what a shell starts in the background ignores SIGINT, and so would this."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_watch_writes_an_object_a_second_until_it_is_interrupted(server):
    watching = subprocess.Popen([server.build.program, "status", "--watch", "--json", "--socket", window_of(server)],
                                stdout=subprocess.PIPE, text=True, preexec_fn=interruptible, env=builds.environment())
    with watching:
        ages = [json.loads(watching.stdout.readline())["master"]["age_usec"] for _ in range(3)]
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == -signal.SIGINT
    # a machine that is busy makes one look late, and the next one seem early
    assert all(500_000 < after - before < 5_000_000 for before, after in zip(ages, ages[1:])), ages


def test_watch_fits_the_terminal(server):
    for frame in watched(server.build, window_of(server), 4, 40, 2, TERM="xterm", NO_COLOR="1"):
        assert len(frame) == 3 and frame[0].startswith("2 workers (") and frame[2].startswith(" NO ")
        assert max(map(len, frame)) <= 40


# -- which one it finds ----------------------------------------------------------

def test_without_a_server_it_says_so(build, tmp_path):
    done = run(build, "--socket", str(tmp_path / "status"))
    assert done.returncode == NOTHING_SERVED and done.stdout == ""
    assert done.stderr == f"appsrv status: {tmp_path / 'status'}: No such file or directory\n"


def test_server_that_has_ended_leaves_no_socket(start):
    with start(CONFIG) as server:
        assert os.path.exists(window_of(server))
        assert server.stop() == 0
        assert os.listdir(server.folder / "runtime") == []
        assert run(server.build, "--socket", window_of(server)).returncode == NOTHING_SERVED


def test_server_that_ends_ends_the_watching(start):
    with start(CONFIG) as server:
        watching = subprocess.Popen([server.build.program, "status", "--watch", "--socket", window_of(server)],
                                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                    preexec_fn=die_with_parent, env=builds.environment())
        with watching:
            assert watching.stdout.readline().startswith("2 workers (")
            assert server.stop() == 0
            assert watching.wait(10) == NOTHING_SERVED
            assert window_of(server) in watching.stderr.read()


def test_server_started_by_hand_is_found_the_newest_first(build, tmp_path):
    def found():
        done = run(build, "--json", XDG_RUNTIME_DIR=str(tmp_path))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)["master"]["pid"]

    with by_hand(build, tmp_path) as first:
        assert found() == first.pid
        with by_hand(build, tmp_path) as second:
            assert found() == second.pid
            second.kill()
            second.wait()
            assert found() == first.pid
        assert found() == first.pid


def test_what_is_no_appsrv_is_no_crash(build, tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as other:
        other.bind(str(tmp_path / "status"))
        other.listen(1)
        asking = subprocess.Popen([build.program, "status", "--socket", str(tmp_path / "status")], text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=builds.environment())
        with asking:
            with other.accept()[0] as viewer:
                viewer.send(b"appsrvWI\x63\0\0\0 from the future")
            assert asking.wait(20) == NOTHING_SERVED
            assert "another version" in asking.stderr.read()


def test_master_that_hangs_is_not_waited_for(start):
    with start(CONFIG) as server:
        server.signal(signal.SIGSTOP)
        try:
            done = run(server.build, "--socket", window_of(server))
            assert done.returncode == NOTHING_SERVED and "does not answer" in done.stderr
        finally:
            server.signal(signal.SIGCONT)


def test_mistaken_arguments_are_refused(build):
    for arguments in (["now"], ["--sockets=/x/y", "z"], ["--color"]):
        done = run(build, *arguments)
        assert done.returncode == 78 and done.stderr, done


# -- who looks -------------------------------------------------------------------

def test_viewers_who_never_read_disturb_nobody(start):
    with start(CONFIG) as server, contextlib.ExitStack() as stack:
        for _ in range(30):
            viewer = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
            viewer.connect(window_of(server))
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(server.lines("worker-ready")) == 3, 10, "replaced")
        told = len(server.states())
        server.signal(signal.SIGHUP)
        server.wait_for_state("READY=1", after=told)
        assert server.ask("/").status == 200
        done = run(server.build, "--socket", window_of(server))
        assert done.returncode == NOTHING_SERVED and "too many" in done.stderr
        stack.close()
        assert look(server)["workers_ready"] == 2


def test_many_may_look_at_the_same_time(start):
    with start(CONFIG) as server:
        looks = [subprocess.Popen([server.build.program, "status", "--json", "--socket", window_of(server)], text=True,
                                  stdout=subprocess.PIPE, env=builds.environment()) for _ in range(4)]
        for watching in looks:
            with watching:
                assert json.loads(watching.stdout.read())["workers_ready"] == 2
                assert watching.wait(20) == 0


# -- in the journal ------------------------------------------------------------

def figures(line):
    return {name: value for name, value in re.findall(r" ([A-Z][A-Z0-9_]*)=(\S+)", line)}


def test_state_is_written_to_the_journal_with_the_same_figures(start):
    with start(CONFIG) as server, in_flight(server, "/sleep?ms=20000&dump"):
        for _ in range(5):
            server.ask("/")
        server.ask("/status?code=404")
        server.signal(signal.SIGUSR1)
        server.signal(signal.SIGUSR1)  # while one is made: the same one
        service = figures(server.wait_for_line("EVENT=service-state"))
        seen = look(server)
        workers = [figures(line) for line in server.lines("EVENT=worker-state")]
        assert len(workers) == 2 and len(server.lines("EVENT=service-state")) == 1
        assert service["WORKERS_READY"] == "2" and service["WORKERS_BUSY"] == str(seen["workers_busy"]) == "1"
        assert service["IN_FLIGHT"] == str(seen["in_flight"]) == "1" and service["BACKLOG"] == "0" and service["RECORDS_LOST"] == "0"
        for told, worker in zip(sorted(workers, key=lambda told: told["WORKER_PID"]), sorted(seen["workers"], key=lambda one: str(one["pid"]))):
            assert told["WORKER_PID"] == str(worker["pid"]) and told["STATE"] == worker["state"] == "ready" and told["ACCEPTING"] == "1"
            assert told["BUSY_THREADS"] == str(worker["busy_threads"]) and told["QUEUED"] == str(worker["queued"]) == "0"
            assert told["REQUEST_COUNT"] == str(worker["requests"]) and told["RESPONSES_4XX"] == str(worker["responses"]["4xx"])
            assert told["IN_FLIGHT"] == str(len(worker["requests_in_flight"]))
            assert 0 < int(told["AGE_USEC"]) <= worker["age_usec"] and told["LOG_CAPACITY_BYTES"] == str(worker["log"]["capacity_bytes"])
        assert sum(int(told["REQUEST_COUNT"]) for told in workers) == 6
        assert "GET /sleep?ms=20000&dump from 127.0.0.1, running, " in server.output()
        server.signal(signal.SIGQUIT)  # nobody waits for the request
        server.process.wait(10)
