# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Flask application in the installed service: every record of logging is one entry of the journal, whatever dies."""
import collections
import json
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


@pytest.mark.seconds(300)
def test_preload_under_load_whatever_dies(shop):
    """The template and workers are killed, the service is reloaded, then the master is killed: nobody waits, and each end is told."""
    def last(kind):
        return int(shop.events(f"{kind}-ready")[-1]["WORKER_PID"])

    def disturb():
        for kind in ("template", "worker", "template"):
            ready = len(shop.events(f"{kind}-ready"))
            shop.container.kill(last(kind), signal.SIGKILL)
            wait_until(lambda kind=kind, ready=ready: len(shop.events(f"{kind}-ready")) > ready, 20, "the next one is ready")
        shop.container.systemctl("reload", "appsrv")

    shop.configure(CONFIGURATION + "preload = yes\n", USE_SHOP)
    shop.begin()
    since = shop.mark()
    with shop.load(threads=4, target="/order?n={id}") as load:
        disturb()
        load.wait_for_answers(50)
    # a request that the killed worker had may be among them, and nothing else
    assert len(load.failed) <= 4
    assert len(shop.events("template-died", since)) == 2 and len(shop.events("reload-done", since)) == 1
    assert len(shop.events("worker-died", since)) == 1
    assert set(count(shop, since, {answer.id for answer in load.ledger if answer.status == 200}).values()) == {1}
    since = shop.mark()
    made = last("template")
    shop.container.kill(shop.master(), signal.SIGKILL)
    told = shop.wait_for_event("template-died", f"WORKER_PID={made}", since=since)
    assert told["CAUSE"] == "service-killed" and "WORKER_ID" not in told
    wait_until(lambda: shop.events("master-ready", since), 20, "it serves again")
    assert shop.ask("/order?n=1").status == 200


# -- examples and scripts -----------------------------------------------------------------------------

EXAMPLES = "/usr/share/doc/appsrv-wsgi/examples/python"


def use_example(shop, name, *, files):
    """The example's files in /srv and its configuration, as its comments tell, instead of the shop."""
    container = shop.container
    container.run("mkdir", "-p", f"/srv/{name}")
    container.run("cp", "-r", *[f"{EXAMPLES}/{file}" for file in files], f"/srv/{name}/")
    shop.configure(CONFIGURATION, container.path(f"{EXAMPLES}/{name}.ini").read_text(encoding="utf-8"))


def test_example_in_flask(shop):
    use_example(shop, "hello", files=["hello.py"])
    shop.begin()
    since = shop.mark()
    answer = shop.ask("/hello/you")
    assert answer.body == b"hello, you\n"
    record = shop.container.wait_for_entry("GUEST=you")
    assert record["MESSAGE"] == "said hello to you" and record["REQUEST_ID"] == answer.request_id and record["LOGGER"] == "hello"
    assert (record["CODE_FILE"], record["CODE_FUNC"]) == ("/srv/hello/hello.py", "hello")
    assert [entry["APP"] for entry in shop.wait_for_access_records(1, since)] == ["hello"]


def test_example_in_django(shop):
    use_example(shop, "mysite", files=["mysite/manage.py", "mysite/mysite", "mysite/static"])
    shop.container.write_file("/srv/mysite/secret.env", "MYSITE_KEY=" + "0123456789abcdef" * 4 + "\n", mode=0o600)
    shop.container.run("sh", "-c", "cd /srv/mysite && python3 manage.py collectstatic")
    shop.drop_in("[Service]\nEnvironmentFile=/srv/mysite/secret.env\n")
    assert "2 applications loaded" in shop.container.run("appsrv", "check").stdout
    shop.begin()
    since = shop.mark()
    answer, failed, style = [shop.ask(target) for target in ("/hello/you", "/fail", "/static/mysite/style.css")]
    assert b"hello, you" in answer.body and failed.status == 500 and style.headers["content-type"].startswith("text/css")
    assert sorted(record["APP"] for record in shop.wait_for_access_records(3, since)) == ["mysite", "mysite", "mysite-static"]
    greeting, traceback = wait_until(lambda: shop.records("RECORD=app", since=since)[1:] and shop.records("RECORD=app", since=since), 20, "two records")
    assert greeting["MESSAGE"] == "said hello to you" and greeting["GUEST"] == "you" and greeting["LOGGER"] == "mysite.urls"
    assert (greeting["CODE_FILE"], greeting["CODE_FUNC"]) == ("/srv/mysite/mysite/urls.py", "hello")
    assert traceback["MESSAGE"].startswith("Internal Server Error: /fail\nTraceback (most recent call last):\n")
    assert traceback["LOGGER"] == "django.request" and traceback["EXCEPTION"] == "LookupError" and traceback["REQUEST_ID"] == failed.request_id
    assert not shop.records("RECORD=output", since=since)
    shop.container.systemctl("reload", "appsrv")
    assert shop.ask("/hello/me").status == 200


