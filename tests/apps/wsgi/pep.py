# SPDX-License-Identifier: LGPL-2.1-or-later
"""What PEP 3333 allows and forbids: `checked` behind wsgiref's validator, `bare` without, so that it can do wrong."""
import functools
import io
import json
import os
import sys
import threading
import time
import warnings
from wsgiref.validate import validator

TEXT = [("Content-Type", "text/plain")]
ROUTES = {}
closed = []


def route(function):
    ROUTES["/" + function.__name__] = function
    return function


def arguments(environ):
    return dict(pair.split("=", 1) for pair in environ["QUERY_STRING"].split("&") if "=" in pair)


class Body:
    """An iterable that counts how often it is closed."""

    def __init__(self, pieces, name="body"):
        self.pieces = pieces
        self.name = name

    def __iter__(self):
        return iter(self.pieces)

    def close(self):
        closed.append(self.name)


# -- what is right ---------------------------------------------------------------------------

@route
def environ(environ, start_response):
    shown = {key: value for key, value in environ.items() if isinstance(value, (str, bool, int, tuple))}
    shown["type"] = type(environ).__name__
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(shown).encode()]


@route
def whole(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"abc"]


@route
def two(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"abc", b"def"]


@route
def nothing(environ, start_response):
    start_response("200 OK", TEXT)
    return []


@route
def generator(environ, start_response):
    start_response("200 OK", TEXT)
    return (b"%d," % i for i in range(10))


@route
def lazy(environ, start_response):
    def pieces():
        start_response("201 Created", TEXT)
        yield b"late"
    return pieces()


@route
def slowly(environ, start_response):
    def pieces():
        for number in range(4):
            yield b"%d %.3f\n" % (number, time.time())
            time.sleep(0.15)
    start_response("200 OK", TEXT)
    return pieces()


@route
def status(environ, start_response):
    code, length = (arguments(environ).get(name) for name in ("code", "length"))
    start_response(f"{code} Whatever", (TEXT if code not in ("204", "304") else []) + ([("Content-Length", length)] if length else []))
    return [] if code in ("204", "304") else [b"body"]


@route
def write_first(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"written,")
    return [b"returned"]


@route
def length(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "6")])
    return iter([b"abc", b"def"])


@route
def echo(environ, start_response):
    start_response("200 OK", TEXT)
    return [environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))]


go = threading.Event()


@route
def slow_echo(environ, start_response):
    """Reads when it is told to go on."""
    print("about to read")
    go.wait(20)
    go.clear()
    body = environ["wsgi.input"].read()
    print("has read")
    start_response("200 OK", TEXT)
    return [body]


@route
def go_on(environ, start_response):
    go.set()
    start_response("200 OK", TEXT)
    return [b"going"]


@route
def methods(environ, start_response):
    """What each way to read gives, one after the other."""
    body = environ["wsgi.input"]
    got = {"read": body.read(3), "readline": body.readline(), "part": body.readline(2), "lines": body.readlines(4),
           "next": next(iter(body), b""), "rest": body.read(10 ** 6), "end": body.read(1), "end_line": body.readline()}
    start_response("200 OK", TEXT)
    return [json.dumps({key: [v.decode() for v in value] if isinstance(value, list) else value.decode()
                        for key, value in got.items()}).encode()]


@route
def errors(environ, start_response):
    stream = environ["wsgi.errors"]
    stream.write("one \u20ac\n")
    stream.writelines(["two ", "parts\n"])
    stream.write("no newline")
    stream.flush()
    start_response("200 OK", TEXT)
    return [b"ok"]


@route
def file(environ, start_response):
    wanted = arguments(environ)
    handle = open(os.environ["PEP_FILE"], "rb") if wanted.get("kind") != "memory" else io.BytesIO(open(os.environ["PEP_FILE"], "rb").read())
    handle.seek(int(wanted.get("seek", "0")))
    headers = list(TEXT)
    if "length" in wanted:
        headers.append(("Content-Length", wanted["length"]))
    start_response("200 OK", headers)
    return environ["wsgi.file_wrapper"](handle, 1000)


@route
def was_closed(environ, start_response):
    start_response("200 OK", TEXT)
    names = ",".join(closed)
    closed.clear()
    return [names.encode()]


@route
def closing(environ, start_response):
    start_response("200 OK", TEXT)
    return Body([b"a", b"b"], "closing")


@route
def threads(environ, start_response):
    time.sleep(0.3)
    start_response("200 OK", TEXT)
    return [str(threading.get_ident()).encode()]


# -- what is wrong ---------------------------------------------------------------------------

def wrong(name, status="200 OK", headers=(("Content-Type", "text/plain"),), body=(b"never",)):
    def application(environ, start_response):
        start_response(status, list(headers) if isinstance(headers, tuple) else headers)
        return list(body)
    ROUTES["/" + name] = application


wrong("status_injects", "200 OK\r\nX-Injected: 1")
wrong("status_bytes", b"200 OK")
wrong("status_short", "20")
wrong("status_words", "OK 200")
wrong("status_informs", "100 Continue")
wrong("status_large", "999 What")
wrong("header_injects", headers=(("X-A", "1\r\nX-Injected: 1"),))
wrong("header_name", headers=(("X A", "1"),))
wrong("header_colon", headers=(("Name:", "1"),))
wrong("header_empty", headers=(("", "1"),))
wrong("header_bytes", headers=((b"X-A", "1"),))
wrong("header_value_bytes", headers=(("X-A", b"1"),))
wrong("header_number", headers=(("X-A", 1),))
wrong("header_beyond", headers=(("X-A", "\u20ac"),))
wrong("header_list", headers=(["X-A", "1"],))
wrong("headers_none", headers=None)
wrong("headers_dict", headers={"X-A": "1"})
wrong("length_words", headers=(("Content-Length", "six"),))
wrong("length_negative", headers=(("Content-Length", "-1"),))
wrong("lengths_differ", headers=(("Content-Length", "5"), ("Content-Length", "6")))
wrong("body_str", body=("text",))
wrong("body_mixed", body=(b"bytes", None))
wrong("headers_many", headers=tuple((f"X-{i}", "v") for i in range(500)))


