# SPDX-License-Identifier: LGPL-2.1-or-later
"""preload = yes: applications are loaded once, in a template process, and workers are forked from it."""
import contextlib
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from lib import builds
from lib.client import Load
from lib.processes import children, descriptors, has_ended
from lib.roots import Unavailable
from lib.serving import Serving, free_port
from lib.wait import wait_until
from test_plugins import check
from test_valgrind import PATIENT, VALGRIND, reload, skip_without_valgrind
from test_valgrind import check as check_log
from test_wsgi_faults import skip_what_sanitizers_report
from test_wsgi import application, the_plugin  # noqa: F401  pylint: disable=unused-import

CONFIG = "[server]\nworkers = {workers}\nthreads = 2\npreload = {preload}\nwatchdog = {watchdog}\ngraceful_timeout = 2s\n{more}\n"
TWO = CONFIG.format(workers=2, preload="yes", watchdog="10s", more="")
FAULTS = application("faults", "faults:app")
SERVED = """
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{LOADED} {os.getpid()} {VERSION}".encode()]
"""
MODULE = """
import logging
import os
import sys

LOADED = os.getpid()
VERSION = 1
logging.getLogger("shop").info("loaded in %d", LOADED)
sys.stdout.write("half a line")
""" + SERVED


def config(workers=2, preload="yes", watchdog="10s", more=""):
    return CONFIG.format(workers=workers, preload=preload, watchdog=watchdog, more=more)


def native(build, name="forked", more=""):
    return f"[app {name}]\ntype = native\npath = {build.application(name)}\n{more}"


def named(server, name):
    """The children of the master whose name begins so."""
    found = []
    for pid in server.workers():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text(encoding="ascii").startswith(name):
                found.append(pid)
    return found


def template(server):
    """Its pid. A worker that has just been forked has its name for a moment."""
    [pid] = wait_until(lambda: pids if len(pids := named(server, "appsrv-template")) == 1 else None, 10, "there is one")
    return pid


def workers(server):
    return named(server, "appsrv-w")


def ready(server, event="EVENT=worker-ready"):
    return len(server.lines(event))


def pid_of(line):
    return int(re.search(r"WORKER_PID=(\d+)", line)[1])


@pytest.fixture(name="serve")
def a_function(build, tmp_path, plugin):
    """A function that makes a server of a module in Python, in a folder of its own."""
    def make(text=MODULE, first=TWO):
        folder = tmp_path / f"server{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / "shop.py").write_text(text)
        return Serving(build, folder, first + f"[app shop]\ntype = wsgi\nmodule = shop:app\nchdir = {folder}\n")
    return make


# -- what is shared ------------------------------------------------------------------------------

def test_it_is_loaded_once_and_each_worker_has_a_life_of_its_own(serve):
    with serve() as server:
        made = template(server)
        pids = workers(server)
        assert len(pids) == 2
        told = [server.ask("/").body.decode().split() for _ in range(20)]
        assert {int(loaded) for loaded, *_ in told} == {made}
        assert {int(pid) for _, pid, _ in told} == set(pids)
        [line] = server.lines(f"loaded in {made}")
        assert f"WORKER_PID={made}" in line and "WORKER_ID=" not in line and "LOGGER=shop" in line and "APP=shop" in line
        wait_until(lambda: server.lines("half a line"), 5, "it is told")
        assert len(server.lines("half a line")) == 1, "what was printed before a fork is nobody's but the template's"
        for number in (1, 2):
            [line] = server.lines("EVENT=worker-ready", f"Worker {number} ")
            assert pid_of(line) in pids
    assert len(server.lines("EVENT=worker-exited")) == 2 and len(server.lines("EVENT=template-exited")) == 1
    assert not server.lines("-died")


def test_without_it_each_worker_loads_it(serve):
    with serve(first=config(preload="no")) as server:
        assert len(server.workers()) == 2
        assert {int(line.split("loaded in ")[1].split()[0]) for line in server.lines("loaded in")} == set(server.workers())
        assert not server.lines("EVENT=template")


