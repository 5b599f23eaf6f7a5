# SPDX-License-Identifier: LGPL-2.1-or-later
"""The verdict on the recorder sees each thing that can be wrong, and nothing where all is right."""
import pytest

from lib.verdict import Asked, Begun, Death, Story, explain, judge


def plain_story():
    """Three requests: one is answered, one crashes its worker, one is cut when another worker is killed."""
    asked = [Asked("a", "/work?id=a", True, 200, "", 1, 2, 200, "RA"),
             Asked("b", "/work?id=b&do=segv", True, 200, "segv"), Asked("c", "/work?id=c", True, 200)]
    begun = {"a": Begun(10, "RA", 0), "b": Begun(10, "RB", 0), "c": Begun(11, "RC")}
    base = {"RECORD": "access", "HTTP_METHOD": "GET", "REMOTE_ADDR": "127.0.0.1", "__REALTIME_TIMESTAMP": "1"}
    records = [
        {**base, "REQUEST_ID": "RA", "MESSAGE": "GET /work?id=a HTTP/1.1 200", "HTTP_STATUS": "200", "OUTCOME": "ok",
         "WORKER_PID": "10"},
        {**base, "REQUEST_ID": "RB", "MESSAGE": "GET /work?id=b&do=segv HTTP/1.1 503", "HTTP_STATUS": "503",
         "OUTCOME": "worker-died", "WORKER_PID": "10"},
        {**base, "REQUEST_ID": "RC", "MESSAGE": "GET /work?id=c HTTP/1.1 503", "HTTP_STATUS": "503",
         "OUTCOME": "worker-died", "WORKER_PID": "11"},
        {"RECORD": "app", "WORK_ID": "a", "REQUEST_ID": "RA", "MESSAGE": "work", "__REALTIME_TIMESTAMP": "1"},
        {"RECORD": "app", "WORK_ID": "b", "REQUEST_ID": "RB", "MESSAGE": "work", "__REALTIME_TIMESTAMP": "1"},
        {"RECORD": "event", "EVENT": "worker-died", "WORKER_PID": "10", "SIGNAL": "SEGV", "MESSAGE": "Worker 1 died",
         "REQUEST_ID": "RB"},
        {"RECORD": "event", "EVENT": "worker-died", "WORKER_PID": "11", "SIGNAL": "KILL", "MESSAGE": "Worker 2 died",
         "REQUEST_ID": "RC"},
    ]
    return Story({each.id: each for each in asked}, begun, records, [Death(10, "SEGV", 1), Death(11, "KILL", 1)])


def lose(story, *numbers):
    for number in sorted(numbers, reverse=True):
        del story.records[number]


def add(story, number, **fields):
    story.records.append({**story.records[number], **fields})


def tell_loss(story, **lost):
    story.records.append({"RECORD": "event", "EVENT": "log-lost", "MESSAGE": "lost", "WORKER_PID": "10", **lost})