KEYED = """
import os
KEY = open(os.path.join(os.environ["CREDENTIALS_DIRECTORY"], "key")).read()


def app(environ, start_response):
    start_response("200 OK", [])
    return [KEY.encode()]
"""


def test_reload_of_an_application_that_reads_a_credential_at_import(shop):
    shop.container.write_file("/etc/appsrv/key", "sesame", mode=0o600)
    shop.container.write_file("/srv/keyed/keyed.py", KEYED)
    shop.drop_in("[Service]\nLoadCredential=key:/etc/appsrv/key\n")
    shop.configure(CONFIGURATION, "[app keyed]\ntype = wsgi\nmodule = keyed:app\nchdir = /srv/keyed\n")
    shop.begin()
    shop.container.systemctl("reload", "appsrv")
    assert shop.ask("/").body == b"sesame"
    shop.container.write_file("/srv/keyed/keyed.py", KEYED.replace("KEY =", "KEY ==="))
    assert shop.container.systemctl("reload", "appsrv", check=False).returncode != 0
    assert shop.ask("/").body == b"sesame"


# -- virtual environments -----------------------------------------------------------------------------

WHERE = """
import importlib.util, json, sys
import sold


def app(environ, start_response):
    start_response("200 OK", [])
    found = {"sold": sold.VERSION, "prefix": sys.prefix, "flask": importlib.util.find_spec("flask") is not None,
             "beside": importlib.util.find_spec("beside") is not None, "ran": hasattr(sys, "line_of_pth_ran")}
    return [json.dumps(found).encode()]
"""
PTH = "/srv/goods/lib\nimport sys; sys.line_of_pth_ran = True\n"


def make_venv(shop, name, *options, there="/srv/goods"):
    """An environment of the container's Python with a package of its own, which the system has in another version."""
    container, folder = shop.container, f"{there}/{name}"
    container.run("python3", "-m", "venv", "--without-pip", *options, folder)
    packages = container.run("sh", "-c", f"echo {folder}/lib/python3.*/site-packages").stdout.strip()
    container.write_file("/usr/lib/python3/dist-packages/sold.py", "VERSION = 'of the system'\n")
    container.write_file(f"{packages}/sold.py", f"VERSION = 'of {name}'\n")
    container.write_file(f"{packages}/more.pth", PTH)
    container.write_file("/srv/goods/lib/beside.py", "")
    container.write_file(f"{there}/where.py", WHERE)
    return folder


def use_venv(shop, venv, *, there="/srv/goods"):
    shop.configure(CONFIGURATION, f"[app goods]\ntype = wsgi\nmodule = where:app\nchdir = {there}\nvirtualenv = {venv}\n")


def where(shop):
    answer = shop.ask("/")
    assert answer.status == 200
    return json.loads(answer.body)


def test_packages_of_a_virtual_environment(shop):
    plain, wide = make_venv(shop, "plain", "--symlinks"), make_venv(shop, "wide", "--copies", "--system-site-packages")
    for venv, flask in ((plain, False), (wide, True)):
        use_venv(shop, venv)
        assert "1 application loaded" in shop.container.run("appsrv", "check").stdout
        shop.begin()
        name = venv.rpartition("/")[2]
        assert where(shop) == {"sold": f"of {name}", "prefix": venv, "flask": flask, "beside": True, "ran": True}
    settings = shop.container.path(f"{wide}/pyvenv.cfg")
    settings.write_text(settings.read_text().replace("include-system-site-packages = true", "include-system-site-packages = false"))
    shop.container.systemctl("reload", "appsrv")
    assert where(shop)["flask"] is False


