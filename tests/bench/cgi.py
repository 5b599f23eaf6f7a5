#!/usr/bin/python3 -B
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Requests per second and processor time per request of one C program over CGI, by turns in one run.

Beside appsrv: nginx with fcgiwrap, and Apache with mod_cgid, all on this machine with their own files in a folder of the run, none
with an access log. The processor time is that of a control group, so that of the programs is in it. The figure of a pair is the
median of the ratios of the rounds; the run fails where one is below what is promised.
"""
import contextlib
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests"))

from lib.processes import die_with_parent
from lib.serving import free_port
from lib.client import Server
from lib.wait import wait_until

PROMISED = 1.2
ROUNDS = 5
SECONDS = 2
CONNECTIONS = 8
GROUPS = Path("/sys/fs/cgroup")
PROGRAMS = ("wrk", "nginx", "fcgiwrap", "apache2")
MODULES = "/usr/lib/apache2/modules"

APPSRV = """[server]
workers = 2
threads = 4
[log]
access = off
[app hello]
type = cgi
program = {folder}/cgi/hello
"""
NGINX = """daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 2;
events {{ worker_connections 1024; }}
http {{
	access_log off;
	server {{
		listen 127.0.0.1:{port} backlog=1024;
		location / {{
			include /etc/nginx/fastcgi_params;
			fastcgi_param SCRIPT_FILENAME {folder}/cgi/hello;
			fastcgi_pass unix:{folder}/fcgiwrap.socket;
		}}
	}}
}}
"""
APACHE = """ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
ErrorLog {folder}/apache.log
User nobody
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule alias_module {modules}/mod_alias.so
LoadModule cgid_module {modules}/mod_cgid.so
ScriptSock {folder}/cgid.socket
MaxKeepAliveRequests 0
ScriptAlias / {folder}/cgi/hello/
"""


class Unavailable(Exception):
    """What the machine lacks."""


class Usage:
    """A control group of its own, for the processor time of all processes that are started in it."""

    def __init__(self, name):
        unified = (GROUPS / "cgroup.controllers").exists()
        self.path = (GROUPS if unified else GROUPS / "cpuacct") / f"appsrv-bench-{os.getpid()}-{name}"
        self.file = self.path / ("cpu.stat" if unified else "cpuacct.usage")
        self.path.mkdir()
        if not self.file.exists():
            self.path.rmdir()
            raise Unavailable("no control group that counts processor time")

    def enter(self):
        """To run in a child before exec."""
        die_with_parent()
        (self.path / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    def microseconds(self):
        text = self.file.read_text(encoding="ascii")
        return int(text.split("usage_usec")[1].split()[0]) if "usage_usec" in text else int(text) / 1000

    def remove(self):
        """fcgiwrap leaves its children to whoever started it."""
        def is_empty():
            left = (self.path / "cgroup.procs").read_text(encoding="ascii").split()
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
            return not left
        wait_until(is_empty, 20, f"{self.path} is empty")
        self.path.rmdir()


class Contender:
    """One server: how it is started, and what it used."""

    def __init__(self, name, folder, *commands):
        self.name, self.port = name, free_port()
        self.folder = folder
        self.usage = Usage(name.split(",")[0].replace(" ", "-"))
        self.commands = [[str(word).format(folder=folder, port=self.port) for word in command] for command in commands]
        self.processes = []

    def write(self, name, text):
        (self.folder / name).write_text(text.format(folder=self.folder, port=self.port, modules=MODULES), encoding="ascii")

    def __enter__(self):
        with open(self.folder / f"{self.port}.log", "wb") as log:
            for command in self.commands:
                self.processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=self.usage.enter))
        wait_until(self.answers, 20, f"{self.name} answers: {self.folder}")
        return self

    def answers(self):
        with contextlib.suppress(OSError):
            return Server(self.port).ask("/").body == b"hello, world\n"
        return False

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
            process.wait(40)
        self.usage.remove()

    def measure(self):
        """Requests per second that were answered with 200, and microseconds for each."""
        before = self.usage.microseconds()
        shown = subprocess.run(["wrk", "-t", "1", "-c", str(CONNECTIONS), "-d", str(SECONDS), f"http://127.0.0.1:{self.port}/"],
                               stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True).stdout
        if "Non-2xx" in shown:
            sys.exit(f"{self.name}\n{shown}")
        return float(re.search(r"Requests/sec:\s+([\d.]+)", shown)[1]), (self.usage.microseconds() - before) / int(re.search(r"(\d+) requests in", shown)[1])


def contenders(folder):
    ours = Contender("appsrv", folder, [TOP / "build/default/appsrv", "serve", "-c", "{folder}/appsrv.ini", "--listen", "127.0.0.1:{port}", "--log", "console"])
    ours.write("appsrv.ini", APPSRV)
    nginx = Contender("nginx, fcgiwrap", folder, ["fcgiwrap", "-c", CONNECTIONS, "-s", "unix:{folder}/fcgiwrap.socket"],
                      ["nginx", "-p", "{folder}", "-c", "{folder}/nginx.conf"])
    nginx.write("nginx.conf", "user root;\n" + NGINX if os.getuid() == 0 else NGINX)
    apache = Contender("Apache, mod_cgid", folder, ["apache2", "-f", "{folder}/apache.conf", "-DFOREGROUND"])
    apache.write("apache.conf", APACHE)
    return ours, (nginx, apache)


def main():
    missing = [program for program in PROGRAMS if shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin") is None]
    if missing:
        raise Unavailable(f"not installed: {', '.join(missing)}")
    os.environ["PATH"] += ":/usr/sbin"
    fine = True
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        folder = Path(place)
        folder.chmod(0o755)
        (folder / "cgi").mkdir()
        shutil.copy(TOP / "build/default/tests/apps/cgi/hello", folder / "cgi/hello")
        ours, others = contenders(folder)
        rounds = {server.name: [] for server in (ours, *others)}
        for server in (ours, *others):
            stack.enter_context(server)
        for _ in range(ROUNDS):
            for server in (ours, *others):
                rounds[server.name].append(server.measure())
        for peer in others:
            pairs = list(zip(rounds[ours.name], rounds[peer.name]))
            faster = statistics.median(own[0] / other[0] for own, other in pairs)
            cheaper = statistics.median(other[1] / own[1] for own, other in pairs)
            kept = min(faster, cheaper) >= PROMISED
            fine &= kept
            (rate, cost), (own_rate, own_cost) = ([statistics.median(column) for column in zip(*rounds[name])] for name in (peer.name, ours.name))
            print(f"  {peer.name:18} {rate:6.0f}/s {cost:5.0f} us   appsrv {own_rate:6.0f}/s {own_cost:5.0f} us   {faster:5.2f} times as fast, "
                  f"{cheaper:5.2f} times as cheap, promised {PROMISED}{'' if kept else '  NOT KEPT'}", flush=True)
    return 0 if fine else 1


try:
    sys.exit(main())
except Unavailable as reason:
    sys.exit(f"bench: {reason}")
