# SPDX-License-Identifier: LGPL-2.1-or-later
"""Python applications that misbehave: what their client sees, what the operator reads, and that nobody else is harmed."""
import contextlib
import os
import re
import select
import signal
import subprocess
import time

import pytest

from lib import builds
from lib.client import Incomplete
from lib.processes import die_with_parent
from lib.serving import Serving
from lib.wait import wait_until
from test_plugins import check
from test_wsgi import application, the_plugin  # noqa: F401  pylint: disable=unused-import

FAULTS = application("faults", "faults:app")
TWO = "[server]\nworkers = 2\nthreads = 2\ngraceful_timeout = 1s\n"


def get(target):
    return f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()


def traceback_behind(server, words):
    """The lines of the one record that begins so."""
    server.wait_for_line(words)
    assert len(server.lines(words)) == 1
    return re.split(r"\n\d\d:", server.output().split(words, 1)[1])[0]


@pytest.fixture(name="faults", scope="module")
def a_server(build, tmp_path_factory, plugin):
    with Serving(build, tmp_path_factory.mktemp("faults"), "[server]\nworkers = 1\nthreads = 2\n" + FAULTS) as running:
        running.first = running.workers()
        yield running
        assert running.workers() == running.first and not running.lines("EVENT=worker-died")


@pytest.fixture
def serve(build, tmp_path, plugin):
    """A function that makes a server of the test's own, with a fault at import if it is given one."""
    def make(config=TWO, at_import=""):
        return Serving(build, tmp_path, config + FAULTS, wrapper=("env", f"FAULTS_AT_IMPORT={at_import}"))
    return make


# -- exceptions: the worker lives ----------------------------------------------------------------

KINDS = [("memory", "MemoryError"), ("chain", "KeyError: 'the cause'\n"), ("group", "ExceptionGroup: several (2 sub-exceptions)"),
         ("unspeakable", "Unspeakable: <exception str() failed>"), ("base", "Speechless: on purpose"), ("exit", "SystemExit: on purpose"),
         ("interrupt", "KeyboardInterrupt: on purpose"), ("generator", "GeneratorExit: on purpose"), ("surrogate", "ValueError: lone \\udc80"),
         ("syntax", "SyntaxError: on purpose"), ("huge", "ValueError: begin xxx")]


@pytest.mark.parametrize("what, told", KINDS + [("stop", "StopIteration: on purpose")])
def test_exception_of_every_kind_is_a_500_and_one_record(faults, what, told):
    target = f"/raises?what={what}"
    assert faults.ask(target).status == 500
    record = traceback_behind(faults, f"Exception in GET {target}")
    told = told.replace("\n", "\n" + " " * 27)
    assert told in record and "in raises\n" in record and "EXCEPTION=" in record
    assert len(record) < 300_000


@pytest.mark.parametrize("what, told", KINDS)
def test_exception_of_a_generator(faults, what, told):
    assert faults.ask(f"/raises_before_first?what={what}").status == 500
    assert "in raises_before_first\n" in traceback_behind(faults, f"Exception in GET /raises_before_first?what={what}")
    with faults.connect() as connection, pytest.raises(Incomplete):
        connection.ask(f"/raises_after_first?what={what}")
    assert "in raises_after_first\n" in traceback_behind(faults, f"Exception in GET /raises_after_first?what={what}")
    faults.wait_for_line(f"GET /raises_after_first?what={what}", "OUTCOME=app-failed")


@pytest.mark.parametrize("what, told", KINDS)
def test_exception_of_close_is_told_and_harms_nobody(faults, what, told):
    before = len(faults.lines("close() of the response failed"))
    answer = faults.ask(f"/raises_in_close?what={what}")
    assert (answer.status, answer.body) == (200, b"body")
    faults.wait_for_line("close() of the response failed", after=before)
    faults.wait_for_line(f"REQUEST_ID={answer.request_id}", "CODE_FUNC=raised", "EXCEPTION=")