def test_native_application_is_told_of_each_fork(start, build):
    with start(TWO + native(build)) as server:
        made = template(server)
        told = {server.ask("/").body for _ in range(20)}
        assert len(told) == 2
        for line in told:
            started, pid, prepared, parent, child, number = map(int, line.split())
            assert started == made and pid in workers(server) and number in (1, 2)
            server.wait_for_line("a line of its own", f"WORKER_PID={pid}")
            assert (prepared, parent, child) == (number, number - 1, 1), "both parents forked twice, the second knows of the first"
    assert len(server.lines("half a line at the start")) == 1 and not server.lines("half a line", "a line of its own")
    assert len(server.lines("stopped in")) == 2 and not server.lines(f"stopped in {made}")


def test_one_that_does_not_allow_it_is_started_in_each_worker(start, build):
    mixed = native(build) + "mount = /forked\n" + native(build, "probe") + "mount = /probe\n"
    with start(TWO + mixed) as server:
        made = template(server)
        assert {line.split()[0] for line in (server.ask("/forked").body for _ in range(10))} == {str(made).encode()}
        assert int(server.ask("/probe/pid").body) in workers(server)


def test_other_kinds_are_served_as_ever(start, build, tmp_path):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.txt").write_text("a page")
    program = shutil.which("env")
    files = f"[app pages]\ntype = static\nroot = {tmp_path}/pages\nmount = /pages\n"
    cgi = tmp_path / "program"
    cgi.write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'; readlink /proc/self/fd/* | sort\n")
    cgi.chmod(0o755)
    with start(TWO + files + native(build) + f"[app program]\ntype = cgi\nprogram = {cgi}\nmount = /program\n") as server:
        assert program and server.ask("/pages/a.txt").body == b"a page"
        opened = server.ask("/program").body.decode().split()
        assert all(name.startswith(("pipe:", "/dev/null", "/proc/", str(cgi))) for name in opened), "nothing of the server is inherited"


def test_worker_has_nothing_of_the_template(serve):
    """Its descriptors are those of a worker that was forked by the master."""
    def kinds(pid):
        return sorted(re.sub(r"\d+", "N", name) for name in descriptors(pid).values())

    with serve(first=config(workers=1)) as preloading, serve(first=config(workers=1, preload="no")) as usual:
        [one], [other] = workers(preloading), usual.workers()
        wait_until(lambda: kinds(one) == kinds(other), 10, f"they are the same: {kinds(one)}, {kinds(other)}")


def test_where_stacks_go_is_each_ones_own(serve):
    def files(pid):
        return {os.stat(f"/proc/{pid}/fd/{fd}").st_ino for fd, name in descriptors(pid).items() if "appsrv-stack" in name}

    with serve() as server:
        one, two, three = (files(pid) for pid in (template(server), *workers(server)))
        assert len(one) == len(two) == len(three) == 2 and len(one | two | three) == 6


# -- in a worker all is as without it ------------------------------------------------------------

def test_records_name_the_worker_and_the_request(start):
    with start(TWO + application("logs", "logs:app")) as server:
        for target, words in (("/levels", ("level 30", "LOGGER=shop.orders")), ("/trace", ("KeyError: 'key'", "EXCEPTION=KeyError")),
                              ("/prints", ("STREAM=stdout",))):
            answer = server.ask(target)
            line = server.wait_for_line(*words, f"REQUEST_ID={answer.request_id}")
            assert pid_of(line) in workers(server) and " tmpl " not in line
            line = server.wait_for_line("OUTCOME=ok", f"REQUEST_ID={answer.request_id}")
            assert pid_of(line) in workers(server)


def test_child_of_the_application_is_no_worker(start, build):
    skip_what_sanitizers_report(build, "SIGNAL=SEGV")
    with start(TWO + FAULTS) as server:
        pids = workers(server)
        assert server.ask("/forks?child=crashes").body == b"-11"
        assert server.ask("/runs").body.decode() == str((5, b"out\n", b"err\n"))
        assert workers(server) == pids and not server.lines("EVENT=worker-died")


