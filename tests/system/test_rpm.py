# SPDX-License-Identifier: LGPL-2.1-or-later
"""The RPM package, installed with rpm and served from there."""
import pytest

from lib import packages
from lib.service import Service


@pytest.fixture(scope="session")
def rpms():
    return packages.rpms()


def test_rpm_package_is_installed_serves_and_goes(bare, rpms):
    package = rpms.rpm("appsrv")
    bare.copy_in(package, f"/var/tmp/{package.name}")
    # its dependencies are there, but under names of another distribution
    bare.run("rpm", "-i", "--nodeps", f"/var/tmp/{package.name}")
    bare.systemctl("daemon-reload")
    service = Service(bare, None)
    bare.systemctl("start", "appsrv.socket")
    answer = service.ask("/")
    assert answer.status == 200
    [record] = service.access_records()
    assert record["REQUEST_ID"] == answer.request_id and record["APP"] == "welcome"
    devel = rpms.rpm("appsrv-devel")
    bare.copy_in(devel, f"/var/tmp/{devel.name}")
    bare.run("rpm", "-i", "--nodeps", f"/var/tmp/{devel.name}")
    installed = bare.run("rpm", "-ql", "appsrv-devel").stdout.split()
    assert "/usr/include/appsrv/appsrv.h" in installed and any(name.endswith("/pkgconfig/appsrv.pc") for name in installed)
    assert all(bare.path(name).exists() for name in installed)
    bare.run("rpm", "-e", "appsrv-devel", "appsrv")
    assert not bare.path("/usr/include/appsrv").exists()
    assert not bare.path("/usr/bin/appsrv").exists()
