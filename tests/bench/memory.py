#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory of eight workers with a Python application, with preload and without, by turns in one run.

The figure is the sum of what smaps_rollup calls Pss, over all processes of the server: a page that N processes share counts as one.
Each server has answered the same number of requests before, so that reference counts have been written to. The run fails where
preload does not save memory.
"""
import re
import statistics
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))

from lib.builds import Build
from lib.client import Load
from lib.processes import children
from lib.serving import Serving

WORKERS = 8
REQUESTS = 4000
ROUNDS = 3
SETTINGS = "[server]\nworkers = {workers}\nthreads = 2\npreload = {preload}\n[log]\naccess = off\n"
GOODS = """
import json

GOODS = [{"number": number, "name": f"good {number}", "price": number / 7} for number in range(100000)]


def app(environ, start_response):
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(GOODS[len(environ["QUERY_STRING"])::25000]).encode()]
"""
APPLICATIONS = {
    "hello, world": ("hello:app", None),
    "Flask": ("hello:flask()", None),
    "a catalogue of 100,000 entries": ("goods:app", GOODS),
}


def proportional_kilobytes(pid):
    return int(re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii"), re.M)[1])


def memory(folder, target, text, preload):
    """MiB of the whole server."""
    if text:
        (folder / "goods.py").write_text(text, encoding="utf-8")
    application = f"[app one]\ntype = wsgi\nmodule = {target}\nchdir = {folder if text else TOP / 'tests/apps/wsgi'}\n"
    with Serving(Build("build/default"), folder, SETTINGS.format(workers=WORKERS, preload=preload) + application) as server:
        with Load(server, threads=WORKERS, count=REQUESTS) as load:
            pass
        assert not load.failed, load.failed[0]
        return sum(map(proportional_kilobytes, [server.process.pid, *children(server.process.pid)])) / 1024


def main():
    fine = True
    print(f"memory of {WORKERS} workers and all else that belongs to them", flush=True)
    for name, (target, text) in APPLICATIONS.items():
        rounds = []
        for _ in range(ROUNDS):
            pair = []
            for preload in ("no", "yes"):
                with tempfile.TemporaryDirectory() as folder:
                    pair.append(memory(Path(folder), target, text, preload))
            rounds.append(pair)
        without, shared = (statistics.median(column) for column in zip(*rounds))
        fine &= shared < without
        print(f"  {name:32} preload = no {without:7.1f} MiB   yes {shared:7.1f} MiB   {shared / without:5.2f}{'' if shared < without else '  NOT LESS'}",
              flush=True)
    return 0 if fine else 1


sys.exit(main())
