# SPDX-License-Identifier: LGPL-2.1-or-later
"""CGI programs that do what they should: what they are told, what the client gets, and which of them are found at all."""
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from lib import builds
from lib.client import Connection, Server
from lib.identity import Identity
from lib.processes import die_with_parent
from lib.cgi import SCRIPTS, compiled, processes_of, variables
from lib.serving import Serving, free_port
from lib.wait import wait_until

TWO = "[server]\nworkers = 1\nthreads = 2\n"


def application(root, more="", name="cgi", mount="/"):
    return f"[app {name}]\ntype = cgi\nroot = {root}\nmount = {mount}\n{more}"


@pytest.fixture(name="folder", scope="module")
def a_folder(build, tmp_path_factory):
    """A folder with all programs, and what is none."""
    folder = tmp_path_factory.mktemp("programs")
    for program in [*SCRIPTS.glob("*.*"), *compiled(build).iterdir()]:
        if program.suffix != ".c":
            shutil.copy(program, folder)
    (folder / "sub").mkdir()
    for name in ("sub/show", ".hidden", "nph-show"):
        shutil.copy(SCRIPTS / "show.sh", folder / name)
    (folder / "plain.txt").write_text("no program")
    (folder / "outside").symlink_to("/usr/bin/env")
    (folder / "loop").symlink_to("loop")
    (folder / "empty").touch(0o755)
    return folder


@pytest.fixture(scope="module")
def server(build, folder, tmp_path_factory):
    config = TWO + application(folder, "env.COLOUR = a b=c\ninherit = PATH, APPSRV_TEST_WORD\n") + application(folder, mount="/m/n", name="deep")
    with Serving(build, tmp_path_factory.mktemp("server"), config, wrapper=("env", "APPSRV_TEST_WORD=word", "APPSRV_TEST_SECRET=s")) as running:
        yield running


@pytest.mark.parametrize("script, kind", [("show.sh", "shell"), ("show.pl", "perl"), ("show.py", "python")])
def test_program_in_each_language_has_variables_and_body(server, script, kind):
    answer = server.ask(f"/{script}/a%20b/c?x=%41&y", method="POST", body=b"the body", headers=[
        ("X-Word", "one"), ("x-word", "two"), ("Content-Type", "text/x"), ("Proxy", "http://evil/"), ("X_Under", "score")])
    assert answer.status == 200 and answer.headers["x-program"] == kind and answer.headers["content-type"] == "text/plain"
    found, body = variables(answer)
    assert body == b"the body"
    expected = {b"GATEWAY_INTERFACE": b"CGI/1.1", b"REQUEST_METHOD": b"POST", b"SCRIPT_NAME": b"/" + script.encode(), b"PATH_INFO": b"/a b/c",
                b"QUERY_STRING": b"x=%41&y", b"CONTENT_LENGTH": b"8", b"CONTENT_TYPE": b"text/x", b"HTTP_X_WORD": b"one, two",
                b"REMOTE_ADDR": b"127.0.0.1", b"REMOTE_HOST": b"127.0.0.1", b"SERVER_PROTOCOL": b"HTTP/1.1", b"SERVER_NAME": b"localhost",
                b"SERVER_PORT": b"80", b"COLOUR": b"a b=c", b"APPSRV_TEST_WORD": b"word", b"REQUEST_ID": answer.request_id.encode()}
    assert {name: found.get(name) for name in expected} == expected
    assert found[b"SERVER_SOFTWARE"].startswith(b"appsrv/") and found[b"PATH_TRANSLATED"].endswith(b"/a b/c")
    assert not {b"HTTP_PROXY", b"HTTP_X_UNDER", b"APPSRV_TEST_SECRET", b"REMOTE_USER", b"AUTH_TYPE", b"HTTPS"} & set(found)
    server.wait_for_line("is not given header X_Under", "EVENT=header-left-out")


def test_mount_is_part_of_the_name(server):
    found, _ = variables(server.ask("/m/n/sub/show/x"))
    assert (found[b"SCRIPT_NAME"], found[b"PATH_INFO"]) == (b"/m/n/sub/show", b"/x")


