# SPDX-License-Identifier: LGPL-2.1-or-later
"""CGI programs that misbehave: each ends as documented and leaves nothing behind, and the worker is none the worse for it."""
import os
import re
import signal
import socket
import ssl
import struct
from pathlib import Path

import pytest

from lib.client import Incomplete
from lib.identity import Identity
from lib.processes import children, descriptors, has_ended
from lib.cgi import compiled, processes_of
from lib.serving import Serving
from lib.wait import wait_until

SETTINGS = "linger = 1s\noutput_limit = 20m\nerror_limit = 100k\n"
FAMILIES = {"family": 6, "family_streams": 6, "escapes_silently": 2}  # how many processes there are then
HASTY = "timeout = 700ms\ndeadline = 1s\nlinger = 200ms\n"


def application(build, more, name="cgi", mount="/"):
    return f"[app {name}]\ntype = cgi\nmount = {mount}\nprogram = {compiled(build)}/unruly\n{more}"


def config(build, more, server="[server]\nworkers = 1\nthreads = 4\n"):
    return server + application(build, more)


def programs(build):
    return processes_of(compiled(build) / "unruly")


@pytest.fixture(name="server", scope="module")
def a_server(build, tmp_path_factory):
    with Serving(build, tmp_path_factory.mktemp("faults"), config(build, SETTINGS) + application(build, HASTY, "hasty", "/hasty")) as running:
        running.ask("/answer")
        [running.worker] = running.workers()
        yield running
        assert running.workers() == [running.worker] and not running.lines("EVENT=worker-died")


@pytest.fixture(autouse=True)
def nothing_stays(request, build):
    """After each test that uses the server they share: no process, no descriptor, no zombie, no request."""
    if "server" not in request.fixturenames:
        yield
        return
    server = request.getfixturevalue("server")
    before = descriptors(server.worker)
    yield
    wait_until(lambda: not programs(build), 10, "no program runs any more")
    wait_until(lambda: not children(server.worker) and len(descriptors(server.worker)) <= len(before), 10,
               f"no descriptor stays: {before}, {descriptors(server.worker)}")
    assert server.ask("/answer").body == b"answer\n"


def failed(server, answer, *words):
    """The event that tells of it; there is one."""
    event = server.wait_for_line("EVENT=program-failed", f"REQUEST_ID={answer.request_id}", *words)
    server.wait_for_line("OUTCOME=", f"REQUEST_ID={answer.request_id}")
    assert len(server.lines("EVENT=program-failed", f"REQUEST_ID={answer.request_id}")) == 1
    assert re.search(r"CGI_PID=\d+", event) and "PROGRAM=/" in event and re.search("APP=(cgi|hasty)", event)
    return event


@pytest.mark.parametrize("mode, status, why, ending", [
    ("nothing", 502, "it printed nothing", "EXIT_CODE=0"), ("headers_only", 502, "ended within the header block", "EXIT_CODE=0"),
    ("endless_head", 502, "header block is too large", "SIGNAL=TERM"), ("endless_line", 502, "header block is too large", "SIGNAL=TERM"),
    ("junk", 502, "its header block", ""), ("nph", 502, "NPH", ""), ("short_length", 502, "less than its Content-Length", "EXIT_CODE=0"),
    ("hasty/drip_head", 504, "did nothing for too long", "SIGNAL=TERM"), ("hasty/silent", 504, "did nothing for too long", "SIGNAL=TERM"),
    ("hasty/ignores_term", 504, "did nothing for too long", "SIGNAL=KILL"), ("hasty/family", 504, "did nothing for too long", "SIGNAL=KILL"),
    ("hasty/escapes_silently", 504, "did nothing for too long", "SIGNAL=TERM"),
    ("hasty/leaves_group", 504, "did nothing for too long", "SIGNAL=TERM")])
def test_no_answer_is_a_502_or_504_with_a_reason(server, mode, status, why, ending):
    answer = server.ask(f"/{mode}")
    assert answer.status == status
    assert ending in failed(server, answer, why)
    server.wait_for_line(f"GET /{mode} HTTP/1.1 {status}", why)


TYPE = b"Content-Type: text/plain\n"


