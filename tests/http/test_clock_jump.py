# SPDX-License-Identifier: LGPL-2.1-or-later
"""The clock of the wall jumps by a day while the server serves: what is told has the new time, and nothing else changes."""
import email.utils
import struct
import time

import pytest

from lib.client import Load
from lib.wait import wait_until

CONFIG = ("[server]\nworkers = 2\nthreads = 2\nwatchdog = 2s\ngraceful_timeout = 500ms\nmax_age = 1h\n"
          "[http]\nrequest_timeout = 2s\nheader_timeout = 2s\nkeepalive = 1min\n")
LIMIT = 2.0
DAY = 86400


def date(answer):
    return email.utils.parsedate_to_datetime(answer.headers["date"]).timestamp()


def deadlines_are_kept(server, jump):
    """A request and a head that have begun before the jump have their time, and no more; a connection that rests may do so."""
    with server.connect() as kept, server.connect() as slow, server.connect() as half:
        before = date(kept.ask("/"))
        begun = time.monotonic()
        slow.send(b"GET /sleep?ms=20000 HTTP/1.1\r\nHost: a\r\n\r\n")
        half.send(b"GET / HTTP/1.1\r\nHost:")
        jump()
        wait_until(lambda: abs(date(server.ask("/")) - before) > DAY / 2, 10, "the date of an answer is another one")
        # later its worker may have been replaced
        assert time.monotonic() - begun > LIMIT * 0.8 or kept.ask("/").status == 200
        assert slow.receive().status == 504
        half.rest()
        assert LIMIT * 0.8 <= time.monotonic() - begun < LIMIT + 8


def test_day_more_or_less_ends_nothing_early_or_late(start, build, tmp_path):
    if build.is_sanitized:
        pytest.skip("a sanitizer wants to be the first that is loaded")
    offset = tmp_path / "offset"
    offset.write_bytes(struct.pack("q", 0))

    def jump(seconds):
        with open(offset, "r+b") as file:
            file.write(struct.pack("q", seconds))

    wrapper = ("env", f"LD_PRELOAD={build.application('clock_jump')}", f"CLOCK_JUMP={offset}")
    with start(CONFIG, wrapper=wrapper) as server:
        with Load(server, threads=2) as load:
            deadlines_are_kept(server, lambda: jump(DAY))
            deadlines_are_kept(server, lambda: jump(-DAY))
            load.wait_for_answers(20)
        assert not load.failed
        assert not server.lines("EVENT=worker-died") and not server.lines("EVENT=worker-hung")
        assert server.lines("EVENT=worker-recycled") and not server.lines("REASON=max_age")