def test_query_is_never_an_argument(server, build, tmp_path):
    script = tmp_path / "arguments"
    script.write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s' \"$#\"\n")
    script.chmod(0o755)
    with Serving(build, tmp_path, TWO + f"[app one]\ntype = cgi\nprogram = {script}\n") as one:
        assert one.ask("/?-s+-x").body == b"0"


@pytest.mark.parametrize("target, status", [
    ("/none", 404), ("/", 404), ("/sub", 404), ("/sub/", 404), ("/.hidden", 404), ("/outside", 404), ("/loop", 404), ("/plain.txt", 403), ("/nph-show", 501),
    ("/sub/../plain.txt", 403), ("/sub/%2e%2e/plain.txt", 403), ("/../../etc/passwd", 400), ("/%2e%2e/%2e%2e/etc/passwd", 400),
    ("/..%2f..%2fetc/passwd", 400), ("//show.sh", 404), ("/sub//show", 404), ("/show.sh%00.txt", 400), ("/sub/show%2f..%2f..%2f.hidden", 404),
    ("/empty", 500)])
def test_what_is_no_program_is_not_run(server, target, status):
    assert server.ask(target).status == status


def test_refusals_say_why(server):
    server.ask("/nph-show")
    server.wait_for_line("/nph-show HTTP/1.1 501", "NPH")
    server.ask("/empty")
    server.wait_for_line("EVENT=program-failed", "empty: it is no program")


def test_what_cannot_be_executed_says_why(server, folder):
    (folder / "lost").write_text("#!/nowhere/interpreter\n")
    (folder / "lost").chmod(0o755)
    shutil.copy(folder / "hello", folder / "busy")
    assert server.ask("/lost").status == 500
    server.wait_for_line("EVENT=program-failed", "lost: it, or the interpreter")
    with open(folder / "busy", "r+b"):
        assert server.ask("/busy").status == 500
        server.wait_for_line("EVENT=program-failed", "busy: Text file busy")
    assert server.ask("/busy").status == 200


def test_environment_that_no_program_takes_is_refused(start, folder):
    """256 KiB in all: here the configuration alone comes close to it."""
    with start(TWO + application(folder, "".join(f"env.V{number:04} = {'x' * 180}\n" for number in range(1380)))) as server:
        found, _ = variables(server.ask("/show.sh"))
        assert found[b"V0000"] == found[b"V1379"] == b"x" * 180 and found[b"SCRIPT_NAME"] == b"/show.sh"
        answer = server.ask("/hello", headers=[("X-Big", "x" * 8_000)])
        assert answer.status == 431
        server.wait_for_line(f"REQUEST_ID={answer.request_id}", "its environment is too large")
        assert server.ask("/hello").status == 200


SHELLSHOCK = ["() { :;}; echo; echo vulnerable", "() { _; } >_[$($())] { echo vulnerable; }", "$(touch shocked)", "`touch shocked`", "; touch shocked"]


@pytest.mark.parametrize("words", SHELLSHOCK)
def test_shellshock_is_a_word_like_others(server, folder, words):
    found, _ = variables(server.ask("/show.sh?" + "".join(f"%{ord(byte):02x}" for byte in words), headers=[("X-Shock", words), ("User-Agent", words)]))
    assert found[b"HTTP_X_SHOCK"] == words.encode() and found[b"HTTP_USER_AGENT"] == words.encode()
    assert not (folder / "shocked").exists()


def test_huge_head_is_refused_before_a_program_runs(server):
    for headers in ([("X-Big", "x" * 100_000)], [(f"X-{number}", "y" * 500) for number in range(99)]):
        with server.connect() as connection:
            assert connection.ask("/show.sh", headers=headers).status == 431


