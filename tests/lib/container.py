# SPDX-License-Identifier: LGPL-2.1-or-later
"""A booted Debian with its own systemd, journald and network, gone without a trace when the test ends.

The launcher makes a mount, a network and a process namespace, mounts an overlay over the kept root, and becomes
systemd-nspawn. Mount and network exist only as long as processes are in them, and the processes end with the
launcher, which ends with the test run, so that what is left to tidy up is a cgroup and a folder.
"""
import contextlib
import ctypes
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from pathlib import Path

from lib import roots
from lib.processes import LIBC, children, die_with_parent, finished
from lib.wait import wait_until

OURS = "appsrv-tests"
TEMPORARY = Path("/var/tmp")
CLONE_NEWNET = 0x40000000
SECONDS_TO_BOOT = 30
COUNTER = itertools.count(1)

# the journal's queue is as deep as on a real machine only when the kernel is told so before the socket is made
LAUNCH = """
set -e
echo 512 >/proc/sys/net/unix/max_dgram_qlen
ip link set lo up
mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work" "$2/root"
exec systemd-nspawn --register=no --keep-unit --quiet --link-journal=no --console=pipe -D "$2/root" \\
    --network-namespace-path=/proc/self/ns/net --boot systemd.unit=multi-user.target systemd.show_status=0
"""

# Load tests count every record: journald shall not drop any because a test machine has little free disk, but the
# limits of the unit itself stay in force, since they are part of what is tested.
PRESETS = {
    "etc/systemd/journald.conf.d/tests.conf": "[Journal]\nStorage=volatile\nRuntimeMaxUse=2G\nRuntimeKeepFree=1M\n",
    "etc/systemd/system/console-getty.service.d/tests.conf": "[Unit]\nConditionPathExists=/nonexistent\n",
}


