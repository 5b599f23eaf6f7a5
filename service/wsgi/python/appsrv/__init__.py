# SPDX-License-Identifier: LGPL-2.1-or-later
"""appsrv: what a Python application can use of the server that it runs in."""
try:
    from _appsrv import request_id as _request_id
except ImportError:  # not in the server: a script of the same project
    _request_id = None


def request_id():
    """The id of the request that is being worked on, as the client has it in X-Request-ID; None when there is none.

    Threads know it that run in a copy of the request's context (contextvars.copy_context()).
    """
    return _request_id.get() if _request_id else None
