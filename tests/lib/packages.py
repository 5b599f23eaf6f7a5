# SPDX-License-Identifier: LGPL-2.1-or-later
"""The project's packages, built from the sources as they are now, each suite's inside a root of that suite."""
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lib import roots
from lib.processes import die_with_parent, finished

TOP = Path(__file__).resolve().parents[2]
MINUTES_TO_BUILD = 13
# what the packages are made of; a change elsewhere needs no new build
INGREDIENTS = ("Makefile", "LICENSE", "README.md", "service", "include", "units", "packaging", "tests/apps")

# no network in there: what is not in the root must not be needed
IN_ROOT = """
set -e
ip link set lo up
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/tree"
mount -t proc proc "$2/tree/proc"
mount -t devpts -o ptmxmode=666 devpts "$2/tree/dev/pts"
mount --bind "$2/src" "$2/tree/mnt"
exec chroot "$2/tree" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 sh -ec "$3"
"""

# the example is built as a user would, with what the development package installs
BUILD_DEB = """
cd /mnt/appsrv
DEB_BUILD_OPTIONS="nocheck noautodbgsym parallel=2" packaging/build-deb
make -j2 build/default/tests/apps/probe.so build/default/tests/apps/ledger.so
dpkg --force-depends -i build/deb/libappsrv-dev_*.deb
mkdir /mnt/out
cc -shared -fPIC $(pkg-config --cflags appsrv) -o /mnt/out/example.so packaging/examples/hello.c
cp build/deb/*.deb build/deb/*.changes build/default/tests/apps/*.so /mnt/out
"""

BUILD_RPM = """
cd /mnt/appsrv
packaging/build-rpm
mkdir /mnt/out
cp build/rpm/*.rpm /mnt/out
"""


# Without those that take long and in which no library has a part; under the sanitizers those in which one has.
TESTS = """
cd /mnt/appsrv
make -j2 WERROR=1 test-programs
make -j2 WERROR=1 SAN=address,undefined test-programs
mkdir /mnt/out
APPSRV_BUILD=build/default tests/run unit http -q -rs \
	-k "not (test_status or test_spread or test_slow_clients or test_wsgi_leaks or test_scaling or test_recycle or test_degrade or reload)" \
	| tee /mnt/out/default
APPSRV_BUILD=build/address-undefined tests/run unit http -q -rs -k "not http or test_bodies or test_conformance or test_streams or test_tls" \
	| tee /mnt/out/sanitized
tail -qn 1 /mnt/out/default /mnt/out/sanitized | { ! grep -v " 0 failed"; }
"""


@dataclass
class Built:
    """A folder with what a build left."""

    folder: Path

    def debs(self):
        return sorted(self.folder.glob("*.deb"))

    def deb(self, name):
        return next(self.folder.glob(f"{name}_*.deb"))

    def rpms(self):
        return sorted(path for path in self.folder.glob("*.rpm") if not path.name.endswith(".src.rpm")
                      and "-debug" not in path.name)

    def rpm(self, name):
        # appsrv-1.2-1.x86_64.rpm, and not appsrv-devel-1.2-1.x86_64.rpm
        return next(path for path in self.rpms() if path.name.rsplit("-", 2)[0] == name)

    def application(self, name):
        return self.folder / f"{name}.so"


def debs(suite):
    """The .deb packages of a suite and the test applications that go with them."""
    return built(suite, "deb", BUILD_DEB)


def rpms(suite="bookworm"):
    """The .rpm packages, linked with the libraries of a Debian suite."""
    return built(suite, "rpm", BUILD_RPM)


def run_tests(suite):
    """Compiles all with the compiler and the libraries of a suite, runs the unit and http tests there; why some were skipped."""
    done = built(suite, "tests", TESTS, ("tests/unit", "tests/http", "tests/lib"))
    said = (done.folder / "default").read_text() + (done.folder / "sanitized").read_text()
    return set(re.findall(r"^SKIPPED \[\d+\] \S+: (.*)$", said, re.M))


def built(suite, kind, commands, more_ingredients=()):
    key = digest(sources(INGREDIENTS + more_ingredients), commands)
    path = TOP / "build" / "packages" / f"{suite}-{kind}-{key}"
    path.parent.mkdir(parents=True, exist_ok=True)
    lower = roots.root(suite, "build")
    with roots.locked(path.parent / f"{suite}-{kind}.lock"):
        if not path.is_dir():
            for old in path.parent.glob(f"{suite}-{kind}-*"):
                shutil.rmtree(old)
            build(suite, lower, commands, path)
    return Built(path)


def build(suite, lower, commands, path):
    with tempfile.TemporaryDirectory(prefix=f"appsrv-build-{suite}-", dir="/var/tmp") as folder:
        for name in ("upper", "work", "tree", "src"):
            (Path(folder) / name).mkdir()
        copy_sources(Path(folder) / "src" / "appsrv")
        done = finished(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child",
                         "sh", "-c", IN_ROOT, "build", str(lower), folder, commands],
                        60 * MINUTES_TO_BUILD, text=True, preexec_fn=die_with_parent)
        if done.returncode != 0:
            said = (done.stdout + done.stderr)[-6000:]
            raise AssertionError(f"building packages for {suite}: exit status {done.returncode}\n{said}")
        shutil.copytree(Path(folder) / "src" / "out", path)


def sources(parts=()):
    """The names of the files of the tree as git sees it, uncommitted ones too, without what it ignores."""
    listed = subprocess.run(["git", "-C", str(TOP), "ls-files", "-z", "--cached", "--others", "--exclude-standard",
                             "--", *parts], capture_output=True, text=True, check=False)
    if listed.returncode == 0:
        names = listed.stdout.split("\0")
    else:  # an unpacked release
        names = [str(path.relative_to(TOP)) for path in TOP.rglob("*")
                 if path.relative_to(TOP).parts[0] not in ("build", ".git")
                 and (not parts or any(path.is_relative_to(TOP / part) for part in parts))]
    return sorted(name for name in set(names) if name and (TOP / name).is_file())


def copy_sources(target):
    for name in sources():
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(TOP / name, target / name, follow_symlinks=False)


def digest(names, *more):
    state = hashlib.sha256()
    for name in names:
        path = TOP / name
        state.update(f"{name}\0{os.stat(path).st_mode}\0".encode())
        state.update(hashlib.sha256(path.read_bytes()).digest())
    for text in more:
        state.update(text.encode())
    return state.hexdigest()[:12]