def test_exceptions_of_threads(faults):
    for what, name in (("memory", "MemoryError"), ("unspeakable", "faults.Unspeakable"), ("base", "faults.Speechless")):
        before = len(faults.lines("LOGGER=appsrv.python"))
        assert faults.ask(f"/raises_in_thread?what={what}").body == b"ok"
        faults.wait_for_line("LOGGER=appsrv.python", "EXCEPTION=", "CODE_FUNC=raised", after=before)
        assert "Exception in thread doomed" in faults.output() and name.split(".")[-1] in faults.output()
    before = len(faults.lines("LOGGER=appsrv.python"))
    assert faults.ask("/exits_in_thread").body == b"ok"
    assert len(faults.lines("LOGGER=appsrv.python")) == before


# -- what ends the process -------------------------------------------------------------------------

@contextlib.contextmanager
def two_connections(server):
    """Connections to two different workers, and the pids of those."""
    with contextlib.ExitStack() as stack:
        found = {}

        def both():
            connection = stack.enter_context(server.connect())
            found.setdefault(int(connection.ask("/pid").body), connection)
            return len(found) == 2
        wait_until(both, 10, "connections to both workers")
        (first, one), (second, other) = found.items()
        yield one, first, other, second


def dies(server, target, cause):
    """A request ends its worker; one that the other worker has goes on. Returns the event."""
    with two_connections(server) as (victim, pid, other, bystander):
        other.send(get("/sleeps?s=0.3"))
        victim.send(get(target))
        assert victim.rest() == b""
        event = server.wait_for_line("EVENT=worker-died")
        assert other.receive().body == b"ok" and int(other.ask("/pid").body) == bystander
    assert cause in event and f"WORKER_PID={pid} " in event and re.search(rf"REQUESTS=\w+ GET {re.escape(target)} from 127.0.0.1, running", event)
    [record] = server.lines(f"GET {target} HTTP/1.1", "OUTCOME=")
    assert "OUTCOME=worker-died" in record and re.search(r"REQUEST_ID=\w+", record)[0] in event
    wait_until(lambda: len(server.lines("EVENT=worker-ready")) == 3, 10, "a successor is ready")
    assert server.ask("/pid").status == 200 and len(server.lines("EVENT=worker-died")) == 1
    return event


def skip_what_sanitizers_report(build, cause):
    if build.is_sanitized and cause != "SIGNAL=ABRT":
        pytest.skip("the sanitizer reports it in its own way, and aborts")


def frames(*names):
    """What faulthandler says of these functions, innermost first, as LAST_OUTPUT shows it."""
    return r"\\x0a".join(rf'  File "[^"]+", line \d+ in {name}' for name in names)


@pytest.mark.parametrize("target, cause, innermost", [
    ("/segfault", "SIGNAL=SEGV", ("reads_at_null", "segfault", "app")), ("/aborts", "SIGNAL=ABRT", ("aborts", "app")),
    ("/segfault_in_thread", "SIGNAL=SEGV", ("reads_at_null", "run")), ("/kills?signal=11", "SIGNAL=SEGV", ("kills", "app")),
    ("/kills?signal=7", "SIGNAL=BUS", ("kills", "app")), ("/overflows", "SIGNAL=SEGV", ("overflows", "app"))])
def test_crash_leaves_its_request_and_the_stack_of_python(serve, build, target, cause, innermost):
    skip_what_sanitizers_report(build, cause)
    with serve() as server:
        event = dies(server, target, cause)
        assert re.search(frames(*innermost), event.split("LAST_OUTPUT=")[1]), event
        if "thread" not in target and "kills" not in target:
            assert f", in GET {target} from 127.0.0.1 (request " in event


def test_exit_in_a_request(serve):
    with serve() as server:
        event = dies(server, "/exits", "EXIT_CODE=3")
        assert "died: exit code 3" in event and ", in GET /exits from 127.0.0.1 (request " in event


