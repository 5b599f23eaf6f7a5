# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the server does in Python before it imports the application, and when it ends."""
import atexit
import faulthandler
import gc
import io
import logging
import os
import signal
import sys
import threading
import traceback
import warnings

import _appsrv

from appsrv.logging import JournalHandler, commit, exception, mark

STDERR = 2
SECONDS_TO_END = 0.5  # a thread that takes longer is told of
OWN_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


class _Handling(threading.local):
    written = None  # by the handler that has a record now, on this thread; None outside of handlers


_handling = _Handling()


class Stream(io.TextIOBase):
    """sys.stdout or sys.stderr: whole lines are records, of the request that they were printed for."""

    def __init__(self, number, name):
        self._number = number
        self.name = name
        self.mode = "w"
        self.buffer = open(number, "wb", buffering=0, closefd=False)  # pylint: disable=consider-using-with

    @property
    def encoding(self):
        """UTF-8."""
        return "utf-8"

    @property
    def errors(self):
        """What cannot be encoded is escaped."""
        return "backslashreplace"

    def writable(self):
        """True."""
        return True

    def isatty(self):
        """False."""
        return False

    def fileno(self):
        """Of the pipe to the server."""
        return self._number

    def write(self, text):
        """A record for the lines that it completes."""
        pieces = _handling.written
        if pieces is None or not isinstance(text, str):
            return _appsrv.print(self._number, text)
        pieces.append(text)
        return len(text)

    def writelines(self, lines):
        """The same for each."""
        for line in lines:
            self.write(line)

    def flush(self):
        """What was written becomes a record."""
        _appsrv.flush(self._number)

    def close(self):
        """Nothing: it is the server's (PEP 3333)."""

    def reconfigure(self, **_):
        """Nothing."""


_handle = logging.Handler.handle
_handle_error = logging.Handler.handleError
_basic_config = logging.basicConfig


def _handle_once(self, record):
    """What a handler writes to the streams of the server is the text of its record, which stands in the journal once."""
    mark(record)
    before, _handling.written = _handling.written, []
    try:
        passed = _handle(self, record)
    finally:
        pieces, _handling.written = _handling.written, before
    text = "".join(pieces).rstrip("\n")
    if text:
        commit(passed if isinstance(passed, logging.LogRecord) else record, text=text)
    return passed


def _tell_error(self, record):
    """That a handler failed is no text of the record; which has a place in the journal then, if nowhere else."""
    before, _handling.written = _handling.written, None
    try:
        _handle_error(self, record)
    finally:
        _handling.written = before
    commit(record)


def _configure(**options):
    """logging.basicConfig() does nothing when the root logger has a handler; ours is none of the application's."""
    root = logging.getLogger()
    ours = [handler for handler in root.handlers if isinstance(handler, JournalHandler)]
    for handler in ours:
        root.removeHandler(handler)
    try:
        _basic_config(**options)
    finally:
        for handler in ours:
            root.addHandler(handler)


def _on_exception(kind, error, traceback):
    if error is None:
        error = kind()
    exception("Exception that nobody caught", error.with_traceback(traceback), "appsrv.python")


def _on_thread_exception(arguments):
    if arguments.exc_type is SystemExit:
        return
    name = arguments.thread.name if arguments.thread is not None else "?"
    exception(f"Exception in thread {name}", arguments.exc_value, "appsrv.python")


def _on_unraisable(arguments):
    what = arguments.err_msg or "Exception ignored in"
    exception(f"{what}: {arguments.object!r}", arguments.exc_value, "appsrv.python", logging.WARNING)


def _on_warning(message, category, filename, lineno, file=None, line=None):
    if file is not None:
        file.write(warnings.formatwarning(message, category, filename, lineno, line))
        return
    record = logging.LogRecord("py.warnings", logging.WARNING, filename, lineno, f"{category.__name__}: {message}", None, None)
    commit(record)


_set_signal = signal.signal
_is_child = False


def _signal(number, handler):
    """Handlers in Python run in the main thread, which is the server's: those of its own signals would only keep it from its end."""
    if _is_child or number not in OWN_SIGNALS:
        return _set_signal(number, handler)
    warnings.warn(f"signal.signal({signal.Signals(number).name}) does nothing: the signal is the server's", RuntimeWarning, 2)
    return signal.SIG_DFL


def _on_fork():
    global _is_child  # pylint: disable=global-statement
    if not _appsrv.forked():
        return
    _is_child = True
    for number in OWN_SIGNALS:
        _set_signal(number, signal.SIG_DFL)


def _log():
    root = logging.getLogger()
    root.addHandler(JournalHandler())
    root.setLevel(logging.DEBUG if _appsrv.enabled(logging.DEBUG) else logging.INFO)
    logging.Handler.handle = _handle_once
    logging.Handler.handleError = _tell_error
    logging.basicConfig = _configure


def _hook():
    sys.excepthook = _on_exception
    threading.excepthook = _on_thread_exception
    sys.unraisablehook = _on_unraisable
    warnings.showwarning = _on_warning
    signal.signal = _signal
    os.register_at_fork(after_in_child=_on_fork)
    threading._DummyThread = _Dummy  # pylint: disable=protected-access
    faulthandler.enable(STDERR, all_threads=True)  # what a crash leaves behind, in the worker's last output
    faulthandler.register(signal.SIGURG, _appsrv.stack(), all_threads=True)  # what the server sends a thread that takes too long


def _start():
    sys.stdout, sys.stderr = Stream(1, "<stdout>"), Stream(STDERR, "<stderr>")
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
    _log()
    _hook()


class _Dummy(threading._DummyThread):  # pylint: disable=protected-access
    """A thread of the server, as Python knows it: threads that an application starts in a request are no daemons because of it."""

    def __init__(self):
        super().__init__()
        self._daemonic = False


def _tell_who_goes_on():
    frames = sys._current_frames()  # pylint: disable=protected-access
    for thread in threading.enumerate():
        frame = frames.get(thread.ident)
        if thread.daemon or frame is None or isinstance(thread, (_Dummy, threading._MainThread)):  # pylint: disable=protected-access
            continue
        record = logging.LogRecord("appsrv.wsgi", logging.WARNING, frame.f_code.co_filename, frame.f_lineno,
                                   "Thread %s goes on, the end waits for it", (thread.name,), None, frame.f_code.co_name)
        record.stack_info = "Stack (most recent call last):\n" + "".join(traceback.format_stack(frame)).rstrip("\n")
        commit(record)


def prepare_fork():
    """Before the server forks a worker: what was loaded stays where it is, untouched by the collector of each worker."""
    sys.stdout.flush()
    sys.stderr.flush()
    gc.collect()
    gc.freeze()


def end():
    """What the end of a script does: waits for threads that are no daemons, runs what was registered with atexit."""
    patience = threading.Timer(SECONDS_TO_END, _tell_who_goes_on)
    patience.daemon = True
    patience.start()
    threading._shutdown()  # pylint: disable=protected-access
    patience.cancel()
    atexit._run_exitfuncs()  # pylint: disable=protected-access
    sys.stdout.flush()
    sys.stderr.flush()


_start()