def test_crash_of_a_worker_has_its_own_evidence(start, build):
    skip_what_sanitizers_report(build, "SIGNAL=SEGV")
    with start(config(workers=1) + FAULTS) as server:
        [pid] = workers(server)
        made = template(server)
        with contextlib.suppress(Exception):
            server.ask("/segfault")
        died = server.wait_for_line("EVENT=worker-died")
        assert f"WORKER_PID={pid}" in died and "SIGNAL=SEGV" in died and "GET /segfault" in died
        assert "LAST_OUTPUT=Fatal Python error: Segmentation fault" in died and "in reads_at_null" in died and "STACK=" in died
        server.wait_for_line("EVENT=worker-ready", after=1)
        assert template(server) == made, "the next one comes from the same"
        assert len(server.lines("GET /segfault", "OUTCOME=worker-died")) == 1
        assert server.ask("/pid").status == 200


def test_stack_of_a_request_that_takes_too_long_is_the_workers_own(start):
    limit = config(more="[http]\nrequest_timeout = 1s")
    with start(limit + FAULTS) as server:
        with server.connect() as one, server.connect() as other:
            for connection in (one, other):
                connection.send(b"GET /sleeps?s=60 HTTP/1.1\r\nHost: a\r\n\r\n")
            assert one.receive().status == other.receive().status == 504
        told = wait_until(lambda: lines if len(lines := server.lines("EVENT=request-timeout")) == 2 else None, 10, "both are told")
        for line in told:
            assert "in sleeps" in line.split("RUNTIME_STACK=")[1]


def test_descriptors_and_zombies_do_not_grow(start):
    with start(TWO + FAULTS) as server:
        before = len(descriptors(server.process.pid)), len(descriptors(template(server)))
        for _ in range(5):
            ended = ready(server)
            os.kill(workers(server)[0], signal.SIGKILL)
            wait_until(lambda ended=ended: ready(server) > ended, 10, "the next one is ready")
        wait_until(lambda: (len(descriptors(server.process.pid)), len(descriptors(template(server)))) == before, 10, "all is closed")
        assert not [pid for pid in children(server.process.pid) if has_ended(pid)]


def test_orphans_of_applications_are_reaped(serve):
    orphan = MODULE.replace("    return [", """
    if os.fork() == 0:
        if os.fork() == 0:
            os.setsid()
        os._exit(0)
    os.wait()
    return [""")
    with serve(orphan) as server:
        for _ in range(10):
            assert server.ask("/").status == 200
        wait_until(lambda: len(children(server.process.pid)) == 3, 10, "only template and workers are left")


# -- the template ends ---------------------------------------------------------------------------

@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_its_death_is_told_and_harms_nobody(serve, build, number):
    skip_what_sanitizers_report(build, "SIGNAL=ABRT" if number == signal.SIGKILL else "SIGNAL=SEGV")
    with serve() as server:
        made, pids = template(server), workers(server)
        with Load(server, threads=2) as load:
            load.wait_for_answers(20)
            os.kill(made, number)
            died = server.wait_for_line("EVENT=template-died")
            server.wait_for_line("EVENT=template-ready", after=1)
            load.wait_for_answers(20)
            os.kill(pids[0], signal.SIGTERM)  # ends well, and is replaced
            server.wait_for_line("EVENT=worker-ready", after=2)
            load.wait_for_answers(20)
            load.stop()
        assert not load.failed, load.failed[:3]
        assert f"WORKER_PID={made}" in died and f"SIGNAL={number.name[3:]}" in died and f"(pid {made}) died" in died
        assert template(server) != made and pids[1] in workers(server)
        assert {int(server.ask("/").body.split()[0]) for _ in range(20)} == {made, template(server)}
    assert not server.lines("EVENT=worker-died")