# -- what never ends -----------------------------------------------------------------------------------

@pytest.mark.parametrize("target, innermost", [("/deadlock", ("keeps_the_gil", "deadlock", "app")), ("/waits", ("waits_for_ever", "waits", "app")),
                                               ("/regex", ("match", "runs_away", "regex", "app"))])
def test_request_that_never_ends_is_answered_and_its_place_is_told(serve, target, innermost):
    with serve(TWO + "[http]\nrequest_timeout = 1s\n") as server, two_connections(server) as (victim, pid, other, bystander):
        victim.send(get(target))
        began = time.monotonic()
        while time.monotonic() - began < 0.8:
            assert int(other.ask("/pid").body) == bystander
        assert victim.receive().status == 504
        assert 0.8 < time.monotonic() - began < 2
        server.wait_for_line("EVENT=request-timeout", f"WORKER_PID={pid}", "RUNTIME_STACK=", "STACK=")
        event = traceback_behind(server, "Application faults took more than 1000 ms for request ")
        assert re.search(place_of(*innermost), event), event
        wait_until(lambda: pid not in server.workers() and len(server.workers()) == 2, 10, "it is replaced")
        assert int(other.ask("/pid").body) == bystander
        assert not server.lines("EVENT=worker-died") and len(server.lines(f"GET {target}", "OUTCOME=timeout")) == 1


def place_of(*names):
    """What a told traceback says of these functions, the last call first."""
    return "most recent call first.*\n(.*\n)*?" + r"\n".join(rf' +File "[^"]+", line \d+ in {name}' for name in names)


@pytest.mark.parametrize("threads, preload", [(2, "no"), (1, "yes")])
def test_deadlock_without_a_limit_is_noticed(serve, threads, preload):
    config = TWO.replace("threads = 2", f"threads = {threads}") + f"preload = {preload}\nwatchdog = 2s\n"
    with serve(config) as server, two_connections(server) as (victim, pid, other, bystander):
        victim.send(get("/deadlock"))
        began = time.monotonic()
        while not select.select([victim.socket], [], [], 0.02)[0]:
            assert int(other.ask("/pid").body) == bystander and time.monotonic() - began < 20
        answer = victim.receive()
        assert answer.status == 504 and answer.headers["connection"] == "close"
        told = server.wait_for_line("EVENT=app-hung", f"WORKER_PID={pid}", f"REQUEST_ID={answer.request_id}", "APP=faults")
        assert "pthread_mutex_lock" in re.search(r"\bSTACK=(.*)", told)[1] and "in keeps_the_gil" in told.split("RUNTIME_STACK=")[1]
        event = traceback_behind(server, "Application faults hangs as a whole: none of its threads could go on for ")
        assert re.search(place_of("keeps_the_gil", "deadlock", "app"), event), event
        record = server.wait_for_line("GET /deadlock", "HTTP_STATUS=504", "OUTCOME=timeout")
        assert "its application hung as a whole" in record
        assert f"WORKER_PID={pid} " in server.wait_for_line("EVENT=worker-recycled", "REASON=watchdog")
        wait_until(lambda: pid not in server.workers(), 10, "it is replaced")
        assert int(other.ask("/pid").body) == bystander
        assert len(server.lines("GET /deadlock", "OUTCOME=")) == len(server.lines("EVENT=app-hung")) == 1
        assert not server.lines("EVENT=worker-died") and not server.lines("EVENT=worker-hung")
        assert server.stop() == 0


