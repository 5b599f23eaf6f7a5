# SPDX-License-Identifier: LGPL-2.1-or-later
"""Waiting for an event with a deadline, the only way in which the tests wait."""
import time


def wait_until(predicate, seconds, what=None):
    """Calls predicate until it returns something true, and returns that; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = 0.005
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds} s: {what or predicate.__doc__ or predicate.__name__}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)
