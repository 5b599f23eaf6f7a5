# SPDX-License-Identifier: LGPL-2.1-or-later
"""One request, one access record: also of requests that libmicrohttpd refuses itself, before or after their head was accepted.

Each client has a loopback address of its own, by which its records are told apart; all of them come at once, so that a
refusal which is taken for that of another connection is found as well.
"""
import contextlib
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from lib.client import Connection
from lib.identity import Identity
from lib.serving import Serving

CONFIG = ("[server]\nworkers = 1\nthreads = 4\n[http]\nlimit_request_body = 100k\nlimit_request_line = 16000\n"
          "header_timeout = 2s\nbody_timeout = 1s\n")
SECONDS = 15

CHUNKED = b"POST /first HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = b"GET /second HTTP/1.1\r\nHost: a\r\n"
BEHIND = b"GET /behind HTTP/1.1\r\nHost: a\r\n\r\n"
LONG = b"x" * 60_000


@dataclass
class Case:
    """Bytes that end a connection, and the statuses of their requests with libmicrohttpd 0.9.75."""

    raw: bytes
    statuses: list
    cut: int = None  # where a client that leaves in the middle does so


CASES = {
    "trailer beyond the pool": Case(CHUNKED + b"5\r\nhello\r\n0\r\nX: " + LONG + b"\r\n\r\n", [431]),
    "trailers beyond the pool": Case(CHUNKED + b"5\r\nhello\r\n0\r\n" + b"X: abcdefgh\r\n" * 5000 + b"\r\n", [431]),
    "trailer without a colon": Case(CHUNKED + b"5\r\nhello\r\n0\r\nnothing\r\n\r\n", [400]),
    "chunk extension beyond the pool": Case(CHUNKED + b"5;" + LONG + b"\r\nhello\r\n0\r\n\r\n", [400]),
    "chunk size malformed": Case(CHUNKED + b"zz\r\nhello\r\n0\r\n\r\n", [400]),
    "later chunk size malformed": Case(CHUNKED + b"5\r\nhello\r\nzz\r\nhello\r\n0\r\n\r\n", [400]),
    "chunk size beyond any number": Case(CHUNKED + b"5\r\nhello\r\n" + b"f" * 20 + b"\r\nhello", [413]),
    "chunk longer than its size": Case(CHUNKED + b"5\r\nhello world\r\n0\r\n\r\n", [400]),
    "too much in chunks": Case(CHUNKED + b"30000\r\n" + bytes(0x30000) + b"\r\n0\r\n\r\n", [413]),
    "far too much in chunks": Case(CHUNKED + b"300000\r\n" + bytes(0x300000) + b"\r\n0\r\n\r\n", [413]),
    "header beyond the pool": Case(HEAD + b"X: " + LONG + b"\r\n\r\n", [431]),
    "header beyond the pool, pipelined": Case(GET + HEAD + b"X: " + LONG + b"\r\n\r\n", [200, 431], len(GET + HEAD)),
    "request line beyond the pool": Case(b"GET /" + LONG + b" HTTP/1.1\r\nHost: a\r\n\r\n", [414]),
    "request line beyond the pool, pipelined": Case(GET + b"GET /" + LONG + b" HTTP/1.1\r\nHost: a\r\n\r\n", [200, 414]),
    "header without a colon": Case(HEAD + b"nothing\r\n\r\n", [400]),
    "header without a colon, pipelined": Case(GET + HEAD + b"nothing\r\n\r\n", [200, 400]),
    "length malformed": Case(HEAD + b"Content-Length: 5x\r\n\r\nhello", [400]),
    "length malformed, pipelined": Case(GET + HEAD + b"Content-Length: 5x\r\n\r\nhello", [200, 400]),
    "version unknown": Case(b"GET /first HTTP/3.0\r\nHost: a\r\n\r\n", [505]),
    "version unknown, pipelined": Case(GET + b"GET /second HTTP/3.0\r\nHost: a\r\n\r\n", [200, 505]),
    "no host, pipelined": Case(GET + b"GET /second HTTP/1.1\r\n\r\n", [200, 400]),
    "arguments beyond the pool": Case(b"GET /?" + b"&" * 1500 + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", [431]),
}
NAMES = list(CASES)

# what a client does: the first part of its address, the bytes, and whether it waits for the end
MANNERS = {
    "whole": (1, lambda case: case.raw),
    "with a request behind": (2, lambda case: case.raw + BEHIND),
    "leaves in the middle": (3, lambda case: case.raw[:case.cut or len(case.raw) * 2 // 3]),
}
LAST_WHOLE = "with a request behind"


def address_of(name, manner):
    return f"127.0.{MANNERS[manner][0]}.{NAMES.index(name) + 1}"


class Client(Connection):
    """From an address of its own."""

    def __init__(self, server, address):
        self.socket = socket.create_connection(server.address, SECONDS, (address, 0))
        if server.context:
            self.socket = server.context.wrap_socket(self.socket, server_hostname="localhost")
        self._left = b""


def live(server, name, manner):
    """Sends all, says that this was all, reads to the end. Returns the statuses that came."""
    with Client(server, address_of(name, manner)) as client:
        with contextlib.suppress(OSError):  # it may be closed before all is sent
            client.send(MANNERS[manner][1](CASES[name]))
            if manner == "leaves in the middle":
                client.socket.shutdown(socket.SHUT_WR)
        seen = client.rest()
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.1 ([2-5]\d\d) ", seen)]
    # libmicrohttpd 0.9.75 sends the head of an error twice
    return [status for at, status in enumerate(statuses) if status < 400 or status not in statuses[:at]]


class Outcome:
    """All clients, their answers, and the records of a server that has ended."""

    def __init__(self, build, folder, application, identity):
        with Serving(build, folder, CONFIG, application=application, identity=identity) as server, ThreadPoolExecutor(8) as threads:
            self.old = server.microhttpd().startswith("0.")
            self._answers = {}
            for manner in MANNERS:
                self._live(server, threads, manner)
                if manner == LAST_WHOLE and application == "echo":
                    self.seen = int(server.ask("/count").body.split()[0]) - 1
            assert server.stop() == 0
            self._lines = server.lines("OUTCOME=", "REMOTE_ADDR=")

    def _live(self, server, threads, manner):
        began = {name: threads.submit(live, server, name, manner) for name in NAMES}
        for name, client in began.items():
            self._answers[name, manner] = client.result()

    def answers(self, name, manner):
        return self._answers[name, manner]

    def records(self, name, manner):
        """The statuses of the records."""
        word = f" REMOTE_ADDR={address_of(name, manner)} "
        return [int(re.search(r"HTTP_STATUS=(\d+)", line)[1]) for line in self._lines if word in line]

    def successes(self):
        """Of the clients that stayed."""
        return sum(self.records(name, manner).count(200) for manner in MANNERS for name in NAMES if manner != "leaves in the middle")


@pytest.fixture(scope="module", params=[("tcp", "echo"), ("tls", "reader")], ids="-".join)
def outcome(request, build, tmp_path_factory):
    """An application that gets whole requests, and one that reads them while they arrive."""
    folder = tmp_path_factory.mktemp("server")
    network, application = request.param
    return Outcome(build, folder, application, Identity(folder) if network == "tls" else None)


def settled(status):
    """Of two requests that are refused at once before their request line is known, one may get the status of the other."""
    return 400 if status in (414, 505) else status


@pytest.mark.parametrize("manner", ["whole", LAST_WHOLE])
def test_each_request_has_its_record(outcome, manner):
    """And nothing behind a refused one is taken for a request."""
    for name, case in CASES.items():
        records, answers = outcome.records(name, manner), outcome.answers(name, manner)
        assert len(records) == len(case.statuses), (name, records)
        if outcome.old:
            assert sorted(map(settled, records)) == sorted(map(settled, case.statuses)), (name, records)
        # who was refused in the middle of what he sent may not have read why
        assert {*map(settled, answers)} <= {*map(settled, records)} and len(answers) <= len(records), (name, answers, records)


def test_each_request_that_ends_in_the_middle_has_its_record(outcome):
    for name, case in CASES.items():
        records = outcome.records(name, "leaves in the middle")
        assert 1 <= len(records) <= len(case.statuses), (name, records)


def test_application_sees_what_has_a_record_of_success(outcome):
    if hasattr(outcome, "seen"):
        assert outcome.seen == outcome.successes()


def test_client_that_says_that_this_was_all_is_answered(start):
    """Many at once: how libmicrohttpd 0.9.75 learns of the end depends on what else there is to do."""
    def ask(number):
        with server.connect() as client:
            client.send(GET if number % 2 else GET + GET)
            client.socket.shutdown(socket.SHUT_WR)
            return client.rest().count(b"HTTP/1.1 200 ")

    with start("[server]\nworkers = 1\nthreads = 2\n", application="echo") as server, ThreadPoolExecutor(8) as threads:
        assert list(threads.map(ask, range(400))) == [2, 1] * 200
        assert not server.lines("OUTCOME=client-abort")