def test_deadlock_ends_those_who_wait_behind_it_as_well(serve):
    """One worker: what comes meanwhile and finds no thread is for its successor."""
    with serve(TWO.replace("workers = 2", "workers = 1") + "watchdog = 1s\n") as server:
        [pid] = server.workers()
        with server.connect() as victim, server.connect() as behind:
            victim.send(get("/deadlock"))
            behind.send(get("/pid"))
            assert victim.receive().status == behind.receive().status == 504
            wait_until(lambda: len(server.lines("EVENT=app-hung")) == 2, 10, "both are told of")
            [waits] = server.lines("EVENT=app-hung", f"REQUEST_ID={server.lines('GET /pid')[0].split('REQUEST_ID=')[1].split()[0]}")
            assert "take_gil" in waits or "PyEval_RestoreThread" in waits
        assert int(server.ask("/pid").body) != pid
        wait_until(lambda: pid not in server.workers(), 10, "it is replaced")


IMPATIENT_WATCH = "[server]\nworkers = 1\nthreads = 4\ngraceful_timeout = 1s\nwatchdog = 1s\n"


def test_python_that_works_long_does_not_hang(serve):
    """In pure Python, or while others can go on: as long as it likes."""
    with serve(IMPATIENT_WATCH) as server, contextlib.ExitStack() as stack:
        [pid] = server.workers()
        busy = [stack.enter_context(server.connect()) for _ in range(3)]
        for connection, target in zip(busy, ("/spins?s=2.5", "/spins?s=2.5", "/sleeps?s=2.5")):
            connection.send(get(target))
        assert [connection.receive().body for connection in busy] == [b"ok"] * 3
        assert server.workers() == [pid] and not server.lines("EVENT=app-hung") and not server.lines("EVENT=worker-recycled")


def test_c_code_that_keeps_python_waiting_has_to_say_so(serve):
    with serve(IMPATIENT_WATCH) as server:
        [pid] = server.workers()
        assert server.ask("/holds?s=2.5&extend=10").body == b"ok"
        assert server.workers() == [pid] and not server.lines("EVENT=app-hung")
        assert server.ask("/holds?s=20").status == 504
        assert "in holds" in server.wait_for_line("EVENT=app-hung").split("RUNTIME_STACK=")[1]
        wait_until(lambda: pid not in server.workers(), 10, "it is replaced")


def test_deadlock_holds_one_worker_until_it_is_noticed(serve):
    """Before [server] watchdog is over nothing tells it from what works; who would have to wait for a thread behind it is refused."""
    with serve(TWO.replace("threads = 2", "threads = 1") + "[http]\nqueue_timeout = 500ms\n") as server:
        with two_connections(server) as (victim, pid, other, bystander):
            victim.send(get("/deadlock"))
            began, statuses = time.monotonic(), set()
            while time.monotonic() - began < 2:
                statuses.add(server.ask("/pid").status)
                assert int(other.ask("/pid").body) == bystander
            assert 200 in statuses and statuses <= {200, 503}
            assert pid in server.workers() and not server.lines("EVENT=worker-hung")
            assert server.stop() == 0
            server.wait_for_line("GET /deadlock", "OUTCOME=shutdown")
            assert "in keeps_the_gil" in server.wait_for_line("EVENT=drain-timeout", "RUNTIME_STACK=", " STACK=")


def test_thread_that_never_ends_is_told_and_cut(serve):
    with serve(TWO.replace("workers = 2", "workers = 1")) as server:
        [worker] = server.workers()
        assert server.ask("/leaves_a_thread").body == b"ok"
        began = time.monotonic()
        assert server.stop() == 0
        assert 1 <= time.monotonic() - began < 5
        server.wait_for_line("Thread endless goes on, the end waits for it")
        assert "in never_ends\n" in server.output()
        server.wait_for_line("EVENT=drain-timeout", f"WORKER_PID={worker}")


def test_thread_that_ends_later_is_waited_for(serve):
    with serve(TWO.replace("1s", "10s")) as server:
        assert server.ask("/leaves_work?s=0.2").body == b"ok"
        assert server.stop() == 0
        server.wait_for_line("the work is done")
        assert not server.lines("EVENT=drain-timeout") and not server.lines("EVENT=worker-died") and not server.lines("goes on")