@route
def hop_by_hop(environ, start_response):
    start_response("200 OK", [*TEXT, ("Connection", "close"), ("Transfer-Encoding", "chunked"), ("Date", "never"), ("Server", "mine")])
    return [b"fine"]


@route
def no_start(environ, start_response):
    return [b"x"]


@route
def no_result(environ, start_response):
    start_response("200 OK", TEXT)


@route
def start_twice(environ, start_response):
    start_response("200 OK", TEXT)
    start_response("200 OK", TEXT)
    return [b"never"]


@route
def start_again_after_failure(environ, start_response):
    try:
        start_response("bad", TEXT)
    except ValueError:
        start_response("200 OK", TEXT)
    return [b"never"]


@route
def replaced(environ, start_response):
    start_response("200 OK", [*TEXT, ("X-First", "1"), ("Content-Length", "77")])
    try:
        raise ValueError("first")
    except ValueError:
        start_response("503 Sorry", [("Content-Type", "text/html")], sys.exc_info())
    return [b"sorry"]


@route
def too_late(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"begun")
    try:
        raise KeyError("too late for another answer")
    except KeyError:
        start_response("500 Sorry", TEXT, sys.exc_info())
    return [b"never"]


@route
def empty_then_raise(environ, start_response):
    def pieces():
        yield b""
        raise ValueError("after an empty piece")
    start_response("200 OK", TEXT)
    return pieces()


@route
def raise_after(environ, start_response):
    def pieces():
        yield b"first"
        raise ValueError("after the first piece")
    start_response("200 OK", TEXT)
    return Body(pieces(), "raise_after")


@route
def raises(environ, start_response):
    raise {"exit": SystemExit, "interrupt": KeyboardInterrupt, "recursion": RecursionError}.get(arguments(environ)["what"], ValueError)("on purpose")


@route
def recursion(environ, start_response):
    def deeper():
        return deeper() + 1
    return deeper()


@route
def too_long(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "3")])
    return [b"abc", b"def"] if arguments(environ).get("kind") == "list" else Body([b"ab", b"cd", b"ef"], "too_long")


@route
def too_short(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "30")])
    return [b"abc"] if arguments(environ).get("kind") == "list" else iter([b"abc"])


@route
def close_raises(environ, start_response):
    class Raising(Body):
        def close(self):
            raise ValueError("in close()")
    start_response("200 OK", TEXT)
    return Raising([b"fine"])


@route
def closes_streams(environ, start_response):
    environ["wsgi.input"].close()
    environ["wsgi.errors"].close()
    environ["wsgi.errors"].write("still there\n")
    start_response("200 OK", TEXT)
    return [environ["wsgi.input"].read()]


@route
def endless(environ, start_response):
    start_response("200 OK", TEXT)

    def pieces():
        while True:
            yield b"x" * 65536
    return Body(pieces(), "endless")


@route
def endless_write(environ, start_response):
    write = start_response("200 OK", TEXT)
    try:
        while True:
            write(b"x" * 65536)
    except OSError as error:
        closed.append(type(error).__name__)
        raise
    return []


@route
def surrogates(environ, start_response):
    environ["wsgi.errors"].write("lone \udc80 end\n")
    start_response("200 OK", TEXT)
    return [b"ok"]


kept = {}


@route
def keep(environ, start_response):
    kept.update(input=environ["wsgi.input"], start_response=start_response)
    kept["write"] = start_response("200 OK", TEXT)
    return [b"kept"]


@route
def use_kept(environ, start_response):
    told = []
    for use in (lambda: kept["input"].read(), lambda: kept["write"](b"x"), lambda: kept["start_response"]("200 OK", TEXT)):
        try:
            use()
            told.append("worked")
        except (ValueError, RuntimeError) as error:
            told.append(str(error))
    start_response("200 OK", TEXT)
    return ["\n".join(told).encode()]


@route
def wrapped_file(environ, start_response):
    start_response("200 OK", TEXT)
    wrapper = environ["wsgi.file_wrapper"](open(os.environ["PEP_FILE"], "rb"))
    return (piece.upper() for piece in wrapper)


@route
def gzipped_file(environ, start_response):
    import gzip
    path = os.environ["PEP_FILE"] + ".gz"
    with gzip.open(path, "wb") as handle:
        handle.write(b"plain text")
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](gzip.open(path))


@route
def positional(*args, **named):
    args[1]("200 OK", TEXT)
    return [f"{len(args)} {len(named)}".encode()]


def bare(environ, start_response):
    """Without a validator in between."""
    return ROUTES[environ["PATH_INFO"]](environ, start_response)


def checked(environ, start_response):
    """PEP 3333 says that SERVER_SOFTWARE and others may be there; the validator complains about what is not allowed."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return validator(bare)(environ, start_response)


# -- the kinds of callables ------------------------------------------------------------------

class Instance:
    def __call__(self, environ, start_response):
        return whole(environ, start_response)


class Class:
    def __init__(self, environ, start_response):
        self.result = whole(environ, start_response)

    def __iter__(self):
        return iter(self.result)


class Holder:
    inner = Instance()


partial = functools.partial(whole)
instance = Instance()
application = whole


def make():
    return whole
