# SPDX-License-Identifier: LGPL-2.1-or-later
"""logging, wired to the journal: one record of logging is one entry, with its own fields."""
import logging
import sys

try:
    from _appsrv import commit as _commit, request_id as _request_id
except ImportError:  # not in the server: a script of the same project
    _commit = _request_id = None

_plain = logging.Formatter()


def text_of(record, formatter=None):
    """The text of a record, with its traceback. What cannot be formatted is told as it is: a mistake in a call loses nothing."""
    try:
        if formatter is not None:
            return formatter.format(record)
        if record.exc_info or record.exc_text or record.stack_info:
            return _plain.format(record)
        return record.getMessage()
    except RecursionError:
        raise
    except Exception as error:  # pylint: disable=broad-exception-caught
        return f"{record.msg!r} {record.args!r} (not formatted: {type(error).__name__}: {error})"


def mark(record):
    """What the server knows of a record: whose it is, whether it was written. The copies that a QueueHandler makes share it."""
    return record.__dict__.setdefault("_appsrv_committed", {"request": _request_id.get(), "committed": False})


def commit(record, formatter=None, text=None):
    """Write a record to the journal, unless another handler has."""
    known = mark(record)
    if known["committed"]:
        return
    known["committed"] = True
    if text is None:
        text = text_of(record, formatter)
    before = _request_id.set(known["request"])  # on the thread of a QueueListener there is none
    try:
        _commit(record, text)
    finally:
        _request_id.reset(before)


class JournalHandler(logging.Handler):
    """One entry in the journal for each record, whole, with worker, request, logger and line of code.

    Attributes that the application gives a record (extra={"user": 7}) are fields (USER=7). The server puts one on the root
    logger before it imports the application. Outside of the server it writes to standard error.
    """

    def createLock(self):
        """None: a record is one call, and the log has its own."""
        self.lock = None

    def acquire(self):
        """Nothing."""

    def release(self):
        """Nothing."""

    def handle(self, record):
        """Filter and write."""
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return passed

    def emit(self, record):
        """Write."""
        try:
            if _commit is not None:
                commit(record, self.formatter)
            else:
                sys.stderr.write(self.format(record) + "\n")
        except RecursionError:
            raise
        except Exception:  # pylint: disable=broad-exception-caught
            self.handleError(record)


def _innermost(traceback):
    while traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback


def exception(what, error, logger="appsrv.wsgi", level=logging.ERROR):
    """One record of an exception that nobody caught, with its traceback; the place is where it was raised."""
    record = logging.LogRecord(logger, level, None, None, what, None, None)
    if error is not None:
        record.exc_info = (type(error), error, error.__traceback__)
        if error.__traceback__ is not None:
            code = _innermost(error.__traceback__)
            record.pathname, record.lineno = code.tb_frame.f_code.co_filename, code.tb_lineno
            record.funcName = code.tb_frame.f_code.co_name
    _commit(record, text_of(record))