def test_daemons_are_left_behind(serve):
    with serve(TWO.replace("1s", "10s")) as server:
        for generation in (1, 2):
            assert server.ask("/leaves_daemons").body == b"ok"
            server.wait_for_line("daemon 3 is there", f"GENERATION={generation}")
            if generation == 1:
                server.signal(signal.SIGHUP)
                wait_until(lambda: len(server.lines("EVENT=worker-exited")) == 2, 10, "the first generation has ended")
        assert server.stop() == 0
        assert len(server.lines("EVENT=worker-exited")) == 4
        assert not server.lines("EVENT=worker-died") and not server.lines("goes on")


# -- processes ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("child, status", [("returns", 1), ("raises", 1), ("exits", 7), ("leaves", 1), ("execs", 9)])
def test_forked_child_leaves_the_request_to_its_parent(faults, child, status):
    with faults.connect() as connection:
        answer = connection.ask(f"/forks?child={child}")
        assert (answer.status, answer.body.decode()) == (200, str(status))
        assert connection.ask("/pid").status == 200
    assert len(faults.lines(f"GET /forks?child={child} HTTP/1.1", "OUTCOME=")) == 1
    said = {"returns": "RuntimeError: a forked child has no response to give", "raises": "ValueError: in the child", "leaves": "SystemExit: 8",
            "execs": "from the exec"}.get(child)
    wait_until(lambda: said is None or said in faults.output(), 5, said)


def test_crash_of_a_child_is_not_the_workers(serve, build):
    skip_what_sanitizers_report(build, "SIGNAL=SEGV")
    with serve(TWO.replace("workers = 2", "workers = 1")) as server:
        [worker] = server.workers()
        assert server.ask("/forks?child=crashes").body == b"-11"
        server.wait_for_line("Fatal Python error: Segmentation fault")
        assert server.workers() == [worker]
        os.kill(worker, signal.SIGKILL)
        died = server.wait_for_line("EVENT=worker-died")
        assert "SIGNAL=KILL" in died and "STACK=" not in died


def test_child_that_stays_holds_up_nobody(serve):
    with serve() as server:
        with server.connect() as connection:
            connection.send(get("/forks?child=stays").replace(b"Host", b"Connection: close\r\nHost"))
            child = int(connection.rest().rsplit(b"\r\n", 1)[1])  # the connection ends, though the child has it, too
        try:
            began = time.monotonic()
            assert server.stop() == 0
            assert time.monotonic() - began < 2
            os.kill(child, 0)
        finally:
            os.kill(child, signal.SIGKILL)


def test_programs_are_run_and_heard(faults):
    assert faults.ask("/runs").body.decode() == str((5, b"out\n", b"err\n"))
    assert "STREAM=stdout" in faults.wait_for_line(" of a child ")


def test_programs_get_nothing_of_the_server(faults):
    lines = faults.ask("/inherited").body.decode().splitlines()[1:]
    assert {int(line.split()[-3]) for line in lines} <= {0, 1, 2, 3} and "/proc/" in lines[-1]
    state = dict(line.split(":\t") for line in faults.ask("/signals_of_child").body.decode().splitlines() if ":\t" in line)
    # signals 32 and 33 are glibc's own: what posix_spawn() starts, as make does, ignores them
    assert int(state["SigBlk"], 16) == 0 and int(state["SigIgn"], 16) & ~(0b11 << 31) == 0


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"])
def test_programs_can_be_ended(faults, name):
    assert int(faults.ask(f"/terminates?signal={name}").body) == -getattr(signal, name)


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_multiprocessing(faults, context):
    assert faults.ask(f"/pools?context={context}").body.decode() == str([2 * number for number in range(10)])
    assert int(faults.ask(f"/processes?context={context}").body) == -signal.SIGTERM


def test_signals_of_the_server_are_not_the_applications(serve):
    with serve(at_import="handler") as server:
        assert "signal.signal(SIGTERM) does nothing" in server.wait_for_line("RuntimeWarning", "LOGGER=py.warnings", after=1)
        assert server.ask("/handles_signals").body == b"4"  # a child's are its own
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 1 and len(server.lines("EVENT=worker-exited")) == 2


