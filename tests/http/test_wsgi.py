# SPDX-License-Identifier: LGPL-2.1-or-later
"""PEP 3333, point by point: what an application is given, what it may give, and what happens when it gives something else."""
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from lib.client import Incomplete
from lib.roots import Unavailable
from lib.serving import Serving
from lib.wait import wait_until

APPS = Path(__file__).parent.parent / "apps" / "wsgi"
HERE = """
import sys
import appsrv
import sold


def app(environ, start_response):
    start_response("200 OK", [])
    return [f"{sold.GOODS} {sys.prefix} {appsrv.__file__}".encode()]
"""
TEXT = b"".join(b"line %d\n" % number for number in range(20000))


def application(name, target, mount="/", more=""):
    return f"[app {name}]\ntype = wsgi\nmodule = {target}\nchdir = {APPS}\nmount = {mount}\n{more}"


PEP = "[server]\nworkers = 1\nthreads = 4\n" + application("bare", "pep:bare") + application("checked", "pep:checked", "/checked")


@pytest.fixture(name="plugin", scope="module", autouse=True)
def the_plugin(build):
    if not (build.program.parent / "wsgi.so").exists():
        raise Unavailable("this build has no wsgi.so")


@pytest.fixture(name="pep", scope="module")
def pep_server(build, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wsgi")
    (folder / "text").write_bytes(TEXT)
    with Serving(build, folder, PEP, wrapper=("env", f"PEP_FILE={folder / 'text'}")) as running:
        yield running


def environ_of(server, target="/environ", **options):
    return json.loads(server.ask(target, **options).body)


def fails(pep, target):
    """It is answered with a whole 500, and there is one record with a traceback. Returns it."""
    before = len(pep.lines(f"Exception in GET {target}"))
    answer = pep.ask(target)
    assert answer.status == 500 and b"never" not in answer.body and "x-injected" not in answer.headers
    pep.wait_for_line(f"Exception in GET {target}", after=before)
    assert len(pep.lines(f"Exception in GET {target}")) == before + 1
    return pep.output().rsplit(f"Exception in GET {target}", 1)[1]


# -- environ -----------------------------------------------------------------------------------

def test_header_with_an_underscore_is_left_out_which_is_told_once(start):
    with start(PEP) as server:
        for name in ("X_User", "X_Other"):
            environ = environ_of(server, headers=[(name, "admin"), ("X-Mine", "1"), ("Proxy", "evil")])
            assert environ["HTTP_X_MINE"] == "1" and not {"HTTP_X_USER", "HTTP_X_OTHER", "HTTP_PROXY"} & {*environ}
        assert "HTTP_X_A" not in environ_of(server, "/checked/environ", headers=[("X_A", "1")])
        server.wait_for_line("EVENT=header-left-out", "X_A")
        told = [line.split(" EVENT=")[0].split("Application ")[1] for line in server.lines("EVENT=header-left-out")]
        assert told == [f"{app} is not given header {name}, whose name has an underscore" for app, name in (("bare", "X_User"), ("checked", "X_A"))]


def test_environ_of_a_plain_request(pep):
    environ = environ_of(pep, "/environ?a=b%20c")
    expected = {"type": "dict", "REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": "/environ", "QUERY_STRING": "a=b%20c",
                "SERVER_NAME": "localhost", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.url_scheme": "http",
                "wsgi.version": [1, 0], "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
                "wsgi.input_terminated": True, "REMOTE_ADDR": "127.0.0.1", "RAW_URI": "/environ?a=b%20c",
                "REQUEST_URI": "/environ?a=b%20c", "HTTP_HOST": "localhost"}
    assert expected.items() <= environ.items()
    assert not {"CONTENT_TYPE", "CONTENT_LENGTH", "REMOTE_USER", "HTTPS"} & set(environ)
    assert environ["SERVER_SOFTWARE"].startswith("appsrv/") and len(environ["appsrv.request_id"]) == 32


def test_every_name_is_one_that_is_known(pep):
    environ = environ_of(pep, headers=[("X-Mine", "1")], method="POST", body=b"abc")
    known = {"REQUEST_METHOD", "SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "CONTENT_TYPE", "CONTENT_LENGTH", "SERVER_NAME", "SERVER_PORT",
             "SERVER_PROTOCOL", "SERVER_SOFTWARE", "REMOTE_ADDR", "RAW_URI", "REQUEST_URI", "type"}
    assert not [name for name in environ if name not in known and not name.startswith(("HTTP_", "wsgi.", "appsrv."))]
    assert environ["HTTP_X_MINE"] == "1" and environ["CONTENT_LENGTH"] == "3"


def test_headers_become_variables(pep):
    environ = environ_of(pep, headers=[("Content-Type", "text/x"), ("X-Two", "a"), ("X-TWO", "b"), ("Cookie", "a=1"), ("Cookie", "b=2"),
                                       ("X_Forged", "1"), ("X-Forged_Too", "1"), ("Proxy", "http://bad/"), ("User-Agent", "me"),
                                       ("X-Latin", "\xe9")])
    assert environ["CONTENT_TYPE"] == "text/x" and "HTTP_CONTENT_TYPE" not in environ
    assert environ["HTTP_X_TWO"] == "a, b" and environ["HTTP_COOKIE"] == "a=1; b=2"
    assert environ["HTTP_USER_AGENT"] == "me" and environ["HTTP_X_LATIN"] == "\xe9"
    assert not [name for name in environ if "FORGED" in name or name == "HTTP_PROXY"]


@pytest.mark.parametrize("target, path", [("/checked/environ", "/environ"), ("/checked/%65nviron", "/environ")])
def test_path_below_a_mount(pep, target, path):
    environ = environ_of(pep, target)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/checked", path)


@pytest.mark.parametrize("target, path", [("/shop", ""), ("/shop/", "/"), ("/shop?x=1", ""), ("/shop/%E4%BD%A0", "/\xe4\xbd\xa0"),
                                          ("/shop/a%2Fb", "/a/b"), ("/shop/%e0", "/\xe0")])
def test_path_is_bytes_as_latin_1(start, target, path):
    with start("[server]\nworkers = 1\n" + application("shop", "pep:environ", "/shop")) as server:
        environ = environ_of(server, target)
        assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("/shop", path)


@pytest.mark.parametrize("host, name, port", [("example.org", "example.org", "80"), ("example.org:81", "example.org", "81"),
                                              ("[::1]:82", "[::1]", "82"), ("[::1]", "[::1]", "80"), ("example.org:", "example.org", "80")])
def test_server_is_the_host_that_was_asked_for(pep, host, name, port):
    environ = environ_of(pep, host=host)
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"], environ["HTTP_HOST"]) == (name, port, host)


def test_without_a_host_on_a_unix_socket_nothing_is_empty(build, tmp_path):
    place = tmp_path / "socket"
    with Serving(build, tmp_path, PEP, arguments=["--listen", f"unix:{place}"]):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(place))
            client.sendall(b"GET /checked/environ HTTP/1.0\r\n\r\n")
            raw = b""
            while more := client.recv(65536):
                raw += more
    environ = json.loads(raw.partition(b"\r\n\r\n")[2])
    assert environ["SERVER_NAME"] and environ["SERVER_PORT"] and environ["SERVER_PROTOCOL"] == "HTTP/1.0"
    assert {key for key, value in environ.items() if value == ""} == {"QUERY_STRING"}


