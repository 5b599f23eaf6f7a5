# SPDX-License-Identifier: LGPL-2.1-or-later
"""Chaos: faults at random moments while a crowd of clients asks, and the story of what came of it.

All that is random is drawn from the seed: which request does what, which fault follows which and after how long. When
exactly it hits is the machine's to decide.
"""
import contextlib
import json
import os
import random
import signal
import threading
import time
import traceback
from dataclasses import dataclass

from lib.container import decoded
from lib.crowd import Crowd
from lib.processes import children
from lib.service import UNIT
from lib.verdict import DEEDS, Begun, Death, Story, judge
from lib.wait import wait_until

LEDGER = "/usr/local/lib/appsrv-tests/ledger.so"
USE_LEDGER = f"[app ledger]\ntype = native\npath = {LEDGER}\nmount = /\n"
# of DynamicUser= and StateDirectory=
NOTES = "/var/lib/private/appsrv/ledger"
JOURNALD = "systemd-journald.service"
# restarted more often than systemd allows
JOURNALD_UNLIMITED = "[Unit]\nStartLimitIntervalSec=0\n"

SECONDS_FOR_THE_JOURNAL = 30
# without a change for so long, nothing more is on its way
SECONDS_OF_SILENCE = 8
FIELDS = ("RECORD,REQUEST_ID,MESSAGE,HTTP_STATUS,HTTP_METHOD,REMOTE_ADDR,OUTCOME,REPLAYED,WORK_ID,EVENT,WORKER_PID,"
          "GENERATION,SIGNAL,EXIT_CODE,SYSLOG_TIMESTAMP,LOST_ACCESS,LOST_APP,LOST_EVENT,LOST_OUTPUT,LOST_SINCE_USEC,LOST_UNTIL_USEC")


@dataclass
class Pace:
    """Answers in a second, and the processor time of the service for one of them."""

    speed: float
    usec: float


# -- faults -----------------------------------------------------------------------