# -- faults at import ----------------------------------------------------------------------------------

ONE = "[server]\nworkers = 1\n"
IMPATIENT = ONE + "start_timeout = 1s\n"
LATE = "loading it took longer than [server] start_timeout, 1000 ms"


@pytest.mark.parametrize("config, fault, told", [
    (IMPATIENT, "hang", LATE), (IMPATIENT, "deadlock", LATE), (ONE, "exit", "it ended the process with exit code 3"),
    (ONE, "exit_0", "it ended the process with exit code 0"), (ONE, "exit_78", "it ended the process with exit code 78"),
    (ONE, "leave", "SystemExit: 4"), (ONE, "segfault", "loading it ended with signal 11 (Segmentation fault)")])
def test_check_says_what_happened_at_import(build, tmp_path, monkeypatch, config, fault, told):
    if fault == "segfault":
        skip_what_sanitizers_report(build, fault)
    monkeypatch.setenv("FAULTS_AT_IMPORT", fault)
    code, output = check(build, tmp_path, config + FAULTS)
    assert code == 78 and f"checked.ini:{config.count(chr(10)) + 1}: [app faults] {told}" in output
    innermost = {"hang": "hangs_at_import", "deadlock": "keeps_the_gil", "segfault": "reads_at_null"}.get(fault)
    assert innermost is None or re.search(rf'Current thread .*\n(  File .*\n)*?  File ".*", line \d+ in {innermost}\n', output)


def test_check_is_not_held_up_by_threads(build, tmp_path, monkeypatch):
    monkeypatch.setenv("FAULTS_AT_IMPORT", "thread")
    code, output = check(build, tmp_path, ONE + FAULTS)
    assert code == 0 and "1 application loaded" in output


@pytest.mark.parametrize("fault, status, cause", [("exit", 70, "EXIT_CODE=3"), ("segfault", 70, "SIGNAL=SEGV"), ("leave", 78, "EXIT_CODE=78")])
def test_start_says_what_happened_at_import(build, tmp_path, fault, status, cause):
    if fault == "segfault":
        skip_what_sanitizers_report(build, cause)
    server = Serving(build, tmp_path, ONE + FAULTS)
    done = subprocess.run(server.command, capture_output=True, text=True, timeout=60, check=False,
                          env=builds.environment(RUNTIME_DIRECTORY=str(tmp_path), FAULTS_AT_IMPORT=fault))
    assert done.returncode == status, done.stderr
    [died, *_] = [line for line in done.stderr.splitlines() if "EVENT=worker-died" in line]
    assert cause in died and (fault != "segfault" or re.search(frames("reads_at_null", "<module>"), died))
    if status == 78:
        assert "Application faults cannot be started: SystemExit: 4 EVENT=app-failed" in done.stderr
        return
    assert re.search(r"before it was ready: loading application faults; try 2 .*EVENT=worker-backoff", done.stderr)
    assert "Giving up after 5 tries: loading application faults EVENT=master-failed" in done.stderr


def test_start_that_hangs_at_import_is_told(build, tmp_path):
    server = Serving(build, tmp_path, IMPATIENT + FAULTS)
    with open(server.output_file, "wb") as output, subprocess.Popen(
            server.command, stderr=output, preexec_fn=die_with_parent,
            env=builds.environment(RUNTIME_DIRECTORY=str(tmp_path), FAULTS_AT_IMPORT="hang")) as process:
        died = server.wait_for_line("EVENT=worker-died", seconds=20)
        process.terminate()
        assert process.wait(20) == 0
    assert "SIGNAL=ABRT" in died and re.search(frames("hangs_at_import", "<module>"), died)
    assert server.lines("was not ready in time, it is aborted: loading application faults", "EVENT=worker-hung")