@pytest.mark.parametrize("printed, why", [
    (b"Status: 100 Continue\n\n", "Status that is not 200 to 599"), (b"Status: 101 Switching\nUpgrade: x\n\n", "Status that is not 200 to 599"),
    (b"Status: 2000\n\n", "no number of three digits"), (b"Status: +20\n\n", "Status that is not"), (b"Status:\n\n", "no number of three digits"),
    (b"Location: http://a/\rX-Injected: 1\n\n", "control character"), (b"Location: /a b\n\n", "no target"), (b"Location: /unruly#x\n\n", "no target"),
    (TYPE + b"X: a\0b\n\nx", "control character"), (b"X\0Y: 1\n" + TYPE + b"\nx", "no token"), (TYPE + b"hello\n\nx", "without a colon"),
    (TYPE + b"X : y\n\nx", "no token"), (TYPE + b" folded\n\nx", "folded"), (TYPE + b"X: " + b"a" * 100_000 + b"\n\nx", "header block is too large"),
    (b"\n" * 100_000, "neither Content-Type"), (b"\r", "within the header block"), (TYPE * 2 + b"\nx", "more than one Content-Type"),
    (TYPE + b"Content-Length: -1\n\nx", "Content-Length that is no number"), (TYPE + b"Content-Length: 1\n" * 2 + b"\nx", "more than one Content-Length"),
    (TYPE + b"".join(b"X-%d: y\n" % number for number in range(101)) + b"\n", "too many header fields")])
def test_output_that_is_no_answer_is_a_502(server, printed, why):
    answer = server.ask("/prints", method="POST", body=printed)
    assert answer.status == 502 and not {"x-injected", "x", "upgrade"} & set(answer.headers)
    server.wait_for_line(f"REQUEST_ID={answer.request_id}", "OUTCOME=", why)


@pytest.mark.parametrize("printed, status, headers, body", [
    (b"Status: 204\nContent-Length: 4\n\nbody", 204, {}, b""), (b"Status: 205\n\nbody", 205, {"content-length": "0"}, b""),
    (b"Status: 304\nETag: \"x\"\n\nbody", 304, {"etag": '"x"'}, b""), (b"Status: 304\nContent-Length: 1234\n\n", 304, {"content-length": "1234"}, b""),
    (b"Status: 304\nContent-Length: 2\n\nbody", 304, {"content-length": "2"}, b""), (b"Status:  404  Gone away \n" + TYPE + b"\nx", 404, {}, b"x"),
    (TYPE + b"Transfer-Encoding: chunked\n\n0\r\n\r\n", 200, {}, b"0\r\n\r\n"), (TYPE + b"Content-Length: 2\n\nhello", 200, {"content-length": "2"}, b"he"),
    (TYPE + b"Server: me\nDate: never\nX-Request-ID: mine\n\nx", 200, {"server": "appsrv"}, b"x"),
    (b"Status: 307 x\nLocation: /answer\n\n", 307, {"location": "/answer"}, b""), (b"sTaTuS: 201 Made\r\nX-A: b\r\n\r\n\nx", 201, {"x-a": "b"}, b"\nx")])
def test_output_that_is_an_answer_is_given_as_it_is_meant(server, printed, status, headers, body):
    answer = server.ask("/prints", method="POST", body=printed)
    assert answer.status == status and answer.body == body and headers.items() <= answer.headers.items()
    assert answer.headers["date"] != "never" and answer.request_id != "mine"
    assert server.ask("/answer").body == b"answer\n"


def test_program_that_prints_before_it_reads(server):
    """More than the pipes hold, in both directions at once."""
    body = b"b" * 2_000_000
    answer = server.ask("/prints_before_it_reads", method="POST", body=body)
    assert answer.body == b"answer\n" + bytes(1 << 20) + body


@pytest.mark.parametrize("mode, why, outcome", [
    ("endless_body", "beyond output_limit", "app-failed"), ("hasty/drip_body", "it took too long", "app-failed"),
    ("hasty/family_streams", "did nothing for too long", "app-failed"), ("short_stream", "less than its Content-Length", "app-failed")])
def test_answer_that_has_begun_is_cut(server, mode, why, outcome):
    before = len(server.lines(f"GET /{mode} "))
    with server.connect() as connection:
        with pytest.raises(Incomplete):
            connection.ask(f"/{mode}")
    line = server.wait_for_line(f"GET /{mode} ", "OUTCOME=", after=before)
    assert f"OUTCOME={outcome}" in line and "200" in line
    server.wait_for_line("EVENT=program-failed", re.search(r"REQUEST_ID=\w+", line)[0], why)


