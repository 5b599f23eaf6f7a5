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

    Raises ValueError when that is beyond request_timeout_max of [http], and TimeoutError when the client has got a 504 already.
    """
    if _appsrv:
        _appsrv.extend(seconds)
