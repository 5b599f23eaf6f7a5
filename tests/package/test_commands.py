# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two commands of a newcomer: what `make run` prints and serves, and what the installation of packages does and says."""
import os
import shutil
import signal
import subprocess

import pytest

from lib.builds import TOP, Build
from lib.processes import die_with_parent, finished
from lib.wait import wait_until

INSTALL = TOP / "packaging/dependencies/install"
TOOLS = ("sh", "sed", "sort", "grep", "dirname", "readlink", "cat", "env")
# a network of its own, so that the port is free whatever runs here
RUN = "ip link set lo up && exec make run"
ASK = "exec curl -s -S -i --max-time 5 http://127.0.0.1:8080/"


# -- packages ------------------------------------------------------------------------------------

class Machine:
    """A PATH on which nothing of this machine is but what the script needs; what is called is noted."""

    def __init__(self, folder, uid, **programs):
        self.folder = folder
        self.calls = folder / "calls"
        self.calls.touch()
        for name in TOOLS:
            (folder / name).symlink_to(shutil.which(name))
        self.add("id", f"echo {uid}")
        for name, text in programs.items():
            self.add(name.replace("_", "-"), text)

    def add(self, name, text):
        path = self.folder / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.calls}"\n{text}\n', encoding="ascii")
        path.chmod(0o755)

    def install(self, *groups):
        return finished([str(INSTALL), *groups], 30, text=True, env={"PATH": str(self.folder)})

    def called(self, name):
        return [line for line in self.calls.read_text(encoding="ascii").splitlines() if line.startswith(name + " ")]


def listed(group, kind):
    lines = (TOP / f"packaging/dependencies/{group}.{kind}").read_text(encoding="ascii").splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


NONE_THERE = "exit 1"
ALL_THERE = 'for name in "$@"; do case $name in -*|\\$*) ;; *) echo "installed $name" ;; esac; done'


def test_nothing_is_done_when_all_is_there(tmp_path):
    machine = Machine(tmp_path, 1000, apt_get="exit 1", dpkg_query=ALL_THERE)
    done = machine.install("build", "test")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "") and not machine.called("apt-get")


def test_without_rights_the_one_command_is_printed(tmp_path):
    machine = Machine(tmp_path, 1000, apt_get="exit 0", dpkg_query=NONE_THERE)
    done = machine.install("build")
    assert done.returncode != 0
    last = done.stderr.splitlines()[-1]
    assert last == "apt-get update; apt-get install -y --no-install-recommends " + " ".join(sorted(listed("build", "apt")))


def test_sudo_is_used_where_it_asks_for_nothing(tmp_path):
    machine = Machine(tmp_path, 1000, apt_get="exit 0", dpkg_query=NONE_THERE, sudo='[ "$1" = -n ] || exec "$@"')
    assert machine.install("build").returncode == 0
    assert any("install" in line and "libmicrohttpd-dev" in line for line in machine.called("sudo"))


def test_lists_are_fetched_when_a_package_is_not_found(tmp_path):
    # a machine without lists: nothing can be installed before `apt-get update`
    apt = 'case "$*" in *update*) : >"${0%/*}/lists" ;; *) [ -e "${0%/*}/lists" ] ;; esac'
    machine = Machine(tmp_path, 0, apt_get=apt, dpkg_query=NONE_THERE)
    machine.add("touch", "")
    assert machine.install("build").returncode == 0
    assert "update" in machine.called("apt-get")[-2] and "install" in machine.called("apt-get")[-1]


def test_fedora_is_asked_by_dnf(tmp_path):
    machine = Machine(tmp_path, 0, dnf="exit 0", rpm='case "$*" in *gcc*) exit 0 ;; *) exit 1 ;; esac')
    assert machine.install("build").returncode == 0
    [call] = machine.called("dnf")
    assert set(listed("build", "dnf")) - set(call.split()) == {name for name in listed("build", "dnf") if "gcc" in name}


# -- make run ------------------------------------------------------------------------------------

def test_make_run_serves_and_says_where(tmp_path):
    if os.geteuid() != 0:
        pytest.skip("a network of its own needs root")
    if Build("build/default").missing():
        pytest.skip(Build("build/default").missing())
    output = tmp_path / "output"
    # what an outer make wants is not for this one
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    with open(output, "wb") as file:
        process = subprocess.Popen(["unshare", "--net", "sh", "-c", RUN], stdin=subprocess.DEVNULL, stdout=file, stderr=file, cwd=TOP,
                                   env=environment, start_new_session=True, preexec_fn=die_with_parent)
    try:
        wait_until(lambda: "127.0.0.1:8080" in output.read_text(), 120, f"it says where it listens\n{output.read_text()}")
        answer = wait_until(lambda: ask(process.pid), 20, "it answers")
        assert answer.startswith("HTTP/1.1 200 ") and "x-request-id" in answer.lower()
        assert "http://127.0.0.1:8080/" in output.read_text()
        if os.path.exists("/run/systemd/journal/socket"):
            assert "journalctl" in output.read_text()
        else:
            wait_until(lambda: "GET / HTTP/1.1 200" in output.read_text(), 10, "the record of the request")
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(30)


def ask(pid):
    done = finished(["nsenter", "-t", str(pid), "-n", "sh", "-c", ASK], 20, text=True)
    return done.stdout if done.returncode == 0 else None
