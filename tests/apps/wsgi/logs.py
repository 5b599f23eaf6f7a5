# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everything that a Python application may say, and how."""
import contextvars
import io
import logging
import logging.config
import logging.handlers
import os
import queue
import subprocess
import sys
import threading
import traceback
import warnings

import appsrv

logger = logging.getLogger("shop.orders")
ROUTES = {}


def route(function):
    ROUTES["/" + function.__name__] = function
    return function


@route
def levels():
    for level in (10, 20, 25, 30, 40, 50, 60):
        logger.log(level, "level %d", level)


@route
def fields():
    class Odd:
        def __str__(self):
            raise ValueError("no text")
    logger.info("with fields", extra={"user": 7, "Order-Id": "o1", "PRIORITY": "0", "worker_pid": 1, "app": "x", "request_id": "forged",
                                      "9lives": "cat", "nothing": None, "raw": b"\x00\xff", "text": "two\nlines", "odd": Odd(),
                                      "lone": "\udc80", "\u00fcber": 1, "message_id": "bad", "x" * 100: 1, "long": "y" * 40000})


@route
def many_fields():
    logger.info("many fields", extra={f"field{number}": number for number in range(100)})


@route
def trace():
    try:
        {}["key"]
    except KeyError:
        logger.exception("it broke\nin two lines")


@route
def bad_call():
    logger.info("number %d and %s", "x")


@route
def stack():
    logger.info("with a stack", stack_info=True)


@route
def prints():
    print("printed")
    print("two", "words", file=sys.stderr)
    print("first\nsecond")
    print("no end", end="")
    print()
    try:
        {}["key"]
    except KeyError:
        traceback.print_exc()
    sys.stdout.write("left over")
    os.write(1, b"straight to the descriptor\n")
    sys.stdout.buffer.write(b"as bytes\n")
    subprocess.run(["/bin/echo", "of a child"], check=True)


@route
def warned():
    warnings.warn("take care", DeprecationWarning)
    warnings.warn("take more care")


@route
def threads():
    def work():
        logger.info("in a thread, %s", appsrv.request_id())
    for target in (contextvars.copy_context().run, None):
        thread = threading.Thread(target=target or work, args=(work,) if target else ())
        thread.start()
        thread.join()
    thread = threading.Thread(target=lambda: [][1], name="doomed")
    thread.start()
    thread.join()


@route
def request():
    logger.info("id is %s", appsrv.request_id())


@route
def unraisable():
    class Bad:
        def __del__(self):
            raise ValueError("in __del__")
    Bad()


@route
def forks():
    pid = os.fork()
    if pid == 0:
        logger.info("in the child")
        print("printed by the child")
        return
    os.waitpid(pid, 0)
    logger.info("in the parent")


@route
def queued():
    records = queue.SimpleQueue()
    listener = logging.handlers.QueueListener(records, logging.StreamHandler())
    for name in ("queued", "queued.only"):
        logging.getLogger(name).addHandler(logging.handlers.QueueHandler(records))
    logging.getLogger("queued.only").propagate = False
    listener.start()
    logging.getLogger("queued").warning("through a queue")
    logging.getLogger("queued.only").warning("alone in a queue")
    listener.stop()


@route
def long():
    logger.info("z" * 200000)


@route
def longer():
    logger.info("w" * 300000)


def app(environ, start_response):
    ROUTES[environ["PATH_INFO"]]()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok\n"]


# -- configurations ------------------------------------------------------------------------------

def configured_by_dict():
    logging.config.dictConfig({
        "version": 1, "disable_existing_loggers": False,
        "formatters": {"own": {"format": "OWN %(levelname)s %(message)s"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "own"},
                     "journal": {"class": "appsrv.logging.JournalHandler"}},
        "loggers": {"django": {"handlers": ["journal", "console"], "level": "INFO"}},
        "root": {"handlers": ["console"], "level": "DEBUG"}})
    return saying("shop.orders", "django.request")


