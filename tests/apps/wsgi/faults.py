# SPDX-License-Identifier: LGPL-2.1-or-later
"""An application that misbehaves in every way that it is asked for.

FAULTS_AT_IMPORT: what it does while it is imported.
"""
import ctypes
import ctypes.util
import gc
import logging
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import threading
import time

import appsrv

TEXT = [("Content-Type", "text/plain")]
ROUTES = {}
logger = logging.getLogger("faults")


def route(function):
    ROUTES["/" + function.__name__] = function
    return function


def arguments(environ):
    return dict(pair.split("=", 1) for pair in environ["QUERY_STRING"].split("&") if "=" in pair)


def answer(start_response, text):
    start_response("200 OK", TEXT)
    return [str(text).encode()]


@route
def pid(environ, start_response):
    return answer(start_response, os.getpid())


# -- exceptions ------------------------------------------------------------------------------

class Unspeakable(Exception):
    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__


class Speechless(BaseException):
    """No Exception: what catches those does not catch it."""


def raised(environ):
    kind = arguments(environ)["what"]
    if kind == "memory":
        return [0] * (1 << 62)
    if kind == "huge":
        raise ValueError("begin " + "x" * 20_000_000)
    if kind == "chain":
        try:
            raise KeyError("the cause")
        except KeyError as error:
            raise ValueError("the effect") from error
    if kind == "group":
        raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])
    raise {"unspeakable": Unspeakable, "base": Speechless, "syntax": SyntaxError, "exit": SystemExit, "interrupt": KeyboardInterrupt,
           "generator": GeneratorExit, "stop": StopIteration, "surrogate": ValueError}[kind]("lone \udc80" if kind == "surrogate" else "on purpose")


@route
def raises(environ, start_response):
    return raised(environ)


@route
def raises_before_first(environ, start_response):
    start_response("200 OK", TEXT)
    raised(environ)
    yield b"never"


