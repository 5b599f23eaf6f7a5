# SPDX-License-Identifier: LGPL-2.1-or-later
"""Holds the journal against two ledgers: what the clients saw answered, and what the application saw begin."""
import collections
import re
import time
from dataclasses import dataclass, field
from functools import cached_property

# what a request does to its worker, and the signal that this ends it with
CRASHES = {"segv": "SEGV", "abort": "ABRT", "exit": None}
DEEDS = {**CRASHES, "late": "KILL"}
FITS_ANSWER = {"ok", "worker-died"}
FITS_NO_ANSWER = {"ok", "worker-died", "shutdown", "client-abort"}
SHOWN = 4
# so long around a request is shown what was done to the service
NEAR = 3.0


@dataclass
class Asked:
    """One request as its client knows it; without a complete answer its status is 0."""

    id: str
    target: str
    kept_alive: bool
    wanted: int = 200
    deed: str = ""
    begun: float = 0.0
    ended: float = 0.0
    status: int = 0
    request_id: str = ""
    error: str = ""


@dataclass
class Begun:
    """One request as the application knows it: `logged` is what its log call gave, None when nobody can tell."""

    pid: int
    request_id: str
    logged: int | None = None


@dataclass
class Death:
    """A worker that was killed. `signal` is None where it exited, or where more than one thing may have ended it."""

    pid: int
    signal: str | None
    at: float


@dataclass
class Story:
    """All that is known of one run."""

    asked: dict
    begun: dict
    records: list
    deaths: list = field(default_factory=list)
    massacres: list = field(default_factory=list)  # when all processes of the service were killed
    log: list = field(default_factory=list)  # (time, text): what was done to the service and its journal
    gentle: bool = False  # nothing was killed: every request that began was answered as it asked for
    may_lose: bool = False  # the outage was longer than the buffer

    @cached_property
    def access(self):
        return self._by_id("access", lambda record: found[1] if (found := ID.search(record["MESSAGE"])) else None)

    @cached_property
    def app(self):
        return self._by_id("app", lambda record: record.get("WORK_ID"))

    def _by_id(self, kind, identify):
        found = collections.defaultdict(list)
        for record in self.records:
            if record.get("RECORD") == kind and identify(record) in self.asked:
                found[identify(record)].append(record)
        return found

    def events(self, *names):
        """Without those that say the same again because they were sent again."""
        found = {}
        for record in self.records:
            if record.get("EVENT") in names:
                found.setdefault(identity(record), record)
        return list(found.values())

    def lost(self, kind):
        return sum(int(event.get(f"LOST_{kind}", 0)) for event in self.events("log-lost"))

    @cached_property
    def dead(self):
        return {int(event["WORKER_PID"]) for event in self.events("worker-died")}


ID = re.compile(r"[?&]id=([\w-]+)")


def identity(event):
    return tuple(sorted((name, str(value)) for name, value in event.items()
                        if not name.startswith("_") and name not in ("REPLAYED", "SYSLOG_TIMESTAMP")))


# -- the rules: each yields (what is wrong, the id of the request or a text that says where) ------------

def answers_are_recorded_as_seen(story):
    for asked in filter(lambda asked: asked.status, story.asked.values()):
        for record in story.access.get(asked.id, ()):
            if record.get("HTTP_STATUS") != str(asked.status):
                yield "recorded with another status than the client saw", asked.id
            if record.get("REQUEST_ID") != asked.request_id:
                yield "recorded with another REQUEST_ID than the client saw", asked.id


def outcomes_fit(story):
    for asked in story.asked.values():
        for record in story.access.get(asked.id, ()):
            outcome = record.get("OUTCOME")
            if outcome not in (FITS_ANSWER if asked.status else FITS_NO_ANSWER):
                yield f"outcome {outcome}, which does not fit", asked.id
            elif outcome == "worker-died" and not story.massacres and int(record["WORKER_PID"]) not in story.dead:
                yield "outcome worker-died, but no event says so of the worker", asked.id


def crashing_requests_are_named(story):
    for asked in story.asked.values():
        if asked.deed not in CRASHES or asked.id not in story.begun:
            continue
        expected = {"OUTCOME": "worker-died", "HTTP_METHOD": "GET", "REMOTE_ADDR": "127.0.0.1",
                    "REQUEST_ID": story.begun[asked.id].request_id}
        for record in story.access.get(asked.id, ()):
            if asked.target not in record["MESSAGE"] or expected.items() - record.items():
                yield "not named as the request that its worker died of", asked.id
        if asked.status:
            yield "answered by a worker that had died", asked.id


def ids_agree(story):
    for id_, begun in story.begun.items():
        for record in [*story.access.get(id_, ()), *story.app.get(id_, ())]:
            if record.get("REQUEST_ID") != begun.request_id:
                yield f"{record['RECORD']} record with another REQUEST_ID than the application saw", id_


def nothing_is_recorded_twice(story):
    for kind, by_id in (("access", story.access), ("app", story.app)):
        for id_, records in by_id.items():
            if sum("REPLAYED" not in record for record in records) > 1:
                yield f"several {kind} records, and more than one of them without REPLAYED=1", id_


