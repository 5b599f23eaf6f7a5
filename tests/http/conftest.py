# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real server processes for the tests of this folder, of each build that is to be tested.

    def test_something(start):
        with start("[http]\\nlimit_request_body = 1k\\n") as server:
            assert server.ask("/").status == 200

    def test_else(server):      # shared by the tests of a file, with the default configuration and two workers
        assert b" 400 " in server.exchange(b"GET / HTTP/1.1\\r\\n\\r\\n")
"""
import functools

import pytest

from lib import builds
from lib.roots import Unavailable
from lib.serving import Serving

TWO_WORKERS = "[server]\nworkers = 2\nthreads = 2\n"


@pytest.fixture(scope="session", params=builds.chosen(), ids=lambda build: build.name)
def build(request):
    """The build under test; a test that takes it runs once for each."""
    if request.param.missing():
        raise Unavailable(request.param.missing())
    return request.param


@pytest.fixture(scope="module")
def server(build, tmp_path_factory):
    """A running server that the tests of one file share; they must leave it as it was."""
    with Serving(build, tmp_path_factory.mktemp("server"), TWO_WORKERS) as running:
        yield running


@pytest.fixture
def start(build, tmp_path):
    """A function that makes a server of the test's own: start(config, application=..., arguments=...)."""
    return functools.partial(Serving, build, tmp_path)
