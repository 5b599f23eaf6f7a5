# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian root directories for containers, made by mmdebstrap from this machine's own package mirror and kept.

Three per suite: `run`, a small system with systemd that appsrv is installed into, `python`, the same with Python, and
`build`, with a compiler and the libraries of that suite; and `bench`, with other servers. They are never written to after they were made: users mount an overlay above.
"""
import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

SUITES = ("bookworm", "trixie")

# What the packages depend on is in the run roots, so that installing them needs no network; more is left out on
# purpose (no kill, no curl, no Python): a unit that needs such a thing fails here and not on a user's machine.
RUN = ["systemd", "systemd-sysv", "dbus", "libinih1", "libsystemd0", "rpm"]
BUILD = ["build-essential", "debhelper", "dh-python", "libgnutls28-dev", "libinih-dev", "libmicrohttpd-dev", "libsystemd-dev",
         "openssl", "pkgconf", "python3-bottle", "python3-dev", "python3-django", "python3-flask", "python3-pytest", "python3-radicale",
         "rpm", "valgrind"]
# what appsrv-wsgi depends on, and applications
PYTHON = ["python3", "python3-django", "python3-flask"]
# and the servers that appsrv is measured beside
PEERS = ["gunicorn", "uwsgi-core", "uwsgi-plugin-python3"]
PACKAGES = {
    ("bookworm", "run"): RUN + ["libmicrohttpd12"],
    ("trixie", "run"): RUN + ["libmicrohttpd12t64"],
    ("bookworm", "python"): RUN + PYTHON + ["libmicrohttpd12", "libpython3.11"],
    ("trixie", "python"): RUN + PYTHON + ["libmicrohttpd12t64", "libpython3.13"],
    ("bookworm", "bench"): RUN + PYTHON + PEERS + ["libmicrohttpd12", "libpython3.11"],
    ("bookworm", "build"): BUILD,
    ("trixie", "build"): BUILD,
}
MINUTES_TO_MAKE = 10


class Unavailable(Exception):
    """This machine cannot make a root; the text says why, fit for a skip."""


def own_suite():
    """The name of the release that this machine runs; "" for one without."""
    with open("/etc/os-release", encoding="utf-8") as file:
        values = dict(line.rstrip().split("=", 1) for line in file if "=" in line)
    return values.get("VERSION_CODENAME", "").strip('"')


def cache_directory():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "appsrv-tests"


def root(suite, kind):
    """The path of the root, made now unless a kept one with the same packages is there."""
    names = PACKAGES[suite, kind]
    key = hashlib.sha256("\n".join([suite, *sorted(names)]).encode()).hexdigest()[:12]
    cache = cache_directory()
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{suite}-{kind}-{key}"
    with locked(cache / f"{suite}-{kind}.lock"):
        if not path.is_dir():
            make(suite, names, path)
    return path


@contextlib.contextmanager
def locked(path):
    """Holds an exclusive lock, so that two test runs at once share the work."""
    with open(path, "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def make(suite, names, path):
    unfinished = path.with_name(path.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", "--include=" + ",".join(names),
               '--aptopt=Acquire::Languages "none"', *transport_options(), suite, str(unfinished), source_line(suite)]
    made = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=60 * MINUTES_TO_MAKE, check=False)
    if made.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise Unavailable(f"mmdebstrap could not make a {suite} root: " + " ".join(made.stdout.split()[-40:]))
    # every boot shall be a first boot with an id of its own
    (unfinished / "etc/machine-id").write_text("")
    unfinished.rename(path)


def source_line(suite):
    """An apt source of `suite` at the mirror that this machine itself is installed from."""
    for mirror, keyring in debian_sources():
        signed = f"[signed-by={keyring}] " if keyring else ""
        return f"deb {signed}{mirror} {suite} main"
    raise Unavailable("this machine's apt sources name no Debian archive")


def debian_sources():
    """Yields (URI, keyring or None) of each source of the Debian archive, as apt is set up here."""
    release = re.compile(r"^(bookworm|trixie|forky|sid|stable|testing|unstable)$")
    for name in sorted(glob.glob("/etc/apt/sources.list.d/*.sources")):
        for stanza in re.split(r"\n\s*\n", Path(name).read_text(encoding="utf-8")):
            lines = [line for line in stanza.splitlines() if not line.startswith("#")]
            # a following line that starts with a blank belongs to the field before it
            fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*(?:\n[ \t].*)*)$", "\n".join(lines), re.M))
            fields = {key.lower(): value for key, value in fields.items()}
            if "deb" in fields.get("types", "").split() and fields.get("enabled", "yes") != "no" \
                    and any(release.match(word) for word in fields.get("suites", "").split()):
                keyring = fields.get("signed-by", "")
                yield fields["uris"].split()[0], keyring if keyring.startswith("/") else None
    for name in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*.list"))]:
        if not os.path.exists(name):
            continue
        for line in Path(name).read_text(encoding="utf-8").splitlines():
            match = re.match(r"deb\s+(?:\[(.*?)\]\s+)?(\S+)\s+(\S+)\s", line + " ")
            if match and release.match(match[3]):
                keyring = re.search(r"signed-by=(\S+)", match[1] or "")
                yield match[2], keyring[1] if keyring else None


def transport_options():
    """What this machine's apt was told about proxies and the age of lists holds for the roots, too."""
    told = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False).stdout
    wanted = re.compile(r'^(Acquire::(?:https?::[^ ]*Proxy[^ ]*|Check-Valid-Until|Check-Date) ".+");$', re.M)
    return [f"--aptopt={option}" for option in wanted.findall(told)]