WRONG = {
    "answered-request-is-missing": (
        "no access record", lambda story: lose(story, 0)),
    "begun-request-is-missing": (
        "no access record", lambda story: lose(story, 2)),
    "app-record-is-missing": (
        "no app record", lambda story: lose(story, 3)),
    "status-differs": (
        "another status", lambda story: story.records[0].update(HTTP_STATUS="500")),
    "request-id-differs": (
        "another REQUEST_ID than the client", lambda story: story.records[0].update(REQUEST_ID="RX")),
    "request-id-of-an-unanswered-request-differs": (
        "another REQUEST_ID than the application", lambda story: story.records[2].update(REQUEST_ID="RX")),
    "outcome-does-not-fit-the-answer": (
        "does not fit", lambda story: story.records[0].update(OUTCOME="shutdown")),
    "crash-is-recorded-as-ok": (
        "not named", lambda story: story.records[1].update(OUTCOME="ok")),
    "crash-without-a-peer": (
        "not named", lambda story: story.records[1].pop("REMOTE_ADDR")),
    "access-record-twice": (
        "several access records", lambda story: add(story, 0)),
    "app-record-twice": (
        "several app records", lambda story: add(story, 3)),
    "loss-is-told-but-nothing-is-missing": (
        "told as lost that are there", lambda story: tell_loss(story, LOST_ACCESS="1")),
    "loss-of-another-class-is-told": (
        "no access record", lambda story: (lose(story, 0), tell_loss(story, LOST_APP="1"))),
    "one-loss-more-is-told": (
        "told as lost that are there", lambda story: (lose(story, 0), tell_loss(story, LOST_ACCESS="2"))),
    "one-loss-less-is-told": (
        "no access record", lambda story: (lose(story, 0, 2), tell_loss(story, LOST_ACCESS="1"))),
    "refused-app-record-is-there": (
        "was refused and is there", lambda story: setattr(story.begun["a"], "logged", -105)),
    "death-is-not-told": (
        "told by 0 events", lambda story: lose(story, 5)),
    "death-is-told-twice": (
        "told by 2 events", lambda story: add(story, 6, MESSAGE="Worker 2 died again")),
    "death-with-another-signal": (
        "another cause", lambda story: story.records[6].update(SIGNAL="SEGV")),
    "death-names-no-request": (
        "does not name", lambda story: story.records[5].pop("REQUEST_ID")),
    "death-names-another-request": (
        "does not name", lambda story: story.records[6].update(REQUEST_ID="RX")),
    "death-names-a-request-of-another-worker": (
        "of another worker", lambda story: story.records[6].update(REQUEST_ID=["RC", "RB"])),
    "death-names-a-request-that-was-answered": (
        "did not end", lambda story: story.records[5].update(REQUEST_ID=["RA", "RB"])),
    "gentle-change-fails-a-request": (
        "although nothing was killed", lambda story: setattr(story, "gentle", True)),
}

RIGHT = {
    "nothing-done": lambda story: None,
    "marked-copy": lambda story: add(story, 0, REPLAYED="1"),
    "marked-copy-alone": lambda story: story.records[0].update(REPLAYED="1"),
    "two-marked-copies": lambda story: (story.records[0].update(REPLAYED="1"), add(story, 0)),
    "marked-copy-of-an-event": lambda story: add(story, 6, REPLAYED="1"),
    "loss-is-told": lambda story: (lose(story, 0), tell_loss(story, LOST_ACCESS="1")),
    "loss-is-told-by-a-marked-copy-alone": lambda story: (lose(story, 0),
                                                          tell_loss(story, LOST_ACCESS="1", REPLAYED="1")),
    "refused-app-record-is-counted": lambda story: (setattr(story.begun["a"], "logged", -105), lose(story, 3),
                                                    tell_loss(story, LOST_APP="1")),
    "last-byte-left-before-the-death": lambda story: (story.records[0].update(OUTCOME="worker-died"),
                                                      story.records[5].update(REQUEST_ID=["RA", "RB"])),
    "record-of-a-named-request-is-lost": lambda story: (lose(story, 2), tell_loss(story, LOST_ACCESS="1")),
    "request-that-nobody-saw": lambda story: story.asked.update(d=Asked("d", "/work?id=d", True)),
}


@pytest.mark.parametrize("name", WRONG)
def test_verdict_sees_what_is_wrong(name):
    story = plain_story()
    story.may_lose = True
    kind, doctor = WRONG[name]
    doctor(story)
    found = judge(story)
    assert [what for what in found if kind in what], found
    assert kind in explain(story, found)


@pytest.mark.parametrize("name", RIGHT)
def test_verdict_accepts_what_is_right(name):
    story = plain_story()
    story.may_lose = True
    RIGHT[name](story)
    assert judge(story) == {}


def test_verdict_accepts_no_loss_where_all_should_fit():
    story = plain_story()
    lose(story, 0)
    tell_loss(story, LOST_ACCESS="1")
    assert list(judge(story)) == ["losses are told, where all should have fitted the buffer"]
