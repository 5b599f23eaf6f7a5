# SPDX-License-Identifier: LGPL-2.1-or-later
"""appsrv: what a Python application can use of the server that it runs in."""
try:
    import _appsrv
    from _appsrv import request_id as _request_id
except ImportError:  # not in the server: a script of the same project
    _appsrv = _request_id = None


def request_id():
    """The id of the request that is being worked on, as the client has it in X-Request-ID; None when there is none.

    Threads know it that run in a copy of the request's context (contextvars.copy_context()).
    """
    return _request_id.get() if _request_id else None


def time_left():
    """Seconds until the request that this thread works on is over its request_timeout; 0.0 when it is, None without a limit."""
    return _appsrv.time_left() if _appsrv else None


def extend(seconds):
    """Lets the request that this thread works on take so many seconds from now on, at least.

    Also without a request_timeout: for so long, C code that keeps the GIL is not taken for a deadlock (watchdog of [server]).
    Raises ValueError when that is beyond request_timeout_max of [http], and TimeoutError when the client has got a 504 already.
    """
    if _appsrv:
        _appsrv.extend(seconds)


def client_closed():
    """Whether the client of the request that this thread works on has closed his side of the connection, or is gone.

    Most who do so have left. Some only say that they send no more, and wait: what is answered reaches them.
    """
    return _appsrv.client() >= 1 if _appsrv else False


def client_gone():
    """Whether nobody can get the response any more: the connection was reset, or the client has got a 504 already."""
    return _appsrv.client() >= 2 if _appsrv else False