@route
def raises_after_first(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"first"
    raised(environ)


class Closing:
    def __init__(self, environ):
        self.environ = environ
        self.left = [b"body"]

    def __iter__(self):
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        return self.left.pop()

    def close(self):
        raised(self.environ)


@route
def raises_in_close(environ, start_response):
    start_response("200 OK", TEXT)
    return Closing(environ)


@route
def raises_in_thread(environ, start_response):
    thread = threading.Thread(target=raised, args=(environ,), name="doomed")
    thread.start()
    thread.join()
    return answer(start_response, "ok")


@route
def exits_in_thread(environ, start_response):
    thread = threading.Thread(target=sys.exit, args=(3,))
    thread.start()
    thread.join()
    return answer(start_response, "ok")


# -- ends of the process -----------------------------------------------------------------------

@route
def segfault(environ, start_response):
    return answer(start_response, reads_at_null())


def reads_at_null():
    return ctypes.string_at(0)


@route
def aborts(environ, start_response):
    os.abort()


@route
def kills(environ, start_response):
    os.kill(os.getpid(), int(arguments(environ)["signal"]))
    time.sleep(60)


@route
def exits(environ, start_response):
    os._exit(3)


@route
def overflows(environ, start_response):
    """More C on the stack than there is room for: regcomp() calls itself for each parenthesis."""
    return answer(start_response, ctypes.CDLL(None).regcomp(ctypes.create_string_buffer(1000), b"(" * 1_000_000, 1))


@route
def segfault_in_thread(environ, start_response):
    thread = threading.Thread(target=reads_at_null)
    thread.start()
    thread.join()
    return answer(start_response, "never")


# -- what never ends -----------------------------------------------------------------------------

def keeps_the_gil():
    """A lock that is taken twice, as by an extension that forgot to let Python go on."""
    lock = ctypes.create_string_buffer(64)
    ctypes.PyDLL(None).pthread_mutex_lock(lock)
    ctypes.PyDLL(None).pthread_mutex_lock(lock)


@route
def deadlock(environ, start_response):
    keeps_the_gil()


@route
def waits(environ, start_response):
    waits_for_ever()


def runs_away():
    """C code of Python that does not come back in the age of the world."""
    re.match(r"(a+)+$", "a" * 60 + "b")


@route
def regex(environ, start_response):
    runs_away()


def waits_for_ever():
    threading.Event().wait()


@route
def spins(environ, start_response):
    """Python code alone."""
    end = time.monotonic() + float(arguments(environ)["s"])
    while time.monotonic() < end:
        pass
    return answer(start_response, "ok")


@route
def holds(environ, start_response):
    """C code that keeps the GIL, and comes back."""
    if "extend" in arguments(environ):
        appsrv.extend(float(arguments(environ)["extend"]))
    ctypes.PyDLL(None).poll(None, 0, int(float(arguments(environ)["s"]) * 1000))
    return answer(start_response, "ok")


@route
def sleeps(environ, start_response):
    time.sleep(float(arguments(environ)["s"]))
    return answer(start_response, "ok")


def never_ends():
    while True:
        time.sleep(0.05)


@route
def leaves_a_thread(environ, start_response):
    threading.Thread(target=never_ends, name="endless").start()
    return answer(start_response, "ok")


@route
def leaves_work(environ, start_response):
    def work():
        time.sleep(float(arguments(environ)["s"]))
        logger.info("the work is done")
    threading.Thread(target=work).start()
    return answer(start_response, "ok")


@route
def leaves_daemons(environ, start_response):
    def chatter(number):
        while True:
            logger.info("daemon %d is there", number)
            print("daemon prints")
            if number % 2:
                time.sleep(0.001)

    for number in range(4):
        threading.Thread(target=chatter, args=(number,), daemon=True).start()
    return answer(start_response, "ok")


# -- processes -------------------------------------------------------------------------------------

@route
def forks(environ, start_response):
    """The child does what it is told; its parent answers, with the child's status if it waits for it."""
    how = arguments(environ)["child"]
    child = os.fork()
    if child == 0:
        if how == "returns":
            logger.info("in the child that returns")
            start_response("200 OK", TEXT)
        elif how == "raises":
            raise ValueError("in the child")
        elif how == "exits":
            os._exit(7)
        elif how == "crashes":
            reads_at_null()
        elif how == "leaves":
            sys.exit(8)
        elif how == "execs":
            os.execv("/bin/sh", ["sh", "-c", "echo from the exec; exit 9"])
        elif how == "stays":
            while True:
                time.sleep(1)
        return [b"of the child"]
    if how == "stays":
        return answer(start_response, child)
    return answer(start_response, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


@route
def runs(environ, start_response):
    done = subprocess.run(["/bin/sh", "-c", "echo out; echo err >&2; exit 5"], capture_output=True, check=False)
    subprocess.run(["/bin/sh", "-c", "echo of a child"], check=True)
    return answer(start_response, (done.returncode, done.stdout, done.stderr))


@route
def inherited(environ, start_response):
    """What a program is given that is started without closing anything; one line is of ls itself."""
    done = subprocess.run(["/bin/ls", "-l", "/proc/self/fd"], capture_output=True, check=True, close_fds=False, text=True)
    return answer(start_response, done.stdout)


@route
def signals_of_child(environ, start_response):
    done = subprocess.run(["/bin/grep", "^Sig\\|^Shd", "/proc/self/status"], capture_output=True, check=True, text=True)
    return answer(start_response, done.stdout)


@route
def terminates(environ, start_response):
    """Popen.terminate() and send_signal() end what they are meant for."""
    child = subprocess.Popen(["/bin/sleep", "1000"])  # pylint: disable=consider-using-with
    child.send_signal(getattr(signal, arguments(environ)["signal"]))
    try:
        status = child.wait(5)
    except subprocess.TimeoutExpired:
        child.kill()
        status = child.wait()
    return answer(start_response, status)


def doubled(number):
    return 2 * number


def sleeps_on():
    time.sleep(1000)


@route
def pools(environ, start_response):
    """A pool of processes: what it works out, and that the end of the with block, which terminates it, ends those that work."""
    context = multiprocessing.get_context(arguments(environ)["context"])
    with context.Pool(2) as pool:
        result = pool.map(doubled, range(10))
        pool.apply_async(sleeps_on)
    return answer(start_response, result)


@route
def processes(environ, start_response):
    context = multiprocessing.get_context(arguments(environ)["context"])
    process = context.Process(target=sleeps_on)
    process.start()
    process.terminate()
    process.join(5)
    status = process.exitcode
    if status is None:
        process.kill()
        process.join()
    return answer(start_response, status)


@route
def handles_signals(environ, start_response):
    """An application that wants to know of SIGTERM itself; asked for again in a child, where that works."""
    child = os.fork()
    if child == 0:
        if signal.signal(signal.SIGTERM, lambda *_: os._exit(4)) != signal.SIG_DFL:
            os._exit(6)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
        os._exit(5)
    return answer(start_response, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


# -- requests that shall leave nothing behind --------------------------------------------------------

@route
def counters(environ, start_response):
    """What is in use: blocks of Python objects, bytes of malloc, and in a debug build all references."""
    gc.collect()
    if "names" not in environ["QUERY_STRING"]:
        sys._clear_type_cache()  # it keeps up to 4,096 names that attributes were asked for by
    return answer(start_response, f"{sys.getallocatedblocks()} {malloc_in_use()} {getattr(sys, 'gettotalrefcount', int)()}")


class Mallinfo(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in
                ("arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]


def malloc_in_use():
    """A sanitizer has a malloc of its own, and keeps account of what is in use without what it keeps of what was freed."""
    process = ctypes.CDLL(None)
    if hasattr(process, "__sanitizer_get_current_allocated_bytes"):
        process.__sanitizer_get_current_allocated_bytes.restype = ctypes.c_size_t
        return process.__sanitizer_get_current_allocated_bytes()
    process.mallinfo2.restype = Mallinfo
    info = process.mallinfo2()
    return info.uordblks + info.hblkhd


KEPT = []


@route
def keeps(environ, start_response):
    """What a leak looks like to who counts."""
    KEPT.append(bytearray(16_384))
    return answer(start_response, len(KEPT))


@route
def leaks(environ, start_response):
    """What LeakSanitizer says of this process, in a build that has it: 0, or 1 and a report on standard error."""
    return answer(start_response, ctypes.CDLL(None).__lsan_do_recoverable_leak_check())


@route
def loses(environ, start_response):
    """Memory that nobody knows any more."""
    malloc = ctypes.CDLL(None).malloc
    malloc.restype = ctypes.c_size_t
    for _ in range(100):
        malloc(1000)
    return leaks(environ, start_response)


@route
def whole(environ, start_response):
    return answer(start_response, "abc")


@route
def parts(environ, start_response):
    start_response("200 OK", TEXT)
    return [b"abc"] * 5


@route
def generates(environ, start_response):
    start_response("200 OK", TEXT)
    return (b"%d" % number for number in range(5))


@route
def writes(environ, start_response):
    write = start_response("200 OK", TEXT)
    write(b"abc")
    write(b"def")
    return []


@route
def reads(environ, start_response):
    body = environ["wsgi.input"]
    size = len(body.readline()) + len(body.read(10)) + len(body.readlines()[0]) + len(body.read())
    return answer(start_response, size)


@route
def headers(environ, start_response):
    start_response("200 OK", [*TEXT, *((f"X-Header-{number}", f"value {number}") for number in range(20)), ("Connection", "close")])
    return [environ.get("HTTP_X_GIVEN", "").encode()]


@route
def fails(environ, start_response):
    raise ValueError("as always")


@route
def fails_late(environ, start_response):
    start_response("200 OK", TEXT)
    yield b"first"
    raise ValueError("as always")


@route
def is_wrong(environ, start_response):
    start_response("200 OK", [("X-Bad", "a\nb")])
    return [b"never"]


counted = 0


@route
def logs(environ, start_response):
    global counted  # pylint: disable=global-statement
    counted += 1
    logger.info("number %d", counted, extra={"number": counted, "text": f"text {counted}", "odd": [counted]})
    print("printed", counted)
    return answer(start_response, "ok")


@route
def logs_many_names(environ, start_response):
    global counted  # pylint: disable=global-statement
    counted += 1
    logger.info("invented", extra={f"name_{counted}_{number}": number for number in range(3)})
    return answer(start_response, "ok")


@route
def file(environ, start_response):
    start_response("200 OK", TEXT)
    return environ["wsgi.file_wrapper"](open(__file__, "rb"))


@route
def file_part(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "10")])
    return environ["wsgi.file_wrapper"](open(__file__, "rb"), 3)


@route
def large(environ, start_response):
    """More than a client takes that leaves."""
    start_response("200 OK", TEXT)
    return (b"x" * 65536 for _ in range(1000))


def app(environ, start_response):
    return ROUTES[environ["PATH_INFO"]](environ, start_response)


# -- faults at import --------------------------------------------------------------------------------

def hangs_at_import():
    threading.Event().wait()


AT_IMPORT = {"hang": hangs_at_import, "deadlock": keeps_the_gil, "exit": lambda: os._exit(3), "exit_0": lambda: os._exit(0), "exit_78": lambda: os._exit(78),
             "leave": lambda: sys.exit(4), "segfault": reads_at_null, "thread": lambda: threading.Thread(target=never_ends, name="endless").start(),
             "handler": lambda: signal.signal(signal.SIGTERM, lambda *_: None)}
AT_IMPORT.get(os.environ.get("FAULTS_AT_IMPORT"), int)()
