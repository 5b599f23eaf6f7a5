# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTP clients that keep a ledger: what was asked, what was answered, and what failed and how."""
import contextlib
import itertools
import socket
import ssl
import threading
import time
import uuid
from dataclasses import dataclass, field

from lib.wait import wait_until

TIMEOUT = 30


@dataclass
class Answer:
    """What came back for one request; `error` says what went wrong when nothing whole came back."""

    id: str
    status: int = 0
    headers: dict = field(default_factory=dict)
    body: bytes = b""
    error: str = ""
    seconds: float = 0.0

    @property
    def request_id(self):
        return self.headers.get("x-request-id", "")


class Incomplete(Exception):
    """The peer closed the connection before the answer was whole."""


class Connection:
    """One connection to the server, good for one request after the other."""

    def __init__(self, address, timeout=TIMEOUT, context=None):
        self.socket = socket.create_connection(address, timeout=timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self._left = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except ssl.SSLEOFError as error:  # what a plain socket calls a broken pipe
            raise BrokenPipeError(*error.args) from error

    def ask(self, target="/", method="GET", headers=(), body=None, host="localhost"):
        """Sends one request and returns its Answer."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in headers)]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))
        return self.receive(has_body=method != "HEAD")

    def receive(self, has_body=True):
        """Reads one whole answer."""
        head = self._until(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {}
        for line in filter(None, lines):
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        answer = Answer("", int(status.split()[1]), headers)
        if 100 <= answer.status < 200:
            return self.receive(has_body)
        if has_body and answer.status not in (204, 304):
            answer.body = self._body(headers)
        return answer

    def rest(self):
        """Everything until the peer closes the connection, however it does."""
        with contextlib.suppress(ConnectionError):
            while self._more():
                pass
        left, self._left = self._left, b""
        return left

    def _body(self, headers):
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return self.rest()
        parts = []
        while size := int(self._until(b"\r\n").split(b";")[0], 16):
            parts.append(self._exactly(size + 2)[:-2])
        while self._until(b"\r\n") != b"\r\n":
            pass
        return b"".join(parts)

    def _until(self, mark):
        while mark not in self._left:
            self._need()
        end = self._left.index(mark) + len(mark)
        taken, self._left = self._left[:end], self._left[end:]
        return taken

    def _exactly(self, size):
        while len(self._left) < size:
            self._need()
        taken, self._left = self._left[:size], self._left[size:]
        return taken

    def _need(self):
        if not self._more():
            raise Incomplete(f"closed after {len(self._left)} bytes")

    def _more(self):
        data = self.socket.recv(65536)
        self._left += data
        return bool(data)


class Server:
    """Where a server listens: its address, the network that has it, and how its connections are encrypted."""

    def __init__(self, port, network=contextlib.nullcontext, host="127.0.0.1", context=None):
        self.address = (host, port)
        self.network = network
        self.context = context

    def connect(self, timeout=TIMEOUT, kind=Connection):
        with self.network():
            return kind(self.address, timeout, self.context)

    def ask(self, target="/", **options):
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.ask(target, headers=[("Connection", "close"), *options.pop("headers", ())], **options)

    def exchange(self, raw, timeout=TIMEOUT):
        """Sends raw bytes, and returns all that comes until the peer closes."""
        with self.connect(timeout) as connection:
            with contextlib.suppress(ConnectionError):
                connection.send(raw)
            return connection.rest()


class Load:
    """Clients on threads, each asking one request after the other, every request with an id of its own.

    With `count` they end when that many requests were sent in all; without, when the `with` block ends. The ledger
    is complete after that.
    """

    def __init__(self, server, threads=4, keep_alive=False, count=None, target="/?id={id}"):
        self.server = server
        self.keep_alive = keep_alive
        self.target = target
        self.ledger = []
        self.problem = None
        self._stop = threading.Event()
        self._endless = count is None
        self._tickets = itertools.count() if self._endless else iter(range(count))
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._client, daemon=True) for _ in range(threads)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, failure, *_):
        if failure is not None or self._endless:
            self._stop.set()
        self.finish()

    def stop(self):
        """No new requests from now on; returns when those under way have ended."""
        self._stop.set()
        self.finish()

    def finish(self, seconds=120):
        """Waits until all clients have ended."""
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0, deadline - time.monotonic()))
            assert not thread.is_alive(), "a client does not end"
        if self.problem:
            raise self.problem

    def wait_for_answers(self, more, seconds=30):
        """Returns once `more` further requests were answered."""
        goal = len(self.ledger) + more
        wait_until(lambda: len(self.ledger) >= goal, seconds, f"{more} more answers")

    @property
    def failed(self):
        return [answer for answer in self.ledger if answer.error or answer.status != 200]

    def _client(self):
        try:
            with self.server.network():
                self._ask_until_stopped()
        except Exception as problem:  # a bug of the test: shown by the thread that waits
            self.problem = problem

    def _ask_until_stopped(self):
        connection = None
        while not self._stop.is_set() and self._take_ticket():
            begun = time.monotonic()
            answer = Answer(uuid.uuid4().hex)
            try:
                if connection is None:
                    connection = Connection(self.server.address, TIMEOUT, self.server.context)
                headers = () if self.keep_alive else [("Connection", "close")]
                received = connection.ask(self.target.format(id=answer.id), headers=headers)
                answer.status, answer.headers, answer.body = received.status, received.headers, received.body
            except (OSError, Incomplete) as problem:
                answer.error = f"{type(problem).__name__}: {problem}"
                # a port that refuses is asked again soon, but not as fast as the machine can
                self._stop.wait(0.01)
            answer.seconds = time.monotonic() - begun
            self.ledger.append(answer)
            if connection and (answer.error or not self.keep_alive
                               or answer.headers.get("connection", "").lower() == "close"):
                connection.socket.close()
                connection = None

    def _take_ticket(self):
        with self._lock:
            return next(self._tickets, None) is not None