class Faults:
    """Does things to the service and its journal; a context manager that undoes what is left of them.

    Processes are found by their cgroups and signalled from outside: asking systemd may take as long as the journal is
    stopped. Faults of different lanes happen at the same time, those of one lane one after the other.
    """

    def __init__(self, service):
        self.service = service
        self.container = service.container
        self.log = []
        self.deaths = []
        self.massacres = []
        self.over = threading.Event()
        self._systemctl = threading.Lock()
        self._lanes = []
        self._problems = []

    def __enter__(self):
        self.over.clear()
        return self

    def __exit__(self, *_):
        self.over.set()
        for lane in self._lanes:
            lane.join(90)
        stuck = [lane.name for lane in self._lanes if lane.is_alive()]
        self._wake_journald()
        self._journald_units("start")
        assert not stuck, f"faults do not end: {stuck}"
        assert not self._problems, "\n".join(self._problems)

    def note(self, text):
        self.log.append((time.time(), text))

    # -- when

    def begin(self, names, seed, pause):
        """Starts the lanes that these faults need. Each goes on until the end of the `with` block."""
        lanes = {}
        for name in names:
            lanes.setdefault(FAULTS[name][0], []).append(name)
        self._rounds = dict.fromkeys(lanes, 0)
        for lane, faults in lanes.items():
            thread = threading.Thread(target=self._follow, args=(lane, faults, random.Random(f"{seed}/{lane}"), pause),
                                      name=lane, daemon=True)
            self._lanes.append(thread)
            thread.start()

    def have_all_happened(self):
        return self._problems or all(self._rounds.values())

    def _follow(self, lane, names, draw, pause):
        try:
            while True:
                for name in draw.sample(names, len(names)):
                    if self.over.wait(draw.uniform(*pause)):
                        return
                    FAULTS[name][1](self, draw)
                self._rounds[lane] += 1
        except Exception:  # shown at the end of the with block
            self._problems.append(traceback.format_exc())

    # -- who

    def _pids(self, unit):
        """The living processes of a unit, as seen from here."""
        try:
            return [int(word) for word in self._cgroup(unit, "cgroup.procs").read_text(encoding="ascii").split()]
        except OSError:  # not running now
            return []

    def _cgroup(self, unit, name):
        return self.container.path(f"/sys/fs/cgroup/system.slice/{unit}/{name}")

    def _workers(self):
        return [worker for pid in self._pids(UNIT) if is_master(pid) for worker in children(pid)]

    def _signal(self, unit, pid, number):
        """Returns the pid that the process has inside; None when it was gone before."""
        try:
            handle = os.pidfd_open(pid)
        except ProcessLookupError:
            return None
        try:
            inside = inner_pid(pid)
            # no other process can have taken the number from here on
            if pid not in self._pids(unit):
                return None
            signal.pidfd_send_signal(handle, number)
            return inside
        except (ProcessLookupError, FileNotFoundError):
            return None
        finally:
            os.close(handle)

    # -- how fast

    def pace(self, crowd, seconds):
        """What the crowd gets from now on for so long."""
        spent, answered, begun = self._spent(), crowd.answered(), time.monotonic()
        time.sleep(seconds)
        answers, passed = crowd.answered() - answered, time.monotonic() - begun
        return Pace(answers / passed, (self._spent() - spent) / max(answers, 1))

    def _spent(self):
        """Microseconds of processor time."""
        return int(self._cgroup(UNIT, "cpu.stat").read_text(encoding="ascii").split()[1])

    # -- what

    def kill_worker(self, draw, number):
        def hit():
            workers = self._workers()
            return self._signal(UNIT, draw.choice(workers), number) if workers else None

        victim = wait_until(hit, 30, "a worker to kill")
        self.deaths.append(Death(victim, number.name.removeprefix("SIG"), time.time()))
        self.note(f"{number.name} to worker {victim}")

    def kill_everybody(self, _):
        """All at once, as the kernel does it: nobody sees another one die."""
        wait_until(self._workers, 30, "workers to kill")
        self.massacres.append(time.time())
        self._cgroup(UNIT, "cgroup.kill").write_text("1", encoding="ascii")
        self.note("SIGKILL to all processes of the service")

    def kill_journald(self, _):
        before = self._pids(JOURNALD)
        for pid in before:
            self._signal(JOURNALD, pid, signal.SIGKILL)
        self.note("SIGKILL to journald")
        wait_until(lambda: self._pids(JOURNALD) and not set(self._pids(JOURNALD)) & set(before), 20,
                   "another journald after SIGKILL")

    def restart_journald(self, _):
        with self._systemctl:
            self.container.systemctl("restart", JOURNALD)
        self.note("journald was restarted")

    @contextlib.contextmanager
    def frozen_journald(self):
        with self._systemctl:
            for pid in self._pids(JOURNALD):
                self._signal(JOURNALD, pid, signal.SIGSTOP)
            self.note("SIGSTOP to journald")
            try:
                yield
            finally:
                self._wake_journald()
                self.note("SIGCONT to journald")

    def freeze_journald(self, seconds):
        with self.frozen_journald():
            self.over.wait(seconds)

    def slow_journald(self, draw, seconds):
        """Stopped and let go on in short alternation, so that it takes a few records at a time."""
        end = time.monotonic() + seconds
        with self._systemctl:
            self.note("journald becomes slow")
            try:
                while time.monotonic() < end and not self.over.is_set():
                    for pid in self._pids(JOURNALD):
                        self._signal(JOURNALD, pid, signal.SIGSTOP)
                    self.over.wait(draw.uniform(0.1, 0.4))
                    self._wake_journald()
                    self.over.wait(draw.uniform(0.001, 0.004))
            finally:
                self._wake_journald()
            self.note("journald is as fast as before")

    def _wake_journald(self):
        for pid in self._pids(JOURNALD):
            self._signal(JOURNALD, pid, signal.SIGCONT)

    @contextlib.contextmanager
    def without_journald(self):
        """The process and its sockets are gone; nothing listens any more."""
        with self._systemctl:
            self.note("journald and its sockets are being stopped")
            try:
                self._journald_units("stop")
                self.note("journald and its sockets are stopped")
                yield
            finally:
                self._journald_units("start")
                self.note("journald and its sockets are started")

    def take_journald_away(self, seconds):
        with self.without_journald():
            self.over.wait(seconds)

    def _journald_units(self, verb):
        sockets = self.container.property(JOURNALD, "TriggeredBy").split()
        self.container.systemctl(verb, *sockets, JOURNALD)

    def reload(self, _):
        with self._systemctl:
            # nothing to reload while it starts again after a massacre
            failed = self.container.systemctl("reload", UNIT, check=False).returncode
        self.note(f"reload{', which failed' if failed else ''}")

    def restart(self, _):
        with self._systemctl:
            self.note("restart begins")
            self.container.systemctl("restart", UNIT)
        self.note("restarted")