def test_one_thread_is_no_multithread(start):
    with start("[server]\nworkers = 2\nthreads = 1\n" + application("one", "pep:environ")) as server:
        environ = environ_of(server)
        assert environ["wsgi.multithread"] is False and environ["wsgi.multiprocess"] is True


def test_environ_is_fresh(pep):
    assert environ_of(pep, headers=[("X-Once", "1")]).keys() - environ_of(pep).keys() == {"HTTP_X_ONCE"}


# -- input -------------------------------------------------------------------------------------

BODY = b"abcdef\ngh\nij\nkl\nmn\nop"


@pytest.mark.parametrize("chunked", [False, True])
def test_ways_to_read_a_body(pep, chunked):
    if chunked:
        with pep.connect() as connection:
            connection.send(b"POST /methods HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n"
                            % (BODY[:5], len(BODY) - 5, BODY[5:]))
            answer = connection.receive()
    else:
        answer = pep.ask("/methods", method="POST", body=BODY)
    assert json.loads(answer.body) == {"read": "abc", "readline": "def\n", "part": "gh", "lines": ["\n", "ij\n"], "next": "kl\n",
                                       "rest": "mn\nop", "end": "", "end_line": ""}


@pytest.mark.parametrize("body", [b"", b"x", b"x" * 65537, os.urandom(1 << 20)], ids=len)
def test_body_arrives_whole(pep, body):
    assert pep.ask("/checked/echo", method="POST", headers=[("Content-Type", "x/y")], body=body).body == body


