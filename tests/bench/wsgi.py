#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests per second of Python applications on appsrv, Gunicorn and uWSGI, by turns in one run, two workers each.

All run in one container with a real systemd and journald, the client outside of it. The figure of a pair is the median of the
ratios of the rounds; the run fails where one is below what is promised. No server logs requests to "hello, world"; with Flask each
has one record of the request and one of the application: in the journal on appsrv, in files on Gunicorn.

With a connection for each request the client is busy with connecting, and is what limits the rate: bench_floor, which takes a
connection, reads, sends and closes, reaches about as much as uWSGI's http11-socket does. It runs beside the others; where FLOOR_SHARE of
its rate is less than what is promised, that is asked for instead, and what is not kept of the promise is shown.
"""
import math
import re
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))

from lib import packages, roots
from lib.container import Container, require
from lib.service import Service
from lib.wait import wait_until

SUITE = "bookworm"
APPLICATION = TOP / "tests/apps/wsgi/hello.py"
FOLDER = "/srv/hello"
ROUNDS = 5
SECONDS = 2
CONNECTIONS = 64
WORKERS = 2
PORT = 8080
PEER_PORT = 9000
FLOOR_PORT = 9100
FLOOR = TOP / "build/default/tests/bench/bench_floor"
FLOOR_SHARE = 0.85
SETTINGS = f"[server]\nworkers = {WORKERS}\nthreads = 4\n[log]\naccess = {{access}}\n"
USE = "[app hello]\ntype = wsgi\nmodule = hello:{name}\nchdir = " + FOLDER + "\n"
GUNICORN = "/usr/bin/gunicorn --workers 2 --worker-class gthread --threads 4 --bind 127.0.0.1:9000"
UWSGI = "/usr/bin/uwsgi --plugin python3 --master --need-app --die-on-term --processes 2 --disable-logging --listen 100 --wsgi-file hello.py --callable app"


@dataclass
class Peer:
    """Another server: how it is started, and how many times its rate appsrv is to reach."""

    name: str
    command: str
    factor: float


PEERS = [
    Peer("Gunicorn, gthread", f"{GUNICORN} hello:app", 3.0),
    Peer("uWSGI, http", f"{UWSGI} --plugin http --http 127.0.0.1:9000 --http-keepalive --threads 4", 3.0),
    Peer("uWSGI, http11-socket", f"{UWSGI} --http11-socket 127.0.0.1:9000", 1.2),
]
FLASK_PEER = Peer("Gunicorn, gthread, access log", f"{GUNICORN} --access-logfile /var/tmp/access.log hello:flask()", 2.0)
# uWSGI's http11-socket keeps a connection although it is told to close it, unless the request is one of HTTP/1.0
CLOSES = TOP / "tests/bench/close.lua"
EACH = "connection per request"
KINDS = {"keep-alive": (), EACH: ("-s", CLOSES)}


def answers(container, port):
    try:
        with container.connect(port, timeout=2) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            return connection.recv(15).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def begin_floor(container):
    inside = "/usr/local/bin/bench_floor"
    container.copy_in(FLOOR, inside)
    container.run("systemd-run", "--quiet", "--unit=floor", inside, str(FLOOR_PORT), str(WORKERS))
    wait_until(lambda: answers(container, FLOOR_PORT), 20, "the floor answers")


class Peers:
    """One peer at a time, as a transient unit of the container."""

    def __init__(self, container):
        self.container = container

    def start(self, peer):
        self.container.run("systemd-run", "--quiet", "--unit=peer", f"--working-directory={FOLDER}", "--setenv=LOG_FILE=/var/tmp/hello.log",
                           "--property=LimitNOFILE=65536", *peer.command.split())
        wait_until(lambda: answers(self.container, PEER_PORT), 20, f"{peer.name} answers")

    def stop(self):
        self.container.systemctl("stop", "peer")


def rate(container, port, arguments):
    """Requests per second that were answered with 200. A server that lets connections starve has time-outs, which count as nothing."""
    with container.network():
        shown = subprocess.run(["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", str(SECONDS), *arguments, f"http://127.0.0.1:{port}/"],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True).stdout
    if "Non-2xx" in shown:
        sys.exit(shown)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", shown)[1])


def compare(container, peer):
    """Rates of both in each round, and of the floor, for each kind of client."""
    peers = Peers(container)
    peers.start(peer)
    rates = {kind: [] for kind in KINDS}
    for _ in range(ROUNDS):
        for kind, arguments in KINDS.items():
            floor = rate(container, FLOOR_PORT, arguments) if kind == EACH else math.inf
            rates[kind].append((rate(container, PORT, arguments), rate(container, PEER_PORT, arguments), floor))
    peers.stop()
    return rates


def judgement(promised, kept):
    if promised:
        return ""
    return "  NOT KEPT, near the floor" if kept else "  NOT KEPT"


def show(peer, rates):
    fine = True
    for kind, rounds in rates.items():
        ours, theirs, _ = (statistics.median(column) for column in zip(*rounds))
        factor = statistics.median(own / other for own, other, _ in rounds)
        floor = statistics.median(floor / other for _, other, floor in rounds)
        kept = factor >= min(peer.factor, FLOOR_SHARE * floor)
        fine &= kept
        print(f"  {peer.name:30} {kind:24} {theirs:8.0f}/s  appsrv {ours:8.0f}/s  {factor:5.2f} times, promised {peer.factor}"
              f"{f', the floor {floor:.2f}' if kind == EACH else ''}{judgement(factor >= peer.factor, kept)}", flush=True)
    return fine


def serve(service, name, access):
    service.configure(SETTINGS.format(access=access), USE.format(name=name))
    service.begin()


def main():
    require()
    if shutil.which("wrk") is None:
        raise roots.Unavailable("wrk is not installed")
    fine = True
    built = packages.debs(SUITE)
    with Container(SUITE, kind="bench") as container:
        service = Service(container, built)
        service.install()
        container.install(built.deb("appsrv-wsgi"))
        container.copy_in(APPLICATION, f"{FOLDER}/hello.py")
        begin_floor(container)
        print("hello, world", flush=True)
        serve(service, "app", "off")
        for peer in PEERS:
            fine &= show(peer, compare(container, peer))
        print("Flask, with two records a request", flush=True)
        serve(service, "flask()", "all")
        fine &= show(FLASK_PEER, compare(container, FLASK_PEER))
        lost = service.events("log-lost")
        if lost:
            print(f"  records were lost: {lost[0]['MESSAGE']}")
    return 0 if fine and not lost else 1


try:
    sys.exit(main())
except roots.Unavailable as reason:
    sys.exit(f"bench: {reason}")
