# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the server makes of requests as they must not, need not or may look: the cases of conformance.tsv.

The columns of the table:

id            name of the case
raw_request   the bytes to send, escaped as in a Python string; <COUNT*TEXT> is TEXT, COUNT times
answer_on_V   what must come back when the server runs with libmicrohttpd V or later: the statuses, one for each
              pipelined request and each interim answer, or "none"; then what becomes of the connection, "open" or
              "close". libmicrohttpd 0.9.75 hides the framing of chunks, and its later versions refuse some heads
              without a word, so that the right answers differ
category      the part of HTTP that the case is about

Each case is sent twice: alone, and with a request for /behind following it at once. The application counts what
reaches it, so that a request which is seen without an answer is found as well.
"""
import contextlib
import random
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lib.client import Connection, Incomplete
from lib.identity import Identity
from lib.serving import Serving

CONFIG = """
[server]
workers = 1
threads = 1
[http]
limit_request_line = 16384
limit_request_fields = 1000
limit_request_field_size = 16384
header_timeout = 2s
keepalive = 15s
"""

# how long a closing connection may take: the header deadline and more
SECONDS_TO_CLOSE = 5
# a connection is open when its answers do not say that it will close, and it does not for so long
SECONDS_OPEN = 0.5
# between two pieces
PAUSE = 0.005

BEHIND = b"GET /behind HTTP/1.1\r\nHost: a\r\n\r\n"
AGAIN = b"GET /again HTTP/1.1\r\nHost: a\r\n\r\n"

# answered by the server, so that no application sees them
OWN_ANSWERS = {"asterisk-options"}


# -- the table -----------------------------------------------------------------

@dataclass
class Case:
    name: str
    raw: bytes
    answers: dict

    def expected(self, version):
        """The answer for a version of libmicrohttpd: its statuses, and whether the connection stays open."""
        statuses, ending = self.answers[version].split()
        return [] if statuses == "none" else [int(status) for status in statuses.split(",")], ending


def unescaped(text):
    repeated = re.sub(r"<(\d+)\*([^>]+)>", lambda found: int(found[1]) * found[2], text)
    return repeated.encode("ascii").decode("unicode_escape").encode("latin-1")


def read_cases():
    lines = Path(__file__).with_name("conformance.tsv").read_text(encoding="ascii").splitlines()
    for name, raw, on_0_9, on_1_0, _ in (line.split("\t") for line in lines[1:]):
        yield Case(name, unescaped(raw), {"0.9": on_0_9, "1.0": on_1_0})


CASES = list(read_cases())


def sent_requests(raw):
    """The method, target and body of each well-formed request in raw bytes; a body of these cases says hello."""
    found = re.findall(rb"([A-Z]+) (\S+) HTTP/1\.\d\r\n", raw)
    return [(method.decode(), target.decode("latin-1"), b"hello" if number == 0 and b"hello" in raw else b"")
            for number, (method, target) in enumerate(found)]


# -- the server ------------------------------------------------------------------

@pytest.fixture(scope="module", params=["tcp", "tls"])
def server(request, build, tmp_path_factory):
    """A server with one worker, whose application tells and counts what reaches it."""
    folder = tmp_path_factory.mktemp("server")
    identity = Identity(folder) if request.param == "tls" else None
    with Serving(build, folder, CONFIG, application="echo", identity=identity) as running:
        yield running


@pytest.fixture(scope="module")
def version(server):
    """The column of the table for the libmicrohttpd that the server has loaded."""
    return "0.9" if server.microhttpd().startswith("0.") else "1.0"


def seen_so_far(server):
    """How many requests the application has seen, with the one that asks."""
    answer = server.ask("/count")
    assert answer.status == 200
    return Echo(answer.body).number


# -- answers -----------------------------------------------------------------------

class Malformed(Exception):
    """An answer that is not what RFC 9112 has for one."""


class Echo:
    """What the application tells of a request, out of the body of its answer."""

    def __init__(self, body):
        told = re.fullmatch(rb"(\d+) (\S+) (\S+) (\d+)\n(.*)", body, re.DOTALL)
        if not told or int(told[4]) != len(told[5]):
            raise Malformed(f"not from the application: {body[:200]!r}")
        self.number, self.body = int(told[1]), told[5]
        self.method, self.target = told[2].decode(), told[3].decode("latin-1")


@dataclass
class Answer:
    status: int
    headers: list
    body: bytes = b""

    def values(self, name):
        return [value for key, value in self.headers if key == name]

    @property
    def closes(self):
        return "close" in (word.strip().lower() for value in self.values("connection") for word in value.split(","))


class StrictConnection(Connection):
    """Reads answers to the letter: lines end with CR LF, and there is one way to tell how long a body is."""

    def receive_strictly(self, method, doubled_heads):
        """The next answer, or None when there is no further one.

        An error ends the connection. With doubled_heads it may have its head again where the body should be, as
        libmicrohttpd 0.9.75 sends its own.
        """
        if not self._left and not self._more():
            return None
        status, *lines = self._until(b"\r\n\r\n")[:-4].decode("latin-1").split("\r\n")
        matched = re.fullmatch(r"HTTP/1\.1 ([1-5]\d\d) [\t -~]*", status)
        if not matched:
            raise Malformed(f"status line {status[:200]!r}")
        answer = Answer(int(matched[1]), [self._field(line) for line in lines])
        if answer.status >= 400:
            answer.body = self._error(answer, method, doubled_heads)
        elif answer.status >= 200:
            answer.body = self._whole_body(answer, method)
        return answer

    @staticmethod
    def _field(line):
        matched = re.fullmatch(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\0-\x08\n-\x1f\x7f]*?)[ \t]*", line)
        if not matched:
            raise Malformed(f"header {line[:200]!r}")
        return matched[1].lower(), matched[2]

    def _error(self, answer, method, doubled_heads):
        if not answer.closes:
            return self._whole_body(answer, method)
        rest = self.rest()
        if doubled_heads and rest.startswith(b"HTTP/1.1 %d " % answer.status):
            return rest
        self._left = rest
        body = self._whole_body(answer, method)
        if self._left:
            raise Malformed(f"behind an error that closes: {self._left[:200]!r}")
        return body

    def _whole_body(self, answer, method):
        lengths, codings = answer.values("content-length"), answer.values("transfer-encoding")
        if method == "HEAD" or answer.status in (204, 304):
            return b""
        if len(lengths) + len(codings) != 1:
            raise Malformed(f"lengths {lengths}, codings {codings}")
        if lengths:
            if not re.fullmatch(r"\d+", lengths[0]):
                raise Malformed(f"length {lengths[0]!r}")
            return self._exactly(int(lengths[0]))
        if codings != ["chunked"]:
            raise Malformed(f"coding {codings[0]!r}")
        return self._chunks()

    def _chunks(self):
        body = b""
        while True:
            line = self._until(b"\r\n")
            if not re.fullmatch(rb"[0-9A-Fa-f]+\r\n", line):
                raise Malformed(f"chunk {line[:200]!r}")
            chunk = self._exactly(int(line, 16))
            if self._exactly(2) != b"\r\n":
                raise Malformed("a chunk that ends elsewhere")
            if not chunk:
                return body
            body += chunk


# -- what comes of a case --------------------------------------------------------------

@dataclass
class Outcome:
    """The answers, and how the connection was left: open when a further request was answered on it, or close."""

    answers: list = field(default_factory=list)
    ending: str = ""

    @property
    def statuses(self):
        return [answer.status for answer in self.answers]

    def echoes(self):
        """What the application told; an answer to HEAD tells nothing."""
        return [Echo(answer.body) for answer in self.answers if answer.status == 200 and answer.body]

    def __str__(self):
        bodies = [answer.body[:60] for answer in self.answers]
        return f"{','.join(map(str, self.statuses)) or 'none'} {self.ending} {bodies}"


def cut(raw, seed):
    """The bytes in three pieces."""
    first, second = sorted(random.Random(seed).randrange(len(raw) + 1) for _ in range(2))
    return [raw[:first], raw[first:second], raw[second:]]


def exchange(server, pieces, count, stays_open, version):
    """Sends pieces of bytes and takes the answers: `count` of them, and all that follow unless it shall stay open."""
    raw = b"".join(pieces)
    outcome = Outcome()
    methods = [method for method, _, _ in sent_requests(raw)]
    with server.connect(SECONDS_TO_CLOSE, StrictConnection) as connection:
        with contextlib.suppress(ConnectionError):  # the answer may come before all is sent
            for number, piece in enumerate(pieces):
                time.sleep(PAUSE if number else 0)
                connection.send(piece)
        try:
            while True:
                finals = sum(status >= 200 for status in outcome.statuses)
                method = methods[finals] if finals < len(methods) else "GET"
                answer = connection.receive_strictly(method, doubled_heads=version == "0.9")
                if answer is None:
                    outcome.ending = "close"
                    break
                outcome.answers.append(answer)
                if len(outcome.answers) >= count and not answer.closes:
                    if stays_open:  # a surplus answer is taken for that to the further request
                        outcome.ending = ask_again(connection)
                        break
                    connection.socket.settimeout(SECONDS_OPEN)
        except ConnectionResetError:
            outcome.ending = "close"
        except (Incomplete, Malformed) as problem:
            outcome.ending = f"{type(problem).__name__}: {problem}"
        except TimeoutError:
            outcome.ending = ask_again(connection) if outcome.answers else "silent"
    return outcome


def ask_again(connection):
    """How a connection on which nothing more comes takes a further request: "open" when it answers that one."""
    connection.socket.settimeout(SECONDS_TO_CLOSE)
    try:
        connection.send(AGAIN)
        answer = connection.receive_strictly("GET", doubled_heads=False)
        if answer and answer.status == 200 and Echo(answer.body).target == "/again":
            return "open"
        return f"/again got {answer}"
    except (OSError, Incomplete, Malformed) as problem:
        return f"/again got {type(problem).__name__}: {problem}"


def judge(server, case, pieces, statuses, ending, version):
    """Asserts that pieces of bytes have the expected outcome, and that the application saw what was answered, no more."""
    raw = b"".join(pieces)
    before = seen_so_far(server)
    outcome = exchange(server, pieces, len(statuses), ending == "open", version)
    seen = seen_so_far(server) - before - 1 - (outcome.ending == "open")
    what_happened = f"{outcome}, seen by the application: {seen}"
    assert (outcome.statuses, outcome.ending) == (statuses, ending), what_happened

    expected = sent_requests(raw)[:statuses.count(200)]
    if case.name in OWN_ANSWERS:
        assert outcome.answers[0].values("allow"), outcome.answers[0]
        del expected[0], outcome.answers[0]
    assert seen == len(expected), what_happened
    told = [(echo.method, echo.target, echo.body) for echo in outcome.echoes()]
    assert told == [request for request in expected if request[0] != "HEAD"], what_happened
    assert not told or outcome.echoes()[-1].number == before + len(expected), what_happened


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answer(server, version, case):
    statuses, ending = case.expected(version)
    judge(server, case, [case.raw], statuses, ending, version)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answer_to_pieces(server, version, case):
    """What is refused does not depend on how the bytes arrive."""
    statuses, ending = case.expected(version)
    if version != "0.9" and case.name == "expect-100-continue":
        pytest.skip("libmicrohttpd 1.0 sends 100 only when the body is not there yet")
    judge(server, case, cut(case.raw, case.name), statuses, ending, version)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_request_behind(server, version, case):
    """The request behind is the next one of a connection that stays open, and is never seen on one that closes.

    No case is cut short, so none may take the request behind for the rest of its own head or body.
    """
    statuses, ending = case.expected(version)
    judge(server, case, [case.raw + BEHIND], statuses + [200] * (ending == "open"), ending, version)


def test_library_whose_heads_cannot_be_scanned_is_not_served_with(start, build):
    """A start fails rather than to let through what libmicrohttpd 0.9.75 hides."""
    if build.is_sanitized:
        pytest.skip("a sanitizer wants to be the first that is loaded")
    preloaded = f"LD_PRELOAD={build.application('strange_library')}"
    with contextlib.ExitStack() as stack:
        server = start("[server]\nworkers = 1\n", wrapper=("env", preloaded))
        try:
            stack.enter_context(server)
        except AssertionError as reason:
            assert "ended with 70" in str(reason)
            assert server.lines("Giving up after 5 tries: this libmicrohttpd cannot be trusted", "EVENT=master-failed")
            assert not server.lines("EVENT=master-ready")
        else:
            assert not server.microhttpd().startswith(("0.9.75", "0.9.76"))