def test_one_that_hangs_in_a_fork_is_aborted_and_replaced(serve):
    hangs = MODULE + """
import threading
forks = []


def before():
    forks.append(0)
    if len(forks) == 3 and not os.path.exists("hung"):
        open("hung", "w").close()
        threading.Event().wait()


os.register_at_fork(before=before)
"""
    with serve(hangs, config(watchdog="1s")) as server:
        made, pids = template(server), workers(server)
        os.kill(pids[0], signal.SIGKILL)
        hung = server.wait_for_line("EVENT=template-hung", seconds=20)
        assert f"WORKER_PID={made}" in hung
        died = server.wait_for_line("EVENT=template-died", seconds=20)
        assert "CAUSE=hung" in died and "SIGNAL=ABRT" in died and "in before" in died
        server.wait_for_line("EVENT=worker-ready", after=2, seconds=20)
        assert len(workers(server)) == 2 and server.ask("/").status == 200


def test_worker_that_was_not_known_yet_ends_with_the_template(serve):
    """Killed between fork and receipt: nobody is left behind."""
    killed = MODULE + """
import signal
os.register_at_fork(after_in_parent=lambda: os.path.exists("now") and (os.unlink("now"), os.kill(os.getpid(), signal.SIGKILL)))
"""
    with serve(killed) as server:
        (server.folder / "now").touch()
        os.kill(workers(server)[0], signal.SIGKILL)
        server.wait_for_line("EVENT=template-died")
        server.wait_for_line("EVENT=worker-ready", after=2, seconds=20)
        wait_until(lambda: len(children(server.process.pid)) == 3, 10, "one template and two workers are there")
        assert not (server.folder / "now").exists() and server.ask("/").status == 200


# the serial of the third order, and a result
@pytest.mark.parametrize("lie, told", [
    ("struct.pack('Ii', 3, 1)", "No such process"), ("struct.pack('Ii', 3, os.getppid())", "No such process"),
    ("struct.pack('Ii', 3, os.getpid())", "No such process"), ("struct.pack('Ii', 3, -11)", "Resource temporarily unavailable"),
    ("struct.pack('Ii', 3, 0)", "Bad message"), ("struct.pack('Ii', 2, -11)", None), ("struct.pack('Ii', 9, 1)", None), ("bytes(1)", None),
    ("bytes(4096)", None), ("b''", None)])
def test_what_it_says_is_not_believed(serve, lie, told):
    """Code of the application finds the socket of the orders and says what it likes, before the receipt."""
    lies = MODULE + f"""
import socket
import struct


def before():
    for fd in range(3, 64) if os.path.exists("lie") else ():
        try:
            with socket.socket(fileno=os.dup(fd)) as one:
                if one.family == socket.AF_UNIX and one.type == socket.SOCK_SEQPACKET:
                    one.send({lie}, socket.MSG_DONTWAIT)
        except OSError:
            pass


os.register_at_fork(before=before)
"""
    with serve(lies) as server:
        pids = workers(server)
        (server.folder / "lie").touch()
        os.kill(pids[0], signal.SIGKILL)
        if told:
            server.wait_for_line(f"it cannot be forked: {told}")
        else:
            wait_until(lambda: len(workers(server)) == 2, 10, "it has no effect")
        assert pids[1] in workers(server) and server.ask("/").status == 200
        (server.folder / "lie").unlink()
        wait_until(lambda: len(children(server.process.pid)) == 3 and len(workers(server)) == 2, 30, "all are there again, and nobody else")
        started = [pid_of(line) for line in server.lines("EVENT=worker-started")]
        assert not {1, server.process.pid, template(server)} & set(started) and len(set(started)) == len(started)


def test_death_of_the_master_ends_all(serve):
    with serve() as server:
        everybody = children(server.process.pid)
        server.process.kill()
        server.process.wait()
        wait_until(lambda: all(has_ended(pid) for pid in everybody), 10, "all have ended")
        server.process.returncode = 0


# -- start and reload ----------------------------------------------------------------------------