class Container:
    """One booted container; a context manager. `suite` is a Debian code name out of roots.SUITES, `kind` one of its roots."""

    def __init__(self, suite, files=(), kind="run"):
        self.suite = suite
        self.kind = kind
        self.files = {**PRESETS, **dict(files)}
        self.leader = None
        self._cleanup = contextlib.ExitStack()

    # -- life ---------------------------------------------------------------

    def __enter__(self):
        lower = roots.root(self.suite, self.kind)
        with self._cleanup:
            self._start(lower)
            self._cleanup = self._cleanup.pop_all()
        return self

    def __exit__(self, *_):
        self._cleanup.close()

    def _start(self, lower):
        folder = Path(tempfile.mkdtemp(prefix=f"{OURS}-{os.getpid()}-{self.suite}-", dir=TEMPORARY))
        self._cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        for name in ("upper", "work", "root"):
            (folder / name).mkdir()
        for name, text in self.files.items():
            path = folder / "upper" / name.lstrip("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        cgroup = own_cgroup()
        self._cleanup.callback(remove_cgroup, cgroup)
        self._log = folder / "boot.log"
        process = self._launch(lower, folder, cgroup)
        self._cleanup.callback(end, process)
        try:
            self.leader = wait_until(lambda: self._find_leader(process), SECONDS_TO_BOOT, "PID 1 of the container")
            wait_until(self._is_up, SECONDS_TO_BOOT, "systemd in the container is up")
        except AssertionError as reason:
            raise AssertionError(f"{reason}\n{self.boot_log()}") from None
        except Ended:
            raise roots.Unavailable("the container did not start: " + " ".join(self.boot_log().split())) from None

    def _launch(self, lower, folder, cgroup):
        def enter():
            die_with_parent()
            (cgroup / "cgroup.procs").write_text(str(os.getpid()))

        with open(self._log, "wb") as log:
            return subprocess.Popen(
                # systemd-nspawn alone does not take its container with it when it is killed
                ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", LAUNCH, "launch", str(lower), str(folder)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=enter,
                # the host may still mount cgroup v1
                env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"})

    def _find_leader(self, process):
        if process.poll() is not None:
            raise Ended
        # until it has become systemd, the child is still nspawn setting things up
        return next((pid for nspawn in children(process.pid) for pid in children(nspawn) if comm(pid) == "systemd"),
                    None)

    def _is_up(self):
        state = self.run("systemctl", "is-system-running", check=False).stdout.strip()
        return state in ("running", "degraded")

    def boot_log(self):
        return self._log.read_text(encoding="utf-8", errors="replace")[-4000:]

    # -- commands and files ---------------------------------------------------

    def run(self, *command, check=True, timeout=60, text=True, **options):
        """Runs a command inside, as root, and returns what subprocess.run would."""
        inside = ["nsenter", "-t", str(self.leader), "-m", "-p", "-u", "-i", "-n", "-C", "--", *map(str, command)]
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root", "TERM": "dumb",
                       "SYSTEMD_PAGER": "cat", "DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_COLORS": "0"}
        done = finished(inside, timeout, env=environment, text=text, cwd="/", **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.suite}: {' '.join(map(str, command))}: exit status {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def systemctl(self, *arguments, check=True, timeout=90):
        return self.run("systemctl", *arguments, check=check, timeout=timeout)

    def property(self, unit, name):
        return self.systemctl("show", "--value", "-p", name, unit).stdout.strip()

    def path(self, name):
        """The path of a file of the container as seen from outside."""
        return Path(f"/proc/{self.leader}/root") / str(name).lstrip("/")

    def write_file(self, name, content, mode=0o644):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        path.chmod(mode)

    def copy_in(self, source, name):
        self.write_file(name, Path(source).read_bytes(), mode=Path(source).stat().st_mode & 0o777)

    def install(self, *packages):
        """Installs .deb files as a user would, with apt and without a network."""
        names = []
        for package in packages:
            names.append(f"/var/tmp/{Path(package).name}")
            self.copy_in(package, names[-1])
        return self.run("apt-get", "install", "-q", "-y", "--no-install-recommends", *names, timeout=120)

    # -- journal --------------------------------------------------------------

    def journal(self, *matches, unit=None, since=None):
        """All entries that match, oldest first, once journald has taken in all that was sent before this call.

        With `since`, only what came after that journal_mark().

        A field's value is str, or bytes where it is not UTF-8 or not printable, or a list of these where the field
        occurs more than once.
        """
        self.run("journalctl", "--sync")
        selection = ["-u", unit] if unit else []
        # not --after-cursor: with matches it skips the first one of them (systemd 252)
        selection += [f"--cursor={since}"] if since else []
        out = self.run("journalctl", "-q", "--all", "-o", "json", "--no-pager", *selection, *matches, text=False).stdout
        entries = [{name: decoded(value) for name, value in json.loads(line).items()}
                   for line in out.splitlines() if line]
        return [entry for entry in entries if entry["__CURSOR"] != since]

    def journal_mark(self):
        """The cursor of the newest entry."""
        self.run("journalctl", "--sync")
        last = self.run("journalctl", "-q", "-n", "1", "-o", "json", "--no-pager").stdout
        return json.loads(last)["__CURSOR"]

    def journal_text(self, *arguments):
        self.run("journalctl", "--sync")
        return self.run("journalctl", "-q", "--no-pager", *arguments).stdout

    def wait_for_entry(self, *matches, seconds=10, unit=None, after=0):
        """Waits until the journal has more than `after` entries that match, and returns the last one."""
        return wait_until(lambda: self.journal(*matches, unit=unit)[after:], seconds,
                          f"{self.suite}: journal entry {' '.join(matches)}")[-1]

    # -- processes ------------------------------------------------------------

    def kill(self, pid, number=signal.SIGKILL):
        """Signals a process by the pid that it has inside."""
        # without a kill program there, and without asking a systemd that may itself wait for what is stopped
        self.run("sh", "-c", f"kill -{int(number)} {int(pid)}")

    def alive(self, pid):
        return self.path(f"/proc/{pid}").exists()

    # -- network --------------------------------------------------------------

    @contextlib.contextmanager
    def network(self):
        """The calling thread, and it alone, is in the container's network; sockets it makes stay there."""
        home = os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            there = os.open(f"/proc/{self.leader}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            try:
                enter_network(there)
            finally:
                os.close(there)
            try:
                yield
            finally:
                enter_network(home)
        finally:
            os.close(home)

    def connect(self, port=8080, host="127.0.0.1", timeout=30):
        with self.network():
            return socket.create_connection((host, port), timeout=timeout)


def require():
    """Raises Unavailable, with the reason, where no container can be run."""
    if os.geteuid() != 0:
        raise roots.Unavailable("containers need root")
    for tool in ("mmdebstrap", "systemd-nspawn", "nsenter", "unshare", "ip"):
        if shutil.which(tool) is None:
            raise roots.Unavailable(f"{tool} is not installed")
    tried = finished(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "true"], 10,
                     text=True)
    if tried.returncode != 0:
        raise roots.Unavailable(f"no namespaces: {tried.stderr.strip()}")
    if cgroup_mount() is None:
        raise roots.Unavailable("no cgroup2 is mounted")


class Ended(Exception):
    """The container's process ended before it was up."""


def enter_network(descriptor):
    if LIBC.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def comm(pid):
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return None


def decoded(value):
    """journalctl's JSON: bytes are lists of numbers, fields that occur more than once are lists of values."""
    if isinstance(value, list):
        if all(isinstance(part, int) for part in value):
            return bytes(value)
        return [decoded(part) for part in value]
    return value


def own_cgroup():
    """A cgroup for one container: containers that share one take each other's processes for their own."""
    path = cgroup_mount() / f"{OURS}-{os.getpid()}-{next(COUNTER)}"
    try:
        path.mkdir()
    except OSError as reason:
        raise roots.Unavailable(f"no cgroup can be made: {reason}") from None
    return path


def cgroup_mount():
    with open("/proc/self/mounts", encoding="utf-8") as mounts:
        return next((Path(fields[1]) for fields in map(str.split, mounts) if fields[2] == "cgroup2"), None)


def sweep():
    """Removes what test runs left that were killed; their processes have ended with them."""
    for place in filter(None, (TEMPORARY, cgroup_mount())):
        for path in place.glob(f"{OURS}-*"):
            if Path(f"/proc/{path.name.split('-')[2]}").exists():
                continue
            if place == TEMPORARY:
                shutil.rmtree(path, ignore_errors=True)
            else:
                with contextlib.suppress(OSError, AssertionError):
                    remove_cgroup(path)


def remove_cgroup(path):
    def empty():
        return "populated 0" in (path / "cgroup.events").read_text(encoding="ascii")

    with contextlib.suppress(OSError):
        (path / "cgroup.kill").write_text("1")
    wait_until(empty, 10, f"no process is left in {path}")
    for folder, _, _ in os.walk(path, topdown=False):
        os.rmdir(folder)


def end(process):
    """Ends the launcher, and with it everything inside."""
    process.kill()
    process.wait()