def test_chunked_body_has_a_length(server):
    body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (b"abc" * 50_000, b"d")) + b"0\r\n\r\n"
    with server.connect() as connection:
        connection.send(b"POST /show.py HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + body)
        found, read = variables(connection.receive())
    assert found[b"CONTENT_LENGTH"] == b"150001" and read == b"abc" * 50_000 + b"d"
    assert b"HTTP_TRANSFER_ENCODING" not in found


def test_empty_body_has_a_length_when_the_client_says_so(server):
    assert variables(server.ask("/show.py", method="POST", headers=[("Content-Length", "0")]))[0][b"CONTENT_LENGTH"] == b"0"
    assert b"CONTENT_LENGTH" not in variables(server.ask("/show.py", method="DELETE"))[0]


def test_body_that_nobody_reads_harms_nobody(server):
    assert server.ask("/hello", method="POST", body=b"x" * 3_000_000).body == b"hello, world\n"


def test_large_answers_arrive_whole(server):
    answer = server.ask("/unruly/large")
    assert len(answer.body) == 10_000_000 and answer.body.count(b"x") == 10_000_000


def test_head_has_no_body_and_its_length(server):
    assert server.ask("/hello", method="HEAD").status == 200
    assert server.ask("/unruly/long_length", method="HEAD").headers["content-length"] == "5"
    assert server.ask("/unruly/long_length").body == b"longe"
    assert "content-length" not in server.ask("/unruly/bare", method="HEAD").headers  # only the program knows that of a GET
    assert server.ask("/unruly/bare").headers["content-length"] == "0"


def test_short_answers_have_a_length(server):
    answer = server.ask("/hello")
    assert answer.headers["content-length"] == "13" and "transfer-encoding" not in answer.headers


def test_redirects(server):
    answer = server.ask("/unruly/redirect?http://example.org/a")
    assert (answer.status, answer.headers["location"]) == (302, "http://example.org/a")
    answer = server.ask("/unruly/redirect?//example.org/a")
    assert (answer.status, answer.headers["location"]) == (302, "//example.org/a")


def test_local_redirect_is_answered_by_its_target(server):
    answer = server.ask("/unruly/redirect?/m/n/show.sh/extra?q", method="POST", body=b"dropped", headers=[("Content-Type", "a/b"), ("X-A", "b")])
    found, body = variables(answer)
    assert (found[b"SCRIPT_NAME"], found[b"PATH_INFO"], found[b"QUERY_STRING"]) == (b"/m/n/show.sh", b"/extra", b"q")
    assert found[b"REQUEST_METHOD"] == b"GET" and body == b"" and found[b"HTTP_X_A"] == b"b"
    assert b"CONTENT_LENGTH" not in found and b"CONTENT_TYPE" not in found
    line = server.wait_for_line(f"REQUEST_ID={answer.request_id}", "OUTCOME=")
    assert "POST /unruly/redirect?/m/n/show.sh/extra?q HTTP/1.1 200" in line and "APP=deep" in line


def test_local_redirects_end(server):
    answer = server.ask("/unruly/loop")
    assert answer.status == 502
    server.wait_for_line(f"REQUEST_ID={answer.request_id}", "too many local redirects")
    answer = server.ask("/unruly/redirect?/none")
    assert answer.status == 404
    line = server.wait_for_line(f"REQUEST_ID={answer.request_id}", "OUTCOME=")
    assert "EXIT_CODE=0" in line and "CGI_PID=" in line  # of the program that named what is not there
    answer = server.ask("/unruly/redirect?/../../etc/passwd")
    assert answer.status == 502 and server.wait_for_line(f"REQUEST_ID={answer.request_id}", "no target")


def test_events_arrive_as_they_are_printed(server, tmp_path):
    """Each next one is printed when the one before has arrived here."""
    mark = tmp_path / "mark"
    with server.connect() as connection:
        connection.send(f"GET /events.sh?{mark} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        received = b""
        for number in range(1, 4):
            while b"data: %d\n\n" % number not in received:
                more = connection.socket.recv(4096)
                assert more
                received += more
            assert b"data: %d" % (number + 1) not in received
            mark.unlink()


def test_child_is_born_with_nothing_of_the_worker(server):
    assert server.ask("/unruly/born").body == b"3 0 1 1 1024\n"


def test_slow_client_holds_the_program_not_memory(server, build, folder):
    before = processes_of(folder / "unruly")
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(server.address)
        client.sendall(b"GET /unruly/endless_body HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(10) == b"HTTP/1.1 2"
        [pid] = wait_until(lambda: [pid for pid in processes_of(folder / "unruly") if pid not in before], 10, "the program runs")
        looks = []
        wait_until(lambda: rests(pid, looks), 10, "it waits until somebody reads")
    wait_until(lambda: pid not in processes_of(folder / "unruly"), 15, "it ends with its client")


def rests(pid, looks):
    """Whether a process sleeps and has not worked in the last five looks."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    looks.append((fields[0], *fields[11:13]))
    return len(looks) >= 5 and looks[-1][0] == "S" and len(set(looks[-5:])) == 1


# -- settings --------------------------------------------------------------------------------------------

def test_interpreter_runs_scripts_without_a_run_bit(start, tmp_path):
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts/page.pl"
    script.write_text('print "Content-Type: text/plain\\n\\n$0";')
    with start(TWO + application(tmp_path / "scripts", "interpreter = /usr/bin/perl\n")) as server:
        assert server.ask("/page.pl/x").body == str(script).encode()


def test_authorization_is_the_programs_only_when_asked_for(start, folder):
    secret = [("Authorization", "Basic c2VjcmV0")]
    config = application(folder) + application(folder, "authorization = yes\n", "open", "/open")
    with start(TWO + config) as server:
        assert b"HTTP_AUTHORIZATION" not in variables(server.ask("/show.sh", headers=secret))[0]
        assert variables(server.ask("/open/show.sh", headers=secret))[0][b"HTTP_AUTHORIZATION"] == b"Basic c2VjcmV0"


def test_limits_hold_in_the_program(start, tmp_path):
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts/limits"
    script.write_text("#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nulimit -n; ulimit -Hn; ulimit -v; ulimit -t; ulimit -f\n")
    script.chmod(0o755)
    more = "limit_files = 100\nlimit_memory = 512m\nlimit_cpu = 7s\nlimit_file_size = 1m\n"
    with start(TWO + application(tmp_path / "scripts", more)) as server:
        assert server.ask("/limits").body.split() == [b"100", b"100", b"524288", b"7", b"2048"]


def test_more_programs_than_allowed_are_refused(start, folder):
    with start("[server]\nworkers = 1\nthreads = 4\n" + application(folder, "concurrency = 1\n")) as server, server.connect() as first:
        first.send(b"GET /unruly/silent HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: processes_of(folder / "unruly"), 10, "the program runs")
        answer = server.ask("/hello")
        assert answer.status == 503 and int(answer.headers["retry-after"]) >= 1
        server.wait_for_line("GET /hello HTTP/1.1 503", "too many programs")
        for pid in processes_of(folder / "unruly"):
            os.kill(pid, signal.SIGKILL)
        assert first.receive().status == 502
        wait_until(lambda: server.ask("/hello").status == 200, 10, "there is room again")


def counters(pid):
    """The eventfds that a process has, by the kernel's numbers."""
    found = set()
    for file in Path(f"/proc/{pid}/fdinfo").iterdir():
        found.update(re.findall(r"eventfd-id:\s*(\d+)", file.read_text(encoding="ascii")))
    return found


def test_preloaded_workers_share_no_alarm(start, folder):
    """Of a client that leaves the wrong one would be told."""
    with start("[server]\nworkers = 2\npreload = yes\nthreads = 2\n" + application(folder)) as server:
        server.wait_for_line("EVENT=master-ready")
        first, second = (int(re.search(r"WORKER_PID=(\d+)", line)[1]) for line in server.lines("EVENT=worker-ready"))
        assert counters(first) and counters(second) and not counters(first) & counters(second)
        assert server.ask("/hello").body == b"hello, world\n"


def test_certificate_of_the_client_is_the_user(start, folder, tmp_path):
    identity, authority = Identity(tmp_path), Identity(tmp_path, "authority", "/CN=authority", usage=None)
    alice = Identity(tmp_path, "alice", "/O=Example/CN=alice", issuer=authority)
    tls = (f"[tls]\ncertificate = {identity.certificate}\nkey = {identity.key}\nclient_certificate = optional\n"
           f"client_ca = {authority.certificate}\n")
    with start(TWO + tls + application(folder), identity=identity) as server:
        found, _ = variables(server.ask("/show.sh"))
        assert found[b"HTTPS"] == b"on" and found[b"SERVER_PORT"] == b"443" and not {b"REMOTE_USER", b"AUTH_TYPE"} & set(found)
        context = identity.trusted()
        context.load_cert_chain(alice.certificate, alice.key)
        with Connection(server.address, 10, context) as connection:
            found, _ = variables(connection.ask("/show.sh"))
        assert found[b"REMOTE_USER"] == b"CN=alice,O=Example" and found[b"AUTH_TYPE"] == b"ClientCertificate"


# -- mistakes in the configuration -------------------------------------------------------------------------

def refusal(build, folder, section):
    file = folder / "refused.ini"
    file.write_text(f"[app cgi]\ntype = cgi\n{section}", encoding="utf-8")
    done = subprocess.run([build.program, "check", "-c", file], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False,
                          env=builds.environment())
    assert done.returncode == 78
    return done.stderr


@pytest.mark.parametrize("section, words", [
    ("", "refused.ini:1: [app cgi] program: missing"),
    ("program = /bin/cat\nroot = /bin\n", "refused.ini:4: [app cgi] root: with program"),
    ("program = bin/cat\n", "refused.ini:3: [app cgi] program: 'bin/cat', expected an absolute path"),
    ("program = /nowhere/cat\n", "refused.ini:3: [app cgi] program: /nowhere/cat: No such file"),
    ("program = /etc/passwd\n", "cannot be executed"), ("program = /etc\n", "not a file"), ("root = /etc/passwd\n", "Not a directory"),
    ("program = /srv/nph-x\n", "(nph-) cannot be served"),
    ("program = /bin/cat\ninterpreter = /nowhere/perl\n", "refused.ini:4: [app cgi] interpreter: /nowhere/perl"),
    ("program = /bin/cat\ntimeuot = 5s\n", "refused.ini:4: [app cgi] timeuot: a CGI application knows no such key, did you mean 'timeout'?"),
    ("program = /bin/cat\ntimeout = 5\n", "timeout: '5', expected a duration"), ("program = /bin/cat\nlimit_cpu = 5ms\n", "expected whole seconds"),
    ("program = /bin/cat\noutput_limit = x\n", "expected a size"), ("program = /bin/cat\nconcurrency = x\n", "expected a number"),
    ("program = /bin/cat\nauthorization = x\n", "expected yes or no"), ("program = /bin/cat\nenv.HTTP_PROXY = x\n", "env.HTTP_PROXY: no name"),
    ("program = /bin/cat\nenv.A-B = x\n", "env.A-B: no name"), ("program = /bin/cat\ninherit = A, REMOTE_USER\n", "inherit: 'A, REMOTE_USER', expected"),
])
def test_mistakes_are_located(build, tmp_path, section, words):
    assert words in refusal(build, tmp_path, section)


# -- by hand -------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("programs", [True, False])
def test_folder_as_target(build, tmp_path, programs):
    """One of programs alone is a folder of programs, any other one of files."""
    shutil.copy(SCRIPTS / "show.sh", tmp_path / "show")
    (tmp_path / ".note").write_text("hidden")
    if not programs:
        (tmp_path / "page.txt").write_text("page")
    port, log = free_port(), tmp_path.parent / "output"
    with open(log, "wb") as output:
        process = subprocess.Popen([build.program, "serve", "--log", "console", "--listen", f"127.0.0.1:{port}", tmp_path],
                                   stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=die_with_parent, env=builds.environment())
    try:
        wait_until(lambda: "EVENT=master-ready" in log.read_text(), 20, "it is ready")
        answer = Server(port).ask("/show")
        assert answer.status == 200 and (answer.headers.get("x-program") == "shell") == programs
        assert programs or answer.body == (SCRIPTS / "show.sh").read_bytes()
    finally:
        process.terminate()
        assert process.wait(30) == 0
