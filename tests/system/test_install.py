# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package as a user installs it: what is there, what it serves at once, and what is left when it goes."""
import concurrent.futures
import re

from lib.service import USE_PROBE
from lib.wait import wait_until

MULTIARCH = r"/usr/lib(64)?(/[a-z0-9_]+-linux-gnu[a-z0-9]*)?"
FILES = (r"/usr/bin/appsrv", MULTIARCH + r"/appsrv/welcome\.so", r"/etc/appsrv/appsrv\.ini",
         r"(/usr)?/lib/systemd/system/appsrv\.socket", r"(/usr)?/lib/systemd/system/appsrv\.service",
         r"/usr/lib/systemd/catalog/appsrv\.catalog", r"/usr/share/man/man8/appsrv\.8\.gz")


def test_package_brings_its_files(fresh_service):
    listed = fresh_service.container.run("dpkg", "-L", "appsrv").stdout.splitlines()
    absent = [pattern for pattern in FILES if not any(re.fullmatch(pattern, name) for name in listed)]
    assert not absent, listed


def test_socket_is_enabled_and_service_is_not_started_on_its_own(fresh_service):
    systemctl = fresh_service.container.systemctl
    assert systemctl("is-enabled", "appsrv.socket").stdout.strip() == "enabled"
    assert systemctl("is-active", "appsrv.service", check=False).stdout.strip() == "inactive"


def test_first_requests_start_the_service_and_are_answered(fresh_service):
    fresh_service.container.systemctl("start", "appsrv.socket")
    with concurrent.futures.ThreadPoolExecutor(8) as clients:
        answers = list(clients.map(lambda _: fresh_service.ask("/"), range(8)))
    assert [answer.status for answer in answers] == [200] * 8
    # the workers answer before the last of them is ready, and so before systemd takes the service for started
    wait_until(lambda: fresh_service.container.property("appsrv.service", "ActiveState") == "active", 10, "started")
    records = fresh_service.access_records()
    assert {record["REQUEST_ID"] for record in records} == {answer.request_id for answer in answers}
    assert {record["APP"] for record in records} == {"welcome"}


def test_service_tells_systemd_its_status(fresh_service):
    fresh_service.begin()
    # told at most once a second
    wait_until(lambda: re.match(r"\d+ workers? \(", fresh_service.container.property("appsrv.service", "StatusText")), 10,
               "the status counts the workers")


def test_welcome_application_gives_way_to_a_configured_one(fresh_service):
    fresh_service.begin()
    welcome = fresh_service.ask("/")
    fresh_service.configure("", application=USE_PROBE)
    fresh_service.container.systemctl("reload", "appsrv.service")
    answer = fresh_service.ask("/")
    assert (welcome.status, answer.status) == (200, 200)
    assert answer.body != welcome.body
    assert [record["APP"] for record in fresh_service.access_records()] == ["welcome", "probe"]


def test_application_built_with_the_development_package_is_served(fresh_service):
    example = "/srv/example/example.so"
    fresh_service.container.copy_in(fresh_service.built.application("example"), example)
    fresh_service.configure("", application=f"[app example]\ntype = native\npath = {example}\nmount = /\n")
    fresh_service.begin()
    assert fresh_service.ask("/").status == 200
    assert [record["APP"] for record in fresh_service.access_records()] == ["example"]


def test_new_version_is_installed_under_load_without_a_failed_request(fresh_service):
    fresh_service.configure()
    fresh_service.begin()
    before = fresh_service.master()
    with fresh_service.load(threads=2) as load:
        load.wait_for_answers(50)
        fresh_service.container.run("apt-get", "install", "-q", "-y", "--reinstall",
                                    f"/var/tmp/{fresh_service.built.deb('appsrv').name}")
        load.wait_for_answers(50)
    assert load.failed == []
    assert fresh_service.master() != before


def test_purge_leaves_nothing(fresh_service):
    container = fresh_service.container
    fresh_service.begin()
    assert fresh_service.ask("/").status == 200
    container.run("apt-get", "purge", "-q", "-y", "appsrv")
    assert container.systemctl("is-active", "appsrv.socket", check=False).returncode != 0
    assert not container.path("/etc/appsrv").exists()
    assert not container.path("/usr/bin/appsrv").exists()
    assert container.run("find", "/etc/systemd", "-name", "appsrv*").stdout == ""
