# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Flask application in the installed service: every record of logging is one entry of the journal, whatever dies."""
import collections
import signal
import time
from pathlib import Path

import pytest

from lib import packages
from lib.container import Container
from lib.service import Service
from lib.wait import wait_until

SHOP = Path(__file__).parent.parent / "apps" / "wsgi" / "shop.py"
CONFIGURATION = "[server]\nworkers = 4\nthreads = 2\n"
USE_SHOP = "[app shop]\ntype = wsgi\nmodule = shop:app\nchdir = /srv/shop\n"


@pytest.fixture(name="shop", scope="module")
def a_shop(suite):
    built = packages.debs(suite)
    with Container(suite, kind="python") as container:
        service = Service(container, built)
        service.install()
        container.install(built.deb("appsrv-wsgi"))
        container.copy_in(SHOP, "/srv/shop/shop.py")
        service.configure(CONFIGURATION, USE_SHOP)
        yield service.begin()


def records_of(shop, number, since):
    """The application's own records of an order, once all three are there."""
    def there():
        found = [record for record in shop.records("RECORD=app", since=since) if f"order {number} " in record["MESSAGE"]]
        return found if len(found) >= 3 else None
    return wait_until(there, 20, f"the records of order {number}")


def test_records_say_where_they_come_from(shop):
    since = shop.mark()
    answer = shop.ask("/order?n=17")
    assert answer.body == b"order 17\n"
    begins, fails, ends = records_of(shop, 17, since)
    assert begins["MESSAGE"] == "order 17 begins" and begins["ORDER"] == "17" and begins["PRIORITY"] == "6"
    assert ends["MESSAGE"] == "order 17 ends" and "ORDER" not in ends
    assert fails["PRIORITY"] == "3" and fails["EXCEPTION"] == "LookupError"
    lines = fails["MESSAGE"].split("\n")
    assert lines[:2] == ["order 17 has no price", "Traceback (most recent call last):"] and lines[-1] == "LookupError: no price of 17"
    [access] = [record for record in shop.wait_for_access_records(1, since) if record["REQUEST_ID"] == answer.request_id]
    for record in (begins, fails, ends):
        assert record["REQUEST_ID"] == answer.request_id and record["APP"] == "shop" and record["LOGGER"] == "shop.orders"
        assert record["CODE_FILE"] == "/srv/shop/shop.py" and record["CODE_FUNC"] == "order" and int(record["CODE_LINE"]) > 20
        assert record["WORKER_PID"] == access["WORKER_PID"] and record["THREAD"]
    assert shop.container.journal_text("-u", "appsrv", "LOGGER=shop.orders", "CODE_FUNC=order", "ORDER=17", "-o", "cat").strip() == "order 17 begins"


def orders(shop, number, during=lambda: None):
    """Asks for so many orders; returns the ids of those that were answered."""
    with shop.load(threads=6, keep_alive=True, count=number, target="/order?n={id}") as load:
        during()
    return {answer.id for answer in load.ledger if answer.status == 200}


def count(shop, since, answered):
    """How often each of the three records of each answered order is in the journal, once nothing comes any more."""
    def all_there():
        seen = collections.Counter(record["MESSAGE"].split("\n")[0] for record in shop.records("RECORD=app", since=since)
                                   if "REPLAYED" not in record)
        expected = {f"order {number} {what}" for number in answered for what in ("begins", "has no price", "ends")}
        return seen if expected <= set(seen) else None
    return wait_until(all_there, 60, "every record of every answered order")


@pytest.mark.seconds(300)
def test_no_record_is_lost_or_doubled_or_torn(shop):
    since = shop.mark()
    answered = orders(shop, 2000)
    assert len(answered) == 2000
    seen = count(shop, since, answered)
    assert set(seen.values()) == {1} and len(seen) == 6000
    for record in shop.records("EXCEPTION=LookupError", since=since):
        lines = record["MESSAGE"].split("\n")
        assert lines[1] == "Traceback (most recent call last):" and lines[-1].startswith("LookupError: no price of ")


@pytest.mark.seconds(300)
def test_no_record_of_an_answered_request_is_lost_when_workers_are_killed(shop):
    since = shop.mark()

    def kill():
        for _ in range(5):
            time.sleep(0.3)
            shop.container.kill(shop.workers()[0], signal.SIGKILL)
    answered = orders(shop, 2000, kill)
    assert len(answered) > 1900
    seen = count(shop, since, answered)
    assert set(seen.values()) == {1}
    assert len(shop.events("worker-died", since)) == 5