@pytest.mark.parametrize("mode, words", [
    ("fails", ("it failed", "EXIT_CODE=3")), ("crashes", ("it was killed", "SIGNAL=SEGV")),
    ("closes_stdout", ("went on after its answer", "SIGNAL=TERM"))])
def test_good_answer_with_a_bad_ending(server, mode, words):
    answer = server.ask(f"/{mode}")
    assert (answer.status, answer.body) == (200, b"answer\n")
    failed(server, answer, *words)


@pytest.mark.parametrize("mode, ending", [
    ("answer", "EXIT_CODE=0"), ("fails", "EXIT_CODE=3"), ("crashes", "SIGNAL=SEGV"), ("closes_stdout", "SIGNAL=TERM"),
    ("hasty/silent", "SIGNAL=TERM"), ("hasty/ignores_term", "SIGNAL=KILL")])
def test_record_of_a_request_tells_how_its_program_ended(server, mode, ending):
    """One record for each request, whatever the end: journalctl EXIT_CODE=3 finds it."""
    answer = server.ask(f"/{mode}")
    line = server.wait_for_line("OUTCOME=", f"REQUEST_ID={answer.request_id}")
    assert re.search(r" CGI_PID=\d+ ", line) and re.findall(r"(?:EXIT_CODE|SIGNAL)=\w+", line) == [ending]


@pytest.mark.parametrize("mode", ["forks", "forks_quietly", "escapes", "escapes_loudly"])
def test_child_that_stays_does_not_hold_the_request(server, mode):
    answer = server.ask(f"/{mode}")
    assert (answer.status, answer.body) == (200, b"answer\n")
    line = server.wait_for_line(f"REQUEST_ID={answer.request_id}", "OUTCOME=ok")
    assert int(re.search(r"DURATION_USEC=(\d+)", line)[1]) < 5_000_000
    assert not server.lines("EVENT=program-failed", f"REQUEST_ID={answer.request_id}")


# -- standard error ----------------------------------------------------------------------------------------

def errors(server, answer, n):
    return wait_until(lambda: len(found := server.lines("STREAM=stderr", f"REQUEST_ID={answer.request_id}")) >= n and found, 10, "errors arrive")


def test_errors_are_records_of_their_request(server):
    answer = server.ask("/errors")
    found = errors(server, answer, 3)
    assert len(found) == 3 and all(re.search(r"APP=cgi .*CGI_PID=\d+", line) for line in found)
    assert " first " in found[0] and "third without end" in found[2]


def test_errors_are_bytes(server):
    [line] = errors(server, server.ask("/error_bytes"), 1)
    assert line.count("APP=cgi") == 1 and r"a\x00b" in line


def test_errors_behind_the_answer_are_read(start, build, tmp_path):
    """The client does not wait for them."""
    mark = tmp_path / "mark"
    with start(config(build, "linger = 20s\n")) as server:
        answer = server.ask(f"/error_late?{mark}")
        assert answer.body == b"answer\n" and not server.lines("STREAM=stderr")
        mark.touch()
        [line] = errors(server, answer, 1)
        assert " late " in line
        wait_until(lambda: not programs(build), 10, "it has ended")


def test_errors_are_bounded_and_what_is_dropped_is_counted(server):
    answer = server.ask("/error_flood")
    assert answer.body == b"answer\n"
    line = server.wait_for_line("dropped", f"REQUEST_ID={answer.request_id}")
    assert f"{2_000_000 - 102_400} bytes more" in line
    kept = server.lines("eeee", f"REQUEST_ID={answer.request_id}")
    assert 100 <= len(kept) <= 104


# -- clients that leave, workers that end ---------------------------------------------------------------------