def configured_by_journal():
    """With the handler by its name only: at the root and at a logger below it, each record comes to both."""
    logging.config.dictConfig({
        "version": 1, "disable_existing_loggers": False,
        "formatters": {"own": {"format": "JOURNAL %(levelname)s %(message)s"}},
        "filters": {"tenant": {"()": Tenant}},
        "handlers": {"journal": {"class": "appsrv.logging.JournalHandler", "formatter": "own", "filters": ["tenant"], "level": "INFO"}},
        "loggers": {"shop": {"handlers": ["journal"]}},
        "root": {"handlers": ["journal"], "level": "DEBUG"}})
    return saying("shop.orders")


class Tenant:
    """A filter that adds to a record, as of many projects."""

    def filter(self, record):
        record.tenant = "t1"
        return True


def configured_by_basic():
    logging.basicConfig(level=logging.DEBUG, format="BASIC %(message)s")
    return saying("shop.orders")


def configured_by_file(name=os.environ.get("LOGS_FILE", "/dev/null")):
    logging.basicConfig(filename=name, level=logging.DEBUG, format="FILE %(message)s")
    return saying("shop.orders")


def configured_by_handler():
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("HANDLER %(message)s"))
    logging.getLogger("shop.orders").addHandler(handler)
    return saying("shop.orders")


def configured_by_wrapper():
    """As where colorama is installed: Django's commands have it put itself around the streams."""
    class Around:
        def __init__(self, stream):
            self._stream = stream

        def __getattr__(self, name):
            return getattr(self._stream, name)
    sys.stderr = Around(sys.stderr)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("AROUND %(message)s"))
    logging.getLogger("shop.orders").addHandler(handler)
    return saying("shop.orders")


def configured_by_memory():
    """A stream of the application's own stays one."""
    kept = io.StringIO()
    handler = logging.StreamHandler(kept)
    logging.getLogger("shop.orders").addHandler(handler)
    inner = saying("shop.orders")

    def application(environ, start_response):
        inner(environ, start_response)
        return [kept.getvalue().encode()]
    return application


class Writer(logging.Handler):
    """Writes in pieces to a stream that it finds out late, as Radicale's does."""

    def emit(self, record):
        sys.stderr.write(self.format(record))
        sys.stderr.write("\n")
        sys.stderr.flush()


class Failing(logging.Handler):
    """Has no place to write to."""

    def emit(self, record):
        try:
            raise OSError("the disk is full")
        except OSError:
            self.handleError(record)


def configured_by_writer():
    writer = Writer()
    writer.setFormatter(logging.Formatter("WRITER %(message)s"))
    logging.getLogger("shop.orders").addHandler(writer)
    return saying("shop.orders")


def configured_by_failing():
    """No other handler sees what this logger says."""
    logger.addHandler(Failing())
    logger.propagate = False
    return app


def saying(*names):
    def application(environ, start_response):
        for name in names:
            logging.getLogger(name).debug("debugging of %s", name)
            logging.getLogger(name).warning("warning of %s", name)
        return app({"PATH_INFO": "/request"}, start_response)
    return application


def flask_as_documented():
    """The configuration of Flask's documentation."""
    logging.config.dictConfig({
        "version": 1,
        "formatters": {"default": {"format": "DOCUMENTED %(levelname)s in %(module)s: %(message)s"}},
        "handlers": {"wsgi": {"class": "logging.StreamHandler", "stream": "ext://flask.logging.wsgi_errors_stream", "formatter": "default"}},
        "root": {"level": "INFO", "handlers": ["wsgi"]}})
    return flask()


def flask():
    import flask as framework
    made = framework.Flask("shop")

    @made.route("/")
    def index():  # pylint: disable=unused-variable
        made.logger.warning("of the Flask application")
        return "ok"

    @made.route("/fails")
    def fails():  # pylint: disable=unused-variable
        raise ValueError("in a view")
    return made
