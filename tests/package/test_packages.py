# SPDX-License-Identifier: LGPL-2.1-or-later
"""`make deb` and `make rpm` on this machine: they build, and the distributions' own judges find nothing."""
import os
import shutil

import pytest

from lib.builds import TOP
from lib.processes import finished

SECONDS = 300


def make(target):
    # what an outer make wants is not for this one
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = finished(["make", "--no-print-directory", target], SECONDS, text=True, cwd=TOP, env=environment)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    return done.stdout + done.stderr


def need(*programs):
    absent = [program for program in programs if shutil.which(program) is None]
    if absent:
        pytest.skip(f"not installed: {' '.join(absent)}")


def names(folder, pattern):
    return {path.name.split("_")[0] for path in (TOP / "build" / folder).glob(pattern)}


def test_deb_packages_satisfy_lintian():
    need("dpkg-buildpackage", "dh", "lintian")
    make("deb")
    assert {"appsrv", "appsrv-wsgi", "libappsrv-dev"} <= names("deb", "*.deb")


def test_rpm_packages_satisfy_rpmlint():
    need("rpmbuild", "rpmlint")
    make("rpm")
    built = [path.name for path in (TOP / "build" / "rpm").glob("*.rpm")]
    assert all(any(name.startswith(f"appsrv-{part}-") for name in built) for part in ("devel", "wsgi")), built
    assert any(name.startswith("appsrv-") and not name.startswith("appsrv-de") for name in built), built
