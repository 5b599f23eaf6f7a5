# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every request leaves exactly one access record, whose fields nobody but the server decides."""
import collections
import re

import pytest

from lib.wait import wait_until

SUPPRESSED = "a596d6fe7bfa4994828e72309e95d61e"
LARGE = 200_000


def unique_id(record):
    found = re.search(r"[?&]id=([0-9a-f]{32})", record["MESSAGE"])
    return found and found[1]


def test_20000_requests_leave_their_20000_records(service):
    since = service.mark()
    with service.load(threads=4, keep_alive=True, count=12_000) as lasting, \
         service.load(threads=4, keep_alive=False, count=8_000) as single:
        pass
    answers = lasting.ledger + single.ledger
    assert lasting.failed + single.failed == []
    asked = {answer.id: answer.request_id for answer in answers}
    assert len(asked) == 20_000

    records = service.access_records(since)
    recorded = collections.Counter(map(unique_id, records))
    assert not asked.keys() - recorded.keys(), "records are lost"
    assert not recorded.keys() - asked.keys(), "records of requests that nobody sent"
    assert set(recorded.values()) == {1}, "records occur twice"
    # what the client was told leads to the record
    assert {unique_id(record): record["REQUEST_ID"] for record in records} == asked

    by_worker = collections.defaultdict(set)
    for record in records:
        assert record["WORKER_PID"] == record["_PID"]
        assert record["HTTP_STATUS"] == "200" and record["OUTCOME"] == "ok" and record["PRIORITY"] == "6"
        by_worker[record["WORKER_PID"]].add(unique_id(record))
    assert set(by_worker) == {str(pid) for pid in service.workers()}
    for pid, ids in by_worker.items():
        found = service.records("RECORD=access", f"WORKER_PID={pid}", since=since)
        assert len(found) == len(ids) and set(map(unique_id, found)) == ids
        assert {(record["WORKER_ID"], record["GENERATION"]) for record in found} == \
               {(found[0]["WORKER_ID"], found[0]["GENERATION"])}
    assert service.container.journal(f"MESSAGE_ID={SUPPRESSED}") == []


def test_access_record_has_the_fields_of_the_schema(service):
    since = service.mark()
    answer = service.ask("/?a=b")
    [record] = service.access_records(since)
    assert re.fullmatch(r"GET /\?a=b HTTP/1\.1 200 \d+B \d+us 127\.0\.0\.1", record["MESSAGE"])
    assert record["RESPONSE_BYTES"] == str(len(answer.body))
    expected = {"SYSLOG_IDENTIFIER": "appsrv", "RECORD": "access", "APP": "probe", "HTTP_METHOD": "GET",
                "HTTP_STATUS": "200", "REMOTE_ADDR": "127.0.0.1", "REQUEST_ID": answer.request_id, "OUTCOME": "ok"}
    assert {name: record.get(name) for name in expected} == expected
    assert record["HTTP_HOST"] == "localhost"
    assert int(record["DURATION_USEC"]) > 0


# -- nothing that comes from outside forges a field or an entry --------------------

FORGERY = "\n\nMESSAGE=forged\nFORGED=1\nPRIORITY=0\nWORKER_PID=1\n_PID=1\n"


def get(target, *headers):
    lines = [b"GET " + target + b" HTTP/1.1", b"Host: localhost", b"Connection: close", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n"


PERCENT = "".join(f"%{byte:02X}" for byte in FORGERY.encode()).encode()
HOSTILE_HEADS = {
    "newlines-in-the-target": get(b"/" + FORGERY.encode()),
    "escaped-newlines-in-the-target": get(b"/?id=" + PERCENT),
    "escaped-newlines-in-the-path": get(b"/" + PERCENT),
    "nul-in-the-target": get(b"/a\0b"),
    "0xff-in-the-target": get(b"/\xff\xfe?\xff"),
    "escape-sequences-in-the-target": get(b"/\x1b[2J\x07"),
    "bare-newline-in-a-header": get(b"/", b"User-Agent: a" + FORGERY.encode()),
    "folded-header": get(b"/", b"User-Agent: a\r\n MESSAGE=forged\r\n FORGED=1"),
    "nul-in-a-header": get(b"/", b"User-Agent: a\0b\nFORGED=1"),
    "0xff-in-a-header": get(b"/", b"User-Agent: \xff\xfe"),
    "newlines-in-the-host": b"GET / HTTP/1.1\r\nHost: a\nFORGED=1\r\nConnection: close\r\n\r\n",
    "newlines-in-the-request-id": get(b"/", b"X-Request-ID: a" + FORGERY.encode()),
    "newlines-in-the-method": b"GE\nFORGED=1\nT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    "large-target": get(b"/?" + b"a" * LARGE),
    "large-header": get(b"/", b"User-Agent: " + b"a" * LARGE),
}


@pytest.mark.parametrize("name", HOSTILE_HEADS)
def test_hostile_head_forges_nothing(service, name):
    since = service.mark()
    service.exchange(HOSTILE_HEADS[name])
    wait_until(lambda: service.access_records(since), 10, "the record")
    # what a later request leaves comes behind all that this one could have left
    control = service.ask("/?control")
    service.container.wait_for_entry(f"REQUEST_ID={control.request_id}")
    records = service.access_records(since)
    assert len([record for record in records if record["REQUEST_ID"] != control.request_id]) == 1
    assert_nothing_forged(service, since)


BODIES = {
    "newlines": FORGERY.encode(),
    "entry-after-a-blank-line": b"first\n\nMESSAGE=forged\nFORGED=1",
    "nul": b"a\0b\n\0",
    "0xff": b"\xff\xfe\n\xff",
    "large": b"x\nFORGED=1\n" + b"y" * LARGE,
    "larger-than-a-datagram": b"x\nFORGED=1\n" + b"z" * 500_000,
    "looks-like-a-length": b"\nMESSAGE\n" + (7).to_bytes(8, "little") + b"forged\n\n",
}


@pytest.mark.parametrize("name", BODIES)
def test_hostile_application_message_is_one_record_as_it_is(service, name):
    since = service.mark()
    answer = service.ask("/log", method="POST", body=BODIES[name])
    assert answer.status == 200
    record = service.container.wait_for_entry("RECORD=app", f"REQUEST_ID={answer.request_id}")
    assert as_bytes(record["MESSAGE"]) == BODIES[name]
    assert len(service.records("RECORD=app", since=since)) == 1
    assert len(service.access_records(since)) == 1
    assert_nothing_forged(service, since)


def as_bytes(value):
    return value if isinstance(value, bytes) else value.encode()


def assert_nothing_forged(service, since):
    container = service.container
    assert container.journal("FORGED=1", since=since) == []
    assert container.journal("MESSAGE=forged", since=since) == []
    for record in service.records(since=since):
        twice = [field for field, value in record.items() if isinstance(value, list)]
        assert not twice, record
        assert record["PRIORITY"] != "0"
        assert record.get("RECORD") == "event" or record.get("WORKER_PID", record["_PID"]) == record["_PID"]
