# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers with the package installed, of each suite: `service` is shared by the tests of a file, `fresh_service` is
the test's own, `bare` is a container that nothing was installed into.

A machine that cannot run containers skips: lib.roots.Unavailable becomes a skip in ../conftest.py. A package that does
not build or install fails.
"""
import pytest

from lib import packages, roots
from lib.container import Container, require, sweep
from lib.service import Service


@pytest.fixture(scope="session", autouse=True)
def possible():
    """Containers can be run here, and what killed runs left is gone."""
    require()
    sweep()


@pytest.fixture(scope="session", params=roots.SUITES)
def suite(request):
    return request.param


@pytest.fixture(scope="session")
def built(suite):
    """The .deb packages of the suite."""
    return packages.debs(suite)


@pytest.fixture
def bare(suite):
    with Container(suite) as container:
        yield container


@pytest.fixture
def fresh_service(bare, built):
    """The package just installed, nothing configured."""
    service = Service(bare, built)
    service.install()
    return service


@pytest.fixture(scope="module")
def shared_service(suite, built):
    with Container(suite) as container:
        service = Service(container, built)
        service.install()
        service.configure()
        yield service.begin()


@pytest.fixture
def service(shared_service):
    """Four workers that serve the probe application, whatever the test before did to them."""
    settled = shared_service.is_configured()
    shared_service.configure()
    if not settled or shared_service.container.property("appsrv.service", "ActiveState") != "active":
        shared_service.begin()
    shared_service.wait_for_workers(4)
    return shared_service
