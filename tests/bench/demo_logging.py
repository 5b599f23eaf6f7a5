#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""How many records of logging arrive: the same Flask application, under the same load, on Gunicorn with a
RotatingFileHandler, on appsrv with the journal, and on appsrv while its workers are killed.

Fails where appsrv lost or tore a record, or has one twice without REPLAYED=1 (appsrv-journal(7)). What Gunicorn loses is shown and not judged: it depends on how its
workers meet.
"""
import collections
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))

from lib import packages, roots
from lib.client import Load, Server
from lib.container import Container, require
from lib.processes import die_with_parent
from lib.service import Service
from lib.serving import free_port
from lib.wait import wait_until

APPS = TOP / "tests/apps/wsgi"
SUITE = "bookworm"
WORKERS = 4
CLIENTS = 8
REQUESTS = 20000
KILLS = 20
SETTINGS = f"[server]\nworkers = {WORKERS}\nthreads = 2\n"
WITNESS = "/var/lib/appsrv/witness"
# of each request
WHAT = ("begins", "has no price", "ends")
# as they leave logging: one of them has a traceback of many lines
RECORD = re.compile(r"order (\S+) (?:begins|ends|has no price\nTraceback \(most recent call last\):\n(?: .*\n)+LookupError: no price of \1)")
BEGINNING = re.compile(r"^\d+ shop\.orders (?:INFO|ERROR) (?=order )", re.M)


@dataclass
class Result:
    """What one run came to."""

    name: str
    answered: set
    expected: set  # what must be there: the first line of each record
    seconds: float
    seen: collections.Counter  # the first line of each record that is there whole, how often
    torn: int = 0
    again: collections.Counter = field(default_factory=collections.Counter)  # the same of those that are marked as sent again
    killed: int = 0
    witnessed: int = 0  # of requests that were not answered

    @property
    def lost(self):
        return len(self.expected - set(self.seen) - set(self.again))

    @property
    def doubled(self):
        return sum(number - 1 for number in self.seen.values())

    def is_perfect(self):
        return self.lost == self.doubled == self.torn == 0 and len(self.expected) >= 3 * len(self.answered)


def first_line(text):
    return text.partition("\n")[0]


def records_of(answered):
    return {f"order {number} {what}" for number in answered for what in WHAT}


def ask(server, during=lambda load: None):
    """Asks for all orders; returns the ids of those that were answered, and how long it took."""
    begun = time.monotonic()
    with Load(server, threads=CLIENTS, keep_alive=True, count=REQUESTS, target="/order?n={id}") as load:
        during(load)
    return {answer.id for answer in load.ledger if answer.status == 200}, time.monotonic() - begun


# -- Gunicorn -----------------------------------------------------------------------------------------

def count_files(folder):
    """The records that the files hold, and how many pieces are no whole record."""
    seen, torn = collections.Counter(), 0
    for file in folder.glob("shop.log*"):
        before, *texts = BEGINNING.split(file.read_text(encoding="utf-8"))
        torn += before != ""
        for text in texts:
            whole = RECORD.fullmatch(text.removesuffix("\n"))
            if whole:
                seen[first_line(text)] += 1
            torn += not whole
    return seen, torn


def end(process):
    process.terminate()
    try:
        process.wait(30)
    finally:
        process.kill()
        process.wait()


def on_gunicorn():
    with tempfile.TemporaryDirectory(prefix="appsrv-demo-") as folder:
        server = Server(free_port())
        with open(Path(folder) / "output", "wb") as output:
            gunicorn = subprocess.Popen(
                ["gunicorn", "--workers", str(WORKERS), "--bind", "{}:{}".format(*server.address), "shop:app"], cwd=APPS,
                env={**os.environ, "LOG_FILE": f"{folder}/shop.log", "PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, preexec_fn=die_with_parent)
        try:
            wait_until(lambda: answers(server), 30, "Gunicorn answers")
            answered, seconds = ask(server)
        finally:
            end(gunicorn)
        seen, torn = count_files(Path(folder))
    return Result("Gunicorn", answered, records_of(answered), seconds, seen, torn)


def answers(server):
    try:
        return server.ask("/id").status == 200
    except OSError:
        return False


# -- appsrv -------------------------------------------------------------------------------------------

def count_entries(service, since):
    """The same of the journal, and the records that were sent again."""
    seen, torn, again = collections.Counter(), 0, collections.Counter()
    for entry in service.records("LOGGER=shop.orders", since=since):
        if RECORD.fullmatch(entry["MESSAGE"]):
            (again if "REPLAYED" in entry else seen)[first_line(entry["MESSAGE"])] += 1
        else:
            torn += 1
    return seen, torn, again


def wait_for_entries(service, since, expected):
    """Counts once all is there, or nothing came for as long as the count takes."""
    last = None

    def settled():
        nonlocal last
        before, last = last, count_entries(service, since)
        return expected <= set(last[0]) | set(last[2]) or last == before
    wait_until(settled, 120, "the journal has it all")
    return last


def witnessed(service):
    """What was logged, as the application itself kept it."""
    file = service.container.path(WITNESS)
    return set(file.read_text(encoding="utf-8").splitlines()) if file.exists() else set()


def on_appsrv(service, name, during=lambda load: None):
    since = service.mark()
    answered, seconds = ask(service, during)
    told = witnessed(service)
    expected = records_of(answered) | told
    return Result(name, answered, expected, seconds, *wait_for_entries(service, since, expected),
                  len(service.events("worker-died", since)), len(told - records_of(answered)))


def kill_workers(service):
    """One after the other, at even distances of the load."""
    draw = random.Random(1)

    def during(load):
        for number in range(1, KILLS + 1):
            wait_until(lambda: len(load.ledger) >= number * REQUESTS / (KILLS + 1), 60, "more answers")
            service.container.kill(draw.choice(service.workers()), signal.SIGKILL)
    return during


def in_container():
    built = packages.debs(SUITE)
    with Container(SUITE, kind="python") as container:
        service = Service(container, built)
        service.install()
        container.install(built.deb("appsrv-wsgi"))
        for name in ("shop", "witness"):
            container.copy_in(APPS / f"{name}.py", f"/srv/shop/{name}.py")
        for module, name, during in (("shop", "appsrv", lambda load: None), ("witness", f"appsrv, {KILLS} kills", kill_workers(service))):
            service.configure(SETTINGS, f"[app shop]\ntype = wsgi\nmodule = {module}:app\nchdir = /srv/shop\n")
            yield on_appsrv(service.begin(), name, during)
            container.run("journalctl", "-q", "--rotate", "--vacuum-size=1M")


# -- the table ----------------------------------------------------------------------------------------

def rows(result):
    due = len(result.expected)
    yield "requests answered", f"{len(result.answered):,} of {REQUESTS:,}"
    yield "workers killed", f"{result.killed:,}"
    yield "records due", f"{due:,}"
    yield "  of requests that were cut", f"{result.witnessed:,}"
    yield "there, whole", f"{due - result.lost:,}"
    yield "LOST", f"{result.lost:,} ({100 * result.lost / max(due, 1):.1f} %)"
    yield "doubled without a mark", f"{result.doubled:,}"
    yield "torn", f"{result.torn:,}"
    yield "sent again with REPLAYED=1", f"{sum(result.again.values()):,}"
    yield "seconds", f"{result.seconds:.0f}"


def show(results):
    print(f"\nOne Flask application, {WORKERS} workers, {REQUESTS:,} requests, {len(WHAT)} records each (one a traceback);"
          "\non Gunicorn to a RotatingFileHandler that keeps more files than it fills, on appsrv to the journal\n")
    print(f"{'':28}" + "".join(f"{result.name:>20}" for result in results))
    for lines in zip(*map(rows, results)):
        print(f"{lines[0][0]:28}" + "".join(f"{value:>20}" for _, value in lines))
    print()


def judge(gunicorn, calm, killed):
    """What is wrong with it, a line each."""
    for result in (calm, killed):
        if not result.is_perfect():
            yield f"{result.name}: records are not whole, or not there once"
    if len(calm.answered) != REQUESTS or calm.killed:
        yield f"{calm.name}: not every request was answered"
    if killed.killed != KILLS or len(killed.answered) < REQUESTS - KILLS * CLIENTS:
        yield f"{killed.name}: {killed.killed} workers died, {len(killed.answered)} requests were answered"
    if len(gunicorn.answered) != REQUESTS:
        yield f"{gunicorn.name}: not every request was answered, the comparison is void"


def main():
    require()
    if shutil.which("gunicorn") is None:
        raise roots.Unavailable("gunicorn is not installed")
    gunicorn = on_gunicorn()
    calm, killed = in_container()
    show([gunicorn, calm, killed])
    if gunicorn.lost == 0:
        print("Gunicorn lost nothing this time. It is a race: run it again.")
    problems = list(judge(gunicorn, calm, killed))
    print("\n".join(problems) or "appsrv: every record is there, whole, and none twice without a mark.")
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except roots.Unavailable as reason:
        sys.exit(f"demo-logging: {reason}")