@pytest.mark.parametrize("mode, reset", [("silent", False), ("drip_body", False), ("pauses", False), ("family", True), ("escapes_silently", True)])
def test_client_that_leaves_ends_the_program(start, build, mode, reset):
    """No limit of time does it here."""
    with start(config(build, "timeout = 0\ndeadline = 0\nlinger = 200ms\n")) as server:
        connection = server.connect()
        connection.send(f"GET /{mode} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        wait_until(lambda: len(programs(build)) >= FAMILIES.get(mode, 1), 10, "the program runs")
        if mode in ("drip_body", "pauses"):
            connection.socket.recv(1)
        if reset:
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.socket.close()
        wait_until(lambda: not programs(build), 10, "it has ended")
        line = server.wait_for_line(f"GET /{mode} ", "OUTCOME=")
        assert "OUTCOME=client-abort" in line and (mode in ("drip_body", "pauses") or " 499 " in line)
        assert re.search(r" CGI_PID=\d+ SIGNAL=(TERM|KILL)", line)
        assert not server.lines("EVENT=program-failed") and not server.lines("handler failed")
        assert len(server.workers()) == 1 and not children(server.workers()[0])


def all_of(client):
    received = b""
    while more := client.recv(65536):
        received += more
    return received


def is_probed(server):
    """Whether the kernel finds out if a client is there that has closed his side (proc_net_tcp: 08, CLOSE_WAIT, and timer 2)."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]]
    return any(words[1].endswith(f":{server.address[1]:04X}") and words[3] == "08" and words[5].startswith("02:") for words in lines)


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_client_that_closes_only_his_side_gets_his_answer(start, build, tmp_path, version):
    """To see whether he is there one of HTTP/1.1 gets a word that changes nothing."""
    mark = tmp_path / "mark"
    with start(config(build, "timeout = 0\n")) as server, server.connect() as connection:
        client = connection.socket
        client.sendall(f"GET /waits?{mark} HTTP/{version}\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        client.shutdown(socket.SHUT_WR)
        wait_until(lambda: is_probed(server), 10, "the server has seen it")
        interim = b"HTTP/1.1 100 Continue\r\n\r\n" if version == "1.1" else b""
        received = client.recv(len(interim), socket.MSG_WAITALL) if interim else b""
        mark.touch()
        head, body = all_of(client).split(b"\r\n\r\n", 1)
        assert received == interim and b" 200 " in head.split(b"\r\n")[0] and body == b"answer\n"
        line = server.wait_for_line(f"GET /waits?{mark} ", "OUTCOME=ok")
        assert "EXIT_CODE=0" in line


def test_response_that_pauses_ends_with_his_side_and_has_nothing_else_in_it(start, build):
    with start(config(build, "timeout = 0\n")) as server, server.connect() as connection:
        connection.send(b"GET /pauses HTTP/1.1\r\nHost: a\r\n\r\n")
        received = connection.socket.recv(1, socket.MSG_WAITALL)
        connection.socket.shutdown(socket.SHUT_WR)
        received += all_of(connection.socket)
        assert received.startswith(b"HTTP/1.1 200 OK\r\n") and b"answer\n" in received and b"Continue" not in received
        wait_until(lambda: not programs(build), 10, "it has ended")


def test_client_on_a_unix_socket_who_closes_one_side_or_both(start, build, tmp_path):
    path, mark = tmp_path / "socket", tmp_path / "mark"
    with start(config(build, "timeout = 0\nlinger = 200ms\n"), arguments=["--listen", f"unix:{path}"]) as server:
        with socket.socket(socket.AF_UNIX) as half, socket.socket(socket.AF_UNIX) as whole:
            half.connect(str(path))
            half.sendall(f"GET /waits?{mark} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
            half.shutdown(socket.SHUT_WR)
            whole.connect(str(path))
            whole.sendall(b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: len(programs(build)) == 2, 10, "both programs run")
            whole.close()
            server.wait_for_line("GET /silent ", "OUTCOME=client-abort")
            mark.touch()
            assert all_of(half).endswith(b"answer\n")


def test_client_that_leaves_an_encrypted_connection_ends_the_program(start, build, tmp_path):
    with start(config(build, "timeout = 0\ndeadline = 0\n"), identity=Identity(tmp_path)) as server:
        with server.connect() as connection:
            connection.send(b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_until(lambda: programs(build), 10, "the program runs")
            connection.socket.settimeout(0)
            with pytest.raises(ssl.SSLWantReadError):  # the server has nothing to say to it now
                connection.socket.unwrap()
        wait_until(lambda: not programs(build), 10, "it has ended")
        server.wait_for_line("GET /silent ", "OUTCOME=client-abort")


@pytest.mark.parametrize("number, mode", [(signal.SIGKILL, "silent"), (signal.SIGKILL, "family"), (signal.SIGKILL, "escapes_silently"),
                                          (signal.SIGABRT, "family_streams")])
def test_worker_that_dies_takes_its_programs_along(start, build, number, mode):
    with start(config(build, "timeout = 0\ndeadline = 0\nlinger = 1h\n")) as server, server.connect() as connection:
        [worker] = server.workers()
        connection.send(f"GET /{mode} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        wait_until(lambda: len(programs(build)) >= FAMILIES.get(mode, 1), 10, "the program runs")
        os.kill(worker, number)
        wait_until(lambda: not programs(build), 10, "none of them is left")
        server.wait_for_line("EVENT=worker-died")
        wait_until(lambda: len(server.lines("EVENT=worker-ready")) == 2, 20, "a successor is ready")
        assert re.search(r" CGI_PID=\d+", server.wait_for_line(f"GET /{mode} ", "OUTCOME=worker-died"))


@pytest.mark.parametrize("mode", ["family", "escapes_silently"])
def test_programs_end_with_the_service(start, build, mode):
    """A request that goes on is waited for until graceful_timeout, its program is killed with the worker."""
    limits = "[server]\nworkers = 1\nthreads = 2\ngraceful_timeout = 500ms\n"
    with start(config(build, "timeout = 0\ndeadline = 0\n", limits)) as server, server.connect() as connection:
        connection.send(f"GET /{mode} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        wait_until(lambda: len(programs(build)) == FAMILIES[mode], 10, "the program runs")
        assert server.stop() == 0
        wait_until(lambda: not programs(build), 10, "none of them is left")
        server.wait_for_line(f"GET /{mode} ", "OUTCOME=shutdown")


def test_program_that_ends_in_time_is_waited_for(start, build):
    with start(config(build, "timeout = 1s\n")) as server, server.connect() as connection:
        connection.send(b"GET /silent HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: programs(build), 10, "the program runs")
        server.signal(signal.SIGTERM)
        assert connection.receive().status == 504
        assert server.process.wait(20) == 0 and not programs(build)


def test_request_timeout_of_the_server_ends_the_program_too(start, build):
    with start(config(build, "timeout = 0\n") + "[http]\nrequest_timeout = 500ms\n") as server:
        assert server.ask("/silent").status == 504
        wait_until(lambda: not programs(build), 10, "it has ended")
        server.wait_for_line("EVENT=request-timeout")
        server.wait_for_line("EVENT=program-failed", "longer than request_timeout", "SIGNAL=TERM")


# -- what descends from a program, and what does not -----------------------------------------------------------

def test_detached_process_outlives_a_program_that_ends_well(start, build):
    """And nothing else does: not behind the streams of the program, nor one that had to be ended."""
    limits = "[server]\nworkers = 1\nthreads = 2\n"
    with start(config(build, "detach = yes\nlinger = 500ms\ntimeout = 500ms\n", limits)) as server:
        for mode in ("escapes_loudly", "forks_quietly", "escapes_silently"):
            server.ask(f"/{mode}")
            wait_until(lambda: not programs(build), 10, f"{mode}: it has ended")
        server.ask("/escapes")
        server.ask("/answer")
        [pid] = programs(build)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not os.path.exists(f"/proc/{pid}"), 10, "the master has waited for it")


STARTS = """
import subprocess
started = []
def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/wait":
        return [str(started[0].wait(10)).encode()]
    started.append(subprocess.Popen(["sleep", "1000"]))
    orphan = subprocess.run("sleep 1000 >/dev/null 2>&1 & echo $!", shell=True, stdout=subprocess.PIPE).stdout
    return [b"%d %s" % (started[0].pid, orphan)]
"""


def test_processes_of_other_applications_are_left_alone(start, build, tmp_path):
    """Also those that have lost their parents, and are the master's as the descendants of programs are."""
    if not (build.path / "wsgi.so").exists():
        pytest.skip("no plug-in for Python in this build")
    (tmp_path / "starts.py").write_text(STARTS)
    text = config(build, HASTY) + f"[app starts]\ntype = wsgi\nmount = /starts\nmodule = starts:app\nchdir = {tmp_path}\n"
    with start(text) as server:
        child, orphan = map(int, server.ask("/starts").body.split())
        for mode in ("escapes", "escapes_silently", "family"):
            server.ask(f"/{mode}")
            wait_until(lambda: not programs(build), 10, f"{mode}: it has ended")
        assert not has_ended(child) and not has_ended(orphan)
        os.kill(child, signal.SIGTERM)
        assert server.ask("/starts/wait").body == b"-15"  # nobody else has waited for it
        os.kill(orphan, signal.SIGKILL)
        wait_until(lambda: not os.path.exists(f"/proc/{orphan}"), 10, "the master has waited for it")