def told_losses_are_the_real_ones(story):
    yield from losses(story, "access",
                      certain=[asked.id for asked in story.asked.values()
                               if (asked.status or asked.id in story.begun) and asked.id not in story.access],
                      possible=[asked.id for asked in story.asked.values()
                                if not asked.status and asked.id not in story.begun and asked.id not in story.access])
    yield from losses(story, "app",
                      certain=[id_ for id_, begun in story.begun.items()
                               if begun.logged is not None and id_ not in story.app],
                      possible=[id_ for id_, begun in story.begun.items()
                                if begun.logged is None and id_ not in story.app])
    for id_, begun in story.begun.items():
        if begun.logged not in (None, 0) and id_ in story.app:
            yield "app record that was refused and is there", id_
    if not story.may_lose:
        for kind in ("ACCESS", "APP", "EVENT", "OUTPUT"):
            if story.lost(kind):
                yield "losses are told, where all should have fitted the buffer", f"LOST_{kind}={story.lost(kind)}"


def losses(story, kind, certain, possible):
    """What certainly was written and is missing has to be told as lost; of what nobody saw it may be."""
    told = story.lost(kind.upper())
    if len(certain) > told:
        for id_ in certain:
            yield f"no {kind} record, while log-lost tells of {told}", id_
    elif told > len(certain) + len(possible):
        yield f"{kind} records told as lost that are there", f"{told} told, {len(certain)} are missing"


def deaths_are_told(story):
    ends = collections.defaultdict(list)
    for event in story.events("worker-died", "worker-exited"):
        ends[int(event["WORKER_PID"])].append(event)
    for death in story.deaths:
        told = ends[death.pid]
        text = f"{clock(death.at)} {death.signal or 'crash'} of worker {death.pid}"
        if len(told) != 1:
            yield f"worker whose end is told by {len(told)} events", text
        elif told[0]["EVENT"] == "worker-died" and not cause_fits(story, death, told[0]):
            yield "worker-died with another cause", f"{text}: {told[0]['MESSAGE']}"


def deaths_name_what_was_in_flight(story):
    ended = collections.defaultdict(set)
    for record in story.records:
        if record.get("RECORD") == "access" and record.get("OUTCOME") == "worker-died":
            ended[int(record["WORKER_PID"])].add(record["REQUEST_ID"])
    begun = {begun.request_id: begun.pid for begun in story.begun.values()}
    for event in story.events("worker-died"):
        pid = int(event["WORKER_PID"])
        named = set(values(event, "REQUEST_ID"))
        for request_id in ended[pid] - named:
            yield "worker-died that does not name a request that it ended", f"{request_id}: {event['MESSAGE']}"
        for request_id in named:
            if begun.get(request_id, pid) != pid:
                yield "worker-died that names a request of another worker", f"{request_id}: {event['MESSAGE']}"
            # whose record may be the one that was lost
            elif request_id not in ended[pid] and not story.lost("ACCESS"):
                yield "worker-died that names a request that it did not end", f"{request_id}: {event['MESSAGE']}"


def values(record, name):
    found = record.get(name, [])
    return found if isinstance(found, list) else [found]


def cause_fits(story, death, event):
    if death.signal is None:
        return "SIGNAL" in event or "EXIT_CODE" in event or near(story.massacres, death.at)
    # whose parent was killed, too, before it could look
    return event.get("SIGNAL") == death.signal or near(story.massacres, death.at)


def near(times, at):
    return any(abs(each - at) < NEAR for each in times)


def gentle_changes_fail_no_request(story):
    if not story.gentle:
        return
    for asked in story.asked.values():
        # the server may close a kept connection while a request is on its way: nobody began that one
        if not asked.status and (asked.id in story.begun or not asked.kept_alive):
            yield "failed, although nothing was killed", asked.id
        elif asked.status and asked.status != asked.wanted:
            yield "answered with another status than the application's", asked.id


RULES = (answers_are_recorded_as_seen, outcomes_fit, crashing_requests_are_named, ids_agree,
         nothing_is_recorded_twice, told_losses_are_the_real_ones, deaths_are_told, deaths_name_what_was_in_flight,
         gentle_changes_fail_no_request)


def judge(story):
    """What is wrong: {kind: [ids of requests, or texts]}; empty when all is well."""
    found = collections.defaultdict(list)
    for rule in RULES:
        for what, where in rule(story):
            found[what].append(where)
    return dict(found)


# -- saying it ---------------------------------------------------------------------

def explain(story, found):
    """A few of each kind, with all that is known of the request and what was done around it."""
    answered = sum(1 for asked in story.asked.values() if asked.status)
    lines = [f"{len(story.asked)} asked, {answered} answered, {len(story.begun)} begun, "
             f"{len(story.access)} with an access record, {len(story.app)} with an app record"]
    for what, places in found.items():
        lines.append(f"{len(places)} x {what}")
        for place in places[:SHOWN]:
            lines += [f"    {line}" for line in request_lines(story, place)]
    return "\n".join(lines)


def request_lines(story, place):
    asked = story.asked.get(place)
    if not asked:
        return [place]
    ending = f"answered {asked.status} as {asked.request_id}" if asked.status else f"no answer: {asked.error}"
    lines = [f"{asked.id} {asked.deed} {clock(asked.begun)} to {clock(asked.ended)}, {ending}"]
    if begun := story.begun.get(place):
        lines.append(f"    begun by {begun.pid} as {begun.request_id}, its log call gave {begun.logged}")
    for record in [*story.access.get(place, ()), *story.app.get(place, ())]:
        known = {name: value for name, value in record.items() if not name.startswith("__")}
        lines.append(f"    {clock(int(record['__REALTIME_TIMESTAMP']) / 1e6)} {known}")
    around = [f"    {clock(at)} {text}" for at, text in story.log if asked.begun - NEAR < at < asked.ended + NEAR]
    return lines + around


def clock(at):
    return time.strftime("%H:%M:%S", time.localtime(at)) + f".{int(at % 1 * 1e6):06}"
