# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starting processes that end with the test run, whatever ends it."""
import contextlib
import ctypes
import os
import signal
import subprocess
from pathlib import Path

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    """To run in a child before exec: a killed test run leaves no process behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def finished(command, timeout, **options):
    """Runs a command to its end and returns it; ends all that it started when it takes too long."""
    # a process group of its own: nsenter does not pass signals to what it entered with
    options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
    given = options.pop("input", None)
    if given is not None:
        options["stdin"] = subprocess.PIPE
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
                               **options)
    try:
        out, err = process.communicate(given, timeout=timeout)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return subprocess.CompletedProcess(command, process.returncode, out, err)


def children(pid):
    """The pids of the living children of a process; none when it is gone."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]
    except FileNotFoundError:
        return []


def has_ended(pid):
    """Whether a process is gone, or dead and not yet waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return True


def descriptors(pid):
    """What a process has open: {descriptor: what it leads to}, without those that are closed meanwhile."""
    open_now = {}
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            open_now[int(path.name)] = os.readlink(path)
    return open_now


def memory_of(pid, kind="VmRSS"):
    """Kilobytes that a process has in memory; of one kind, as RssAnon: what is its own and no file's."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.split(f"{kind}:")[1].split()[0])


def bytes_written(pid):
    """To files, pipes and terminals, and by sendfile() to anything; what is sent to a socket is not among them (proc(5))."""
    return int(Path(f"/proc/{pid}/io").read_text(encoding="ascii").split("wchar:")[1].split()[0])


def processor_seconds(pid):
    """That a process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
