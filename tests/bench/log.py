#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the log costs: the commit of a record, and records per second into a real journald, through the log alone and
through the service with HTTP on top, against a plain sd_journal_sendv() loop, by turns in one run.

Fails where the median of a commit is above its limit, or a rate is below SHARE of that of the plain loop. With HTTP, the
client, each worker and journald need a processor, and one is left for the rest. With fewer of them the rate is shown,
and judged is what the processor time that workers and journald took would allow if each had one for itself.
"""
import os
import re
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))

from lib import packages, roots
from lib.container import Container, require
from lib.service import UNIT, Service

PROGRAM = TOP / "build/default/tests/bench/bench_log"
INSIDE = "/usr/local/bin/bench_log"
SUITE = "bookworm"
ROUNDS = 3
SECONDS = 3
SHARE = 0.9
WORKERS = 2
PROCESSORS = WORKERS + 3
SETTINGS = f"[server]\nworkers = {WORKERS}\nthreads = 1\n[log]\noverflow = block:10s\n"


def rate_inside(container, how):
    return float(container.run(INSIDE, how, SECONDS).stdout)


def processor_seconds(container):
    """Of a worker, on the average, and of journald so far."""
    return [int(container.property(unit, "CPUUsageNSec")) / 1e9 / processes
            for unit, processes in ((UNIT, WORKERS), ("systemd-journald.service", 1))]


def rates_with_http(container):
    """Requests per second, each of which has its record; and how many there could be with a processor for each."""
    before = processor_seconds(container)
    with container.network():
        shown = subprocess.run(["wrk", "-t", "1", "-c", "64", "-d", str(SECONDS), "http://127.0.0.1:8080/"],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True).stdout
    if "Non-2xx" in shown or "Socket errors" in shown:
        sys.exit(shown)
    busiest = max(now - then for now, then in zip(processor_seconds(container), before))
    requests = int(re.search(r"(\d+) requests in", shown)[1])
    return float(re.search(r"Requests/sec:\s+([\d.]+)", shown)[1]), requests / busiest


def forget(container):
    """What was written is of no use, and lies in memory."""
    container.run("journalctl", "-q", "--rotate", "--vacuum-size=1M")


def measure(container, service):
    """The rates of each kind, by turns."""
    rates = {"plain": [], "log": [], "http": [], "alone": []}
    for _ in range(ROUNDS):
        rates["plain"].append(rate_inside(container, "sendv"))
        rates["log"].append(rate_inside(container, "ship"))
        forget(container)
        together, alone = rates_with_http(container)
        rates["http"].append(together)
        rates["alone"].append(alone)
        if service.events("log-lost"):
            sys.exit("records were lost")
        forget(container)
    return {name: statistics.median(values) for name, values in rates.items()}


def show(what, rate, plain, judged):
    share = rate / plain
    print(f"{what:30} {rate:8.0f} records/s  {share:.2f} of the plain loop{'' if judged else ', not judged'}")
    return share >= SHARE or not judged


def commits_are_cheap():
    return all([subprocess.run([PROGRAM, "commit", str(threads)], check=False).returncode == 0 for threads in (1, 4)])


def main():
    require()
    if shutil.which("wrk") is None:
        raise roots.Unavailable("wrk is not installed")
    fine = commits_are_cheap()
    with Container(SUITE) as container:
        service = Service(container, packages.debs(SUITE))
        service.install()
        service.configure(SETTINGS)
        service.begin()
        container.copy_in(PROGRAM, INSIDE)
        rates = measure(container, service)
    print(f"{'sd_journal_sendv() in a loop':30} {rates['plain']:8.0f} records/s")
    fine &= show("the log", rates["log"], rates["plain"], True)
    enough = len(os.sched_getaffinity(0)) >= PROCESSORS
    fine &= show("the service, with HTTP", rates["http"], rates["plain"], enough)
    fine &= show("with a processor for each", rates["alone"], rates["plain"], not enough)
    return 0 if fine else 1


try:
    sys.exit(main())
except roots.Unavailable as reason:
    sys.exit(f"bench-log: {reason}")