def is_master(pid):
    """A child of the container's PID 1 that is appsrv serve, and not the check of a reload."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            if b"serve" not in file.read().split(b"\0")[1:2]:
                return False
        return inner_pid(parent(pid)) == 1
    except OSError:
        return False


def parent(pid):
    return int(status_line(pid, "PPid:")[0])


def inner_pid(pid):
    return int(status_line(pid, "NSpid:")[-1])


def status_line(pid, name):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        return next(line for line in file if line.startswith(name)).split()[1:]


# name: (lane, what is done). The lane of the clients is no thread: one of their requests in a while crashes.
FAULTS = {
    "worker-killed": ("service", lambda faults, draw: faults.kill_worker(draw, signal.SIGKILL)),
    "worker-segv": ("service", lambda faults, draw: faults.kill_worker(draw, signal.SIGSEGV)),
    "worker-abrt": ("service", lambda faults, draw: faults.kill_worker(draw, signal.SIGABRT)),
    "everybody-killed": ("service", Faults.kill_everybody),
    "reload": ("service", Faults.reload),
    "restart": ("service", Faults.restart),
    "journald-restarted": ("journal", Faults.restart_journald),
    "journald-killed": ("journal", Faults.kill_journald),
    "journald-stopped": ("journal", lambda faults, draw: faults.freeze_journald(5)),
    "journald-slow": ("journal", lambda faults, draw: faults.slow_journald(draw, draw.uniform(2, 3))),
    "journald-away": ("journal", lambda faults, draw: faults.take_journald_away(draw.uniform(1, 3))),
}


# -- the story --------------------------------------------------------------------

class Chaos:
    """One service that serves the ledger application, and what happens to it."""

    def __init__(self, service, seed):
        self.service = service
        self.container = service.container
        self.seed = seed

    def prepare(self, settings):
        """Serves with these settings, and nothing of what was before."""
        if not self.container.path(LEDGER).exists():
            self.container.copy_in(self.service.built.application("ledger"), LEDGER)
            self.container.write_file(f"/etc/systemd/system/{JOURNALD}.d/unlimited.conf", JOURNALD_UNLIMITED)
            self.container.systemctl("daemon-reload")
        self.service.configure(settings, USE_LEDGER)
        self.service.begin()
        self.since = self.service.mark()

    def crowd(self, **options):
        return Crowd(self.service, self.seed, **options)

    def happen(self, names, requests, rate, pause, crashing=0):
        """Lets at least so many requests be asked, and each of the faults happen at least once. Returns what is
        needed for the story."""
        faults = Faults(self.service)
        with self.crowd(rate=rate, crashing=crashing) as crowd:
            with faults:
                faults.begin(names, self.seed, pause)
                wait_until(lambda: crowd.asked() >= requests and faults.have_all_happened(),
                           60 + 4 * requests / rate, f"{requests} requests and all of {names}")
            wait_until(lambda: self.container.property(UNIT, "ActiveState") == "active", 30, "the service is back")
        return crowd, faults

    def story(self, crowd, faults, **expected):
        """What is known by now."""
        begun = self._read_notes(crowd.tag)
        return Story(crowd.ledger, begun, self._read_journal(), deaths(crowd.ledger, begun, faults.deaths),
                     faults.massacres, sorted(faults.log), **expected)

    def settled_story(self, crowd, faults, **expected):
        """What is known once nothing is on its way any more: all has come that should, then the service has stopped."""
        seen = {"records": -1, "since": time.monotonic()}

        def is_settled():
            story = self.story(crowd, faults, **expected)
            if len(story.records) != seen["records"]:
                seen.update(records=len(story.records), since=time.monotonic())
            return not judge(story) or time.monotonic() > seen["since"] + SECONDS_OF_SILENCE

        with contextlib.suppress(AssertionError):
            wait_until(is_settled, SECONDS_FOR_THE_JOURNAL)
        self.container.systemctl("stop", UNIT)
        return self.story(crowd, faults, **expected)

    def _read_journal(self):
        self.container.run("journalctl", "--sync")
        out = self.container.run("journalctl", "-q", "--all", "-o", "json", "--no-pager", "-u", UNIT,
                                 f"--cursor={self.since}", f"--output-fields={FIELDS}", text=False).stdout
        return [{name: decoded(value) for name, value in json.loads(line).items()} for line in out.splitlines()]

    def _read_notes(self, tag):
        begun = {}
        for line in self.container.path(NOTES).read_text(encoding="ascii").splitlines():
            what, pid, request_id, id_, result = line.split()
            if not id_.startswith(tag):
                continue
            if what == "begun":
                assert id_ not in begun, f"the application saw {id_} twice"
                begun[id_] = Begun(int(pid), request_id)
            else:
                begun[id_].logged = int(result)
        return begun


def deaths(asked, begun, killed):
    """Who was killed by a signal of ours, and whom a request has ended; each process dies once."""
    found = {death.pid: death for death in killed}
    for id_, each in begun.items():
        if asked[id_].deed:
            expected = None if each.pid in found else DEEDS[asked[id_].deed]
            found[each.pid] = Death(each.pid, expected, asked[id_].ended)
    return list(found.values())