def test_chunked_body_has_a_length(pep):
    with pep.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        assert connection.receive().body == b"abc"
    with pep.connect() as connection:
        connection.send(b"POST /environ HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
        environ = json.loads(connection.receive().body)
        assert environ["CONTENT_LENGTH"] == "3" and "HTTP_TRANSFER_ENCODING" not in environ


def waits(target, size, *lines):
    """The head of a client that waits for a word before he sends the body."""
    return "\r\n".join([f"POST {target} HTTP/1.1", "Host: a", f"Content-Length: {size}", "Expect: 100-continue", *lines, "", ""]).encode()


def test_body_that_is_not_wanted_is_not_asked_for(pep):
    with pep.connect() as connection:
        connection.send(waits("/whole", 10 ** 6))
        seen = connection.rest()
        assert seen.startswith(b"HTTP/1.1 200 ") and seen.endswith(b"abc") and b"100 Continue" not in seen
        assert b"Connection: close" in seen
    assert pep.ask("/whole").body == b"abc"


def test_body_is_asked_for_by_the_first_read(pep):
    with pep.connect() as connection:
        for body in (b"abc", b"x" * 300_000):
            connection.send(waits("/slow_echo", len(body)))
            pep.wait_for_line("about to read", after=len(pep.lines("has read")))
            connection.socket.settimeout(0.1)
            with pytest.raises(TimeoutError):  # it is not told before
                connection.socket.recv(1)
            connection.socket.settimeout(20)
            pep.ask("/go_on")
            assert connection._until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
            connection.send(body)
            assert connection.receive().body == body


def test_ways_to_read_a_body_that_arrives(pep):
    with pep.connect() as connection:
        connection.send(waits("/methods", len(BODY)))
        assert connection._until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        for at in range(0, len(BODY), 4):
            connection.send(BODY[at:at + 4])
            time.sleep(0.01)
        assert json.loads(connection.receive().body) == {"read": "abc", "readline": "def\n", "part": "gh", "lines": ["\n", "ij\n"],
                                                         "next": "kl\n", "rest": "mn\nop", "end": "", "end_line": ""}


def test_chunked_body_of_a_client_that_waits_has_a_length(pep):
    with pep.connect() as connection:
        connection.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n")
        assert connection._until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        connection.send(b"3\r\nabc\r\n0\r\n\r\n")
        assert connection.receive().body == b"abc"


def test_client_that_leaves_while_his_body_is_read(pep):
    before = len(pep.lines("POST /methods", "OUTCOME=client-abort"))
    with pep.connect() as connection:
        connection.send(waits("/methods", 1000))
        assert connection._until(b"\r\n\r\n").startswith(b"HTTP/1.1 100 ")
        connection.send(b"abc")
    pep.wait_for_line("POST /methods", "OUTCOME=client-abort", after=before)
    assert not pep.lines("Exception in POST /methods")


def test_clients_that_send_nothing_leave_threads_for_others(pep):
    with contextlib.ExitStack() as stack:
        for _ in range(8):  # the server has four threads
            stack.enter_context(pep.connect()).send(waits("/methods", 1000))
        assert pep.ask("/whole").body == b"abc"


def test_streams_are_not_the_applications_to_close(pep):
    with pep.connect() as connection:
        for _ in range(2):
            assert connection.ask("/closes_streams", method="POST", body=b"abc").body == b"abc"
    pep.wait_for_line("still there", "STREAM=stderr", after=1)


def test_what_is_kept_beyond_the_request_is_refused(pep):
    assert pep.ask("/keep").body == b"kept"
    assert pep.ask("/use_kept").body == b"wsgi.input: the request is over\nthe request is over\nthe request is over"


# -- errors ------------------------------------------------------------------------------------

def test_lines_of_wsgi_errors_are_records(pep):
    answer = pep.ask("/checked/errors")
    for line in ("one \u20ac", "two parts", "no newline"):
        record = pep.wait_for_line(f" {line} ", f"REQUEST_ID={answer.request_id}")
        assert "STREAM=stderr" in record
    assert pep.ask("/surrogates").status == 200
    pep.wait_for_line("lone \\udc80 end")


# -- responses ---------------------------------------------------------------------------------

@pytest.mark.parametrize("target, status, body", [
    ("whole", 200, b"abc"), ("two", 200, b"abcdef"), ("nothing", 200, b""), ("generator", 200, b"0,1,2,3,4,5,6,7,8,9,"),
    ("lazy", 201, b"late"), ("write_first", 200, b"written,returned"), ("length", 200, b"abcdef"), ("positional", 200, b"2 0"),
    ("replaced", 503, b"sorry"), ("hop_by_hop", 200, b"fine")])
def test_bodies(pep, target, status, body):
    for prefix in ("/checked/", "/") if target not in ("positional", "hop_by_hop") else ("/",):
        for method in ("GET", "HEAD"):  # not on one connection: libmicrohttpd before 1.0 ends it with a HEAD of unknown length
            answer = pep.ask(prefix + target, method=method)
            assert (answer.status, answer.body) == (status, body if method == "GET" else b"")
    with pep.connect() as connection:
        for _ in range(3):
            assert connection.ask("/" + target).body == body
    old = pep.exchange(f"GET /{target} HTTP/1.0\r\n\r\n".encode())
    head, _, got = old.partition(b"\r\n\r\n")
    assert got == body and b"chunked" not in head


def test_head_of_a_response(pep):
    answer = pep.ask("/hop_by_hop")
    assert answer.headers["server"] == "appsrv" and answer.headers["date"] != "never"
    assert answer.headers["content-length"] == "4" and "transfer-encoding" not in answer.headers
    raw = pep.exchange(b"GET /hop_by_hop HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").lower()
    assert raw.count(b"\r\nserver:") == raw.count(b"\r\ndate:") == raw.count(b"\r\nconnection:") == 1
    pep.wait_for_line("is about the connection", "warn")


def test_length_is_known_where_it_can_be(pep):
    assert pep.ask("/whole").headers["content-length"] == "3"
    assert pep.ask("/two").headers["content-length"] == "6"
    assert pep.ask("/nothing").headers["content-length"] == "0"
    assert pep.ask("/generator").headers["transfer-encoding"] == "chunked"
    assert pep.ask("/length", method="HEAD").headers["content-length"] == "6"


@pytest.mark.parametrize("code", [200, 204, 206, 299, 301, 304, 404, 418, 500, 599])
def test_statuses(pep, code):
    with pep.connect() as connection:
        for _ in range(2):
            answer = connection.ask(f"/checked/status?code={code}")
            assert answer.status == code
            assert answer.body == (b"" if code in (204, 304) else b"body")
            assert code != 204 or not {"content-length", "transfer-encoding"} & set(answer.headers)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("given, told", [(None, None), ("0", None), ("1234", "1234")])
def test_a_304_tells_no_length_but_that_of_the_200(pep, method, given, told):
    target = "/checked/status?code=304" + (f"&length={given}" if given else "")
    with pep.connect() as connection:  # pipelined: nothing of a body is between the two answers
        connection.send(b"".join(f"{method} {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for _ in range(2)))
        for _ in range(2):
            answer = connection.receive()
            assert answer.status == 304 and answer.headers.get("content-length") == (told or ("0" if pep.microhttpd().startswith("0.") else None))
        assert connection.ask("/whole").body == b"abc"


def test_second_start_response_replaces_the_first(pep):
    answer = pep.ask("/replaced")
    assert answer.headers["content-type"] == "text/html" and answer.headers["content-length"] == "5"
    assert "x-first" not in answer.headers


def test_pieces_leave_when_they_are_given(pep):
    with pep.connect() as connection:
        connection.send(b"GET /slowly HTTP/1.1\r\nHost: a\r\n\r\n")
        seen, text = [], b""
        while b"\n3 " not in text:  # not that of the Date
            text += connection.socket.recv(4096)
            seen.append(time.time())
        assert seen[-1] - seen[0] > 0.3


@pytest.mark.parametrize("target, name", [("/closing", "closing"), ("/raise_after", "raise_after"), ("/too_long", "too_long")])
def test_result_is_closed_once(pep, target, name):
    pep.ask("/was_closed")
    try:
        pep.ask(target)
    except Incomplete:
        assert target == "/raise_after"
    assert pep.ask("/was_closed").body == name.encode()
    if target == "/closing":
        pep.ask(target, method="HEAD")
        assert pep.ask("/was_closed").body == name.encode()


@pytest.mark.parametrize("target, told", [("/endless", b"endless"), ("/endless_write", b"ClientLeft")])
def test_client_that_leaves_ends_the_response(pep, target, told):
    pep.ask("/was_closed")
    before = len(pep.lines("OUTCOME=client-abort"))
    with pep.connect() as connection:
        connection.send(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert connection.socket.recv(1000)
    wait_until(lambda: pep.ask("/was_closed").body == told, 10, "it was closed")
    pep.wait_for_line(f"GET {target}", "OUTCOME=client-abort", after=before and 0)
    assert not pep.lines(f"Exception in GET {target}")


def test_failed_close_is_told(pep):
    assert pep.ask("/close_raises").body == b"fine"
    pep.wait_for_line("close() of the response failed")


# -- files -------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", ["plain", "memory"])
@pytest.mark.parametrize("query, part", [("", TEXT), ("&seek=5", TEXT[5:]), ("&length=100", TEXT[:100]), ("&seek=5&length=10", TEXT[5:15]),
                                         ("&seek=999999", b"")], ids=len)
def test_files(pep, kind, query, part):
    target = f"/file?kind={kind}{query}"
    for prefix in ("", "/checked"):
        answer = pep.ask(prefix + target)
        assert answer.status == 200 and answer.body == part
    assert pep.ask(target, method="HEAD").status == 200
    if kind == "plain":
        assert pep.ask(target).headers["content-length"] == str(len(part))


def test_file_that_is_shorter_than_announced_cuts_the_connection(pep):
    for kind in ("plain", "memory"):
        with pep.connect() as connection, pytest.raises(Incomplete):
            connection.ask(f"/file?kind={kind}&seek={len(TEXT) - 5}&length=50")
        pep.wait_for_line("RuntimeError: the body has 5 bytes, its Content-Length is 50")


def test_wrapped_files_are_read(pep):
    assert pep.ask("/wrapped_file").body == TEXT.upper()
    assert pep.ask("/gzipped_file").body == b"plain text"


def test_files_are_closed(pep):
    def descriptors():
        return len(os.listdir(f"/proc/{pep.workers()[0]}/fd"))
    pep.ask("/file")
    before = descriptors()
    for _ in range(20):
        pep.ask("/file")
    wait_until(lambda: descriptors() <= before, 5, "no descriptor is left open")


# -- what is wrong -------------------------------------------------------------------------------

@pytest.mark.parametrize("target, told", [
    ("status_injects", "ValueError: status:"), ("status_bytes", "TypeError: status is a str, not 'bytes'"), ("status_short", "ValueError: status:"),
    ("status_words", "ValueError: status:"), ("status_informs", "is not between 200 and 599"), ("status_large", "is not between 200 and 599"),
    ("header_injects", "has control characters"), ("header_name", "is no name"), ("header_colon", "is no name"), ("header_empty", "is no name"),
    ("header_bytes", "TypeError"), ("header_value_bytes", "TypeError"), ("header_number", "TypeError"), ("header_beyond", "beyond latin-1"),
    ("header_list", "is no tuple"), ("headers_none", "headers are a list"), ("headers_dict", "headers are a list"),
    ("length_words", "is no length"), ("length_negative", "is no length"), ("lengths_differ", "is no length"),
    ("body_str", "a body is made of bytes"), ("body_mixed", "a body is made of bytes"), ("headers_many", "there are too many"),
    ("no_start", "start_response() was not called"), ("no_result", "'NoneType' object is not iterable"),
    ("start_twice", "start_response() was called before"), ("start_again_after_failure", "start_response() was called before"),
    ("empty_then_raise", "ValueError: after an empty piece"), ("raises?what=value", "ValueError: on purpose"),
    ("raises?what=exit", "SystemExit: on purpose"), ("raises?what=interrupt", "KeyboardInterrupt: on purpose"),
    ("recursion", "RecursionError: maximum recursion depth")])
def test_mistakes_before_the_head_are_a_500(pep, target, told):
    assert told in fails(pep, "/" + target)
    assert pep.ask("/whole").body == b"abc"


@pytest.mark.parametrize("target, told", [("raise_after", "ValueError: after the first piece"), ("too_late", "KeyError: 'too late"),
                                          ("too_short", "RuntimeError: the body has 3 bytes, its Content-Length is 30"),
                                          ("too_short?kind=list", "RuntimeError: the body has 3 bytes, its Content-Length is 30")])
def test_mistakes_after_the_head_cut_the_connection(pep, target, told):
    with pep.connect() as connection, pytest.raises(Incomplete):
        connection.ask("/" + target)
    pep.wait_for_line(told)
    pep.wait_for_line(f"GET /{target}", "OUTCOME=app-failed")


@pytest.mark.parametrize("kind", ["list", "iterable"])
def test_no_more_than_the_length_is_sent(pep, kind):
    before = len(pep.lines("longer than its Content-Length"))
    with pep.connect() as connection:
        assert connection.ask(f"/too_long?kind={kind}").body == b"abc"
        assert connection.ask("/whole").body == b"abc"
    pep.wait_for_line("longer than its Content-Length", after=before)


# -- loading -----------------------------------------------------------------------------------

@pytest.mark.parametrize("target", ["pep:whole", "pep", "pep:make()", "pep:instance", "pep:Instance()", "pep:Class", "pep:partial",
                                    "pep:Holder.inner"])
def test_kinds_of_callables(start, target):
    with start("[server]\nworkers = 1\n" + application("one", target)) as server:
        assert server.ask("/").body == b"abc"


@pytest.mark.parametrize("target, told", [("pep:missing", "AttributeError: module 'pep' has no attribute 'missing'"),
                                          ("missing:app", "ModuleNotFoundError: No module named 'missing'"),
                                          ("broken:app", "RuntimeError: while it is imported"),
                                          ("pep:closed", "TypeError: module: pep:closed is no callable, but a 'list'"),
                                          ("pep:", "ValueError: module: 'MODULE:NAME'")])
def test_what_cannot_be_loaded_is_told(build, tmp_path, target, told):
    from test_plugins import check  # pylint: disable=import-outside-toplevel
    code, output = check(build, tmp_path, application("one", target))
    assert code == 78 and f"[app one] {told}" in output and "CODE_FILE= " not in output
    assert target != "broken:app" or "Traceback (most recent call last):" in output


def test_threads_serve_at_the_same_time(pep):
    began = time.monotonic()
    connections = [pep.connect() for _ in range(4)]
    for connection in connections:
        connection.send(b"GET /threads HTTP/1.1\r\nHost: a\r\n\r\n")
    assert len({connection.receive().body for connection in connections}) == 4
    assert time.monotonic() - began < 0.9
    for connection in connections:
        connection.socket.close()


def test_target_of_the_command_line_may_be_a_module(build, tmp_path):
    shutil.copy(APPS / "pep.py", tmp_path)
    server = Serving(build, tmp_path)
    server.command = [str(build.program), "serve", "pep:environ", "--listen", "{}:{}".format(*server.address), "--log", "console"]
    with server:
        assert environ_of(server, "/a?b")["PATH_INFO"] == "/a"
        assert "APP=pep" in server.wait_for_line("GET /a?b", "OUTCOME=ok")


def test_the_package_beside_the_plugin_is_used_though_another_one_is_installed(build, tmp_path):
    venv = tmp_path / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", venv], check=True)
    [packages] = venv.glob("lib/python3.*/site-packages")
    (packages / "appsrv").mkdir()
    (packages / "appsrv" / "__init__.py").write_text("raise RuntimeError('of another version')\n")
    (packages / "sold.py").write_text("GOODS = 'tea'\n")
    (tmp_path / "here.py").write_text(HERE)
    config = f"[server]\nworkers = 1\n[app here]\ntype = wsgi\nmodule = here:app\nchdir = {tmp_path}\nvirtualenv = {venv}\n"
    with Serving(build, tmp_path, config) as server:
        goods, prefix, package = server.ask("/").body.decode().split()
        assert goods == "tea" and prefix == str(venv)
        assert Path(package).parent == build.program.parent / "python" / "appsrv"


@pytest.mark.parametrize("lacks, told", [("pyvenv.cfg", "venv/pyvenv.cfg: No such file or directory"), ("bin/python3", "venv/bin/python3: No such file or directory"),
                                         ("lib/python3.*", "venv was not made for Python 3.")])
def test_what_is_no_virtual_environment_is_told_with_its_line(build, tmp_path, lacks, told):
    from test_plugins import check  # pylint: disable=import-outside-toplevel
    venv = tmp_path / "venv"
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", venv], check=True)
    [missing] = venv.glob(lacks)
    missing.rename(missing.parent / "python3.1")  # for lib/, an environment of another version
    config = f"[app here]\ntype = wsgi\nmodule = pep\nvirtualenv = {venv}\n"
    code, output = check(build, tmp_path, config)
    assert code == 78 and f"checked.ini:4: [app here] virtualenv: {tmp_path}/{told}" in output