def refused_reload(shop):
    """Why, as the journal has it; the service that there was serves on."""
    before, since = where(shop), shop.mark()
    assert shop.container.systemctl("reload", "appsrv", check=False).returncode != 0
    assert where(shop) == before
    return shop.wait_for_event("app-failed", since=since)["MESSAGE"]


def test_what_is_no_virtual_environment_changes_nothing(shop):
    good, old = make_venv(shop, "good"), make_venv(shop, "old")
    shop.container.run("sh", "-c", f"mv {old}/lib/python3.* {old}/lib/python3.1 && ln -sf python3.1 {old}/bin/python3")
    use_venv(shop, good)
    shop.begin()
    for venv, why in (("/srv/goods/none", "/srv/goods/none/pyvenv.cfg: No such file or directory"), (old, f"{old} was not made for Python 3.")):
        use_venv(shop, venv)
        checked = shop.container.run("appsrv", "check", check=False)
        # [server], its two keys, [app goods], type, module, chdir
        assert checked.returncode == 78 and f"50-tests.ini:8: [app goods] virtualenv: {why}" in checked.stdout + checked.stderr
        assert f"Application goods cannot be started: virtualenv: {why}" in refused_reload(shop)


def test_virtual_environment_in_home_needs_a_drop_in(shop):
    good, hidden = make_venv(shop, "good"), make_venv(shop, "hidden", there="/home/ada")
    use_venv(shop, good)
    shop.begin()
    use_venv(shop, hidden, there="/home/ada")
    assert shop.container.run("appsrv", "check").returncode == 0  # root sees it
    assert refused_reload(shop).endswith(f"virtualenv: {hidden}/pyvenv.cfg: Permission denied; the unit hides /home (ProtectHome=), "
                                         "its drop-in home.conf shows it")
    [drop_in] = [name for name in shop.container.run("dpkg", "-L", "appsrv").stdout.split() if name.endswith("/home.conf")]
    shop.drop_in(shop.container.path(drop_in).read_text(), "home.conf")
    shop.begin()
    assert where(shop)["prefix"] == hidden
    shop.container.path("/home/ada").chmod(0o700)  # seen, and closed: the drop-in would not help
    assert "home.conf" not in refused_reload(shop)


SCRIPT = """
import logging.config, appsrv
logging.config.dictConfig({"version": 1, "handlers": {"journal": {"class": "appsrv.logging.JournalHandler"}}, "root": {"handlers": ["journal"]}})
logging.warning("no request: %s", appsrv.request_id())
"""


def test_scripts_without_the_server_find_its_package(shop):
    container = shop.container
    assert container.run("python3", "-c", SCRIPT).stderr == "no request: None\n"
    container.run("python3", "-m", "venv", "--without-pip", "/srv/venv")
    assert "No module named 'appsrv'" in container.run("/srv/venv/bin/python3", "-c", SCRIPT, check=False).stderr
    container.run("sh", "-c", "ln -s /usr/lib/python3/dist-packages/appsrv /srv/venv/lib/python3.*/site-packages/")
    assert container.run("/srv/venv/bin/python3", "-c", SCRIPT).stderr == "no request: None\n"


def test_package_goes_and_leaves_nothing(shop):
    """The last one: nothing that a script has compiled is left, either."""
    files = [name for name in shop.container.run("dpkg", "-L", "appsrv-wsgi").stdout.split() if "appsrv" in name]
    assert "/usr/lib/python3/dist-packages/appsrv/logging.py" in files
    assert "No such" not in shop.container.run("dpkg", "--remove", "appsrv-wsgi").stderr
    assert not [name for name in files if name.startswith("/usr/lib/python3") and shop.container.path(name).exists()]
    assert not [name for name in files if "/appsrv/python" in name and shop.container.path(name).exists()]