def run(build, folder, text):
    (folder / "shop.py").write_text(text)
    file = folder / "appsrv.ini"
    file.write_text(TWO + f"[app shop]\ntype = wsgi\nmodule = shop:app\nchdir = {folder}\n")
    return subprocess.run([build.program, "serve", "-c", file, "--listen", f"127.0.0.1:{free_port()}", "--log", "console"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False, env=builds.environment())


@pytest.mark.parametrize("text, code, words", [
    ("import module_that_nobody_has", 78, ("EVENT=app-failed", "No module named 'module_that_nobody_has'")),
    ("import os\nos.kill(os.getpid(), 11)", 70, ("EVENT=template-died", "SIGNAL=SEGV", "LAST_OUTPUT=Fatal Python error")),
    ("import os\nos._exit(3)", 70, ("EVENT=template-died", "EXIT_CODE=3")),
])
def test_start_says_why_it_cannot_be_loaded(build, tmp_path, plugin, text, code, words):
    skip_what_sanitizers_report(build, "SIGNAL=SEGV" if "SIGNAL=SEGV" in words else "SIGNAL=ABRT")
    done = run(build, tmp_path, text)
    assert done.returncode == code, done.stderr
    assert any(all(word in line for word in words) for line in done.stderr.splitlines()), done.stderr
    assert "EVENT=worker-" not in done.stderr and (code == 78 or "EVENT=template-backoff" in done.stderr)


def test_reload_is_new_code_and_a_broken_one_is_refused_under_load(serve):
    with serve() as server, Load(server, threads=2) as load:
        made = template(server)
        load.wait_for_answers(20)
        for text, why in (("import module_that_nobody_has\n", "No module named"), ("import os\nos._exit(0)\n", "loading application shop"),
                          ("def app(:\n", "SyntaxError")):
            refused = len(server.lines("EVENT=reload-failed"))
            (server.folder / "shop.py").write_text(text)
            server.signal(signal.SIGHUP)
            server.wait_for_line("EVENT=reload-failed", after=refused)
            load.wait_for_answers(20)
            assert template(server) == made and why in server.lines("EVENT=reload-failed")[-1] + str(server.lines("EVENT=app-failed"))
        (server.folder / "shop.py").write_text(MODULE.replace("VERSION = 1", "VERSION = 22"))
        server.signal(signal.SIGHUP)
        server.wait_for_line("EVENT=reload-done")
        load.wait_for_answers(20)
        assert server.ask("/").body.split()[2] == b"22"
        wait_until(lambda: len(children(server.process.pid)) == 3 and template(server) != made, 10, "the old ones are gone")
        load.stop()
        assert not load.failed, load.failed[:3]


@pytest.mark.parametrize("when, told", [(0, "it cannot be forked: Protocol driver not attached"), (2, "its fork() failed: Protocol driver not attached")])
def test_refusal_of_a_fork_is_told(start, build, when, told):
    with start(TWO + native(build, more=f"fail_at = 3\nrefuse_in = {when}\n")) as server:
        os.kill(workers(server)[0], signal.SIGKILL)
        server.wait_for_line(told)
        if when == 0:  # the next try is the fourth
            server.wait_for_line("EVENT=worker-ready", after=2)
        assert server.ask("/").status == 200


def test_check_loads_it_as_ever(build, tmp_path):
    assert check(build, tmp_path, TWO + native(build)) [0] == 0
    code, told = check(build, tmp_path, "[server]\npreload = perhaps\n" + native(build))
    assert code == 78 and "[server] preload: 'perhaps'" in told and "yes or no" in told


# -- with the rest of supervision ----------------------------------------------------------------

def test_workers_are_recycled_and_their_number_changes(serve):
    with serve(first=config(more="max_requests = 50")) as server:
        made = template(server)
        with Load(server, threads=2) as load:
            wait_until(lambda: len(server.lines("EVENT=worker-recycled")) >= 4, 30, "four were recycled")
            server.signal(signal.SIGTTIN)
            server.wait_for_line("EVENT=scaled", "Up to 3 workers")
            wait_until(lambda: len(workers(server)) >= 3, 10, "a third one is there")
            server.signal(signal.SIGTTOU)
            server.wait_for_line("EVENT=scaled", "Down to 2 workers")
            load.wait_for_answers(20)
            load.stop()
        assert not load.failed, load.failed[:3]
        assert template(server) == made and not server.lines("-died")


# a fork waits until somebody opens the other end of the pipe
SLOW_TO_FORK = MODULE + """
os.register_at_fork(before=lambda: os.path.exists("slow") and open("slow").close())
"""


def let_it_fork(server):
    with open(server.folder / "slow", "wb"):
        (server.folder / "slow").unlink()


def test_worker_that_comes_when_it_is_not_wanted_any_more_goes(serve):
    with serve(SLOW_TO_FORK) as server:
        os.mkfifo(server.folder / "slow")
        server.signal(signal.SIGTTIN)
        server.wait_for_line("EVENT=scaled", "Up to 3 workers")
        server.signal(signal.SIGTTOU)
        server.wait_for_line("EVENT=scaled", "Down to 2 workers")
        assert len(server.lines("EVENT=worker-started")) == 2, "it has not come yet"
        let_it_fork(server)
        server.wait_for_line("EVENT=worker-started", after=2)
        wait_until(lambda: len(workers(server)) == 2, 10, "one has gone")
        assert server.ask("/").status == 200


def test_stop_while_a_worker_is_on_its_way(serve):
    with serve(SLOW_TO_FORK) as server:
        os.mkfifo(server.folder / "slow")
        os.kill(workers(server)[0], signal.SIGKILL)
        server.wait_for_line("EVENT=worker-died")
        assert len(server.lines("EVENT=worker-started")) == 2
        server.process.terminate()
        server.wait_for_line("EVENT=master-stopping")
        let_it_fork(server)
    assert not server.lines("EVENT=template-died") and not server.lines("EVENT=worker-died")[1:]


def test_status_shows_it(serve, build):
    with serve() as server:
        socket = server.folder / "runtime" / "status"
        shown = subprocess.run([build.program, "status", "--socket", socket], capture_output=True, text=True, timeout=20, check=True,
                               env=builds.environment()).stdout
        assert re.search(rf"^template {template(server)}, \S+ old; generation 1, ready$", shown, re.M), shown
        assert shown.startswith("2 workers ")
        told = subprocess.run([build.program, "status", "--json", "--socket", socket], capture_output=True, text=True, timeout=20, check=True,
                              env=builds.environment()).stdout
        server.signal(signal.SIGUSR1)
        assert f"TEMPLATE_PID={template(server)}" in server.wait_for_line("EVENT=service-state")
        assert f'"templates":[{{"pid":{template(server)},"generation":1,"state":"ready"' in told


def test_memory_is_shared(serve, build):
    """What was loaded is in memory once: each worker has little of its own."""
    loads = MODULE.replace("    return [", "    gc.collect()\n    return [") + "\nimport gc\nGOODS = [[n] for n in range(400000)]\n"

    def own(pid):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
        return sum(int(kilobytes) for kilobytes in re.findall(r"^Private_\w+:\s+(\d+) kB", text, re.M))

    if build.is_sanitized:
        raise Unavailable("a sanitizer has memory of its own")
    with serve(loads) as server:
        for _ in range(50):
            server.ask("/")
        assert all(own(pid) < 20000 for pid in workers(server)), [own(pid) for pid in workers(server)]
    with serve(loads, config(preload="no")) as server:
        assert all(own(pid) > 40000 for pid in server.workers())


def test_a_life_with_it_leaks_nothing(start, build, tmp_path):
    skip_without_valgrind(build)
    patient = PATIENT + "preload = yes\n" + native(build)
    with start(patient, wrapper=VALGRIND) as server:
        assert server.ask("/").status == 200
        wait_until(lambda: server.lines("EVENT=master-ready"), 60, "it is ready")
        reload(server, patient)
        [made] = wait_until(lambda: pids if len(pids := [pid_of(line) for line in server.lines("EVENT=template-ready", "GENERATION=2")]) else None, 60, "two")
        os.kill(made, signal.SIGTERM)
        server.wait_for_line("EVENT=template-ready", after=2, seconds=60)
        assert server.ask("/").status == 200
    # the master, three templates, for each worker of the two generations itself and who was its parent for a moment
    logs = list(tmp_path.glob("valgrind.*"))
    assert len(logs) >= 12
    for log in logs:
        check_log(log)
