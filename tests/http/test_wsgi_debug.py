# SPDX-License-Identifier: LGPL-2.1-or-later
"""The plug-in in a debug build of Python, which counts every reference and asserts what it is given."""
import pytest

from lib import builds
from lib.serving import Serving
from test_wsgi_leaks import DEMANDED, FAULTS, ONE, in_use, leave_nothing_behind, stays_flat


@pytest.fixture(name="debug", scope="module")
def a_debug_build():
    build = builds.Build("build/python-debug")
    if build.missing():
        pytest.skip("there is no debug build of Python (Debian: libpython3-dbg), or no plug-in for it: make python-debug")
    return build


def test_requests_leave_no_reference_behind(debug, tmp_path):
    with Serving(debug, tmp_path, ONE.format(threads=1, level="info") + FAULTS) as server:
        assert in_use(server)[2] > 100_000
        leave_nothing_behind(server, 100)


@pytest.mark.seconds(1800)
def test_memory_is_flat_over_many_requests(debug, tmp_path):
    if not DEMANDED:
        pytest.skip("takes minutes: make wsgi-leaks; the test before finds what is lost in each kind of request")
    stays_flat(debug, tmp_path, ["MALLOC_ARENA_MAX=1"])
