# SPDX-License-Identifier: LGPL-2.1-or-later
"""The units and the catalog, judged by systemd's own tools."""
import re

UNITS = ("appsrv.socket", "appsrv-admin.socket", "appsrv-https.socket", "appsrv.service")


def exposure(service):
    said = service.container.run("systemd-analyze", "security", "--no-pager", "appsrv.service").stdout
    return float(re.search(r"Overall exposure level for appsrv\.service: ([0-9.]+)", said)[1])


def test_units_verify_without_a_word(service):
    # manual pages are left out of the verification, not of the package: the containers have no man
    done = service.container.run("systemd-analyze", "verify", "--man=no", *UNITS)
    assert done.stdout + done.stderr == ""


def test_units_verify_with_each_drop_in(fresh_service):
    """The examples that the package brings, as an administrator puts them there."""
    listed = fresh_service.container.run("dpkg", "-L", "appsrv").stdout.split()
    examples = [name for name in listed if name.endswith(".conf") and "/examples/" in name]
    assert len(examples) >= 3
    for name in examples:
        fresh_service.drop_in(fresh_service.container.path(name).read_text(), name.rsplit("/", 1)[1])
        done = fresh_service.container.run("systemd-analyze", "verify", "--man=no", *UNITS)
        assert done.stdout + done.stderr == "", name


def test_exposure_is_low_by_default(service):
    assert exposure(service) <= 1.3


def test_sealed_exposure_is_minimal_and_it_serves(fresh_service):
    listed = fresh_service.container.run("dpkg", "-L", "appsrv").stdout.split()
    sealed = next(name for name in listed if name.endswith("/sealed.conf"))
    fresh_service.drop_in(fresh_service.container.path(sealed).read_text(), "sealed.conf")
    fresh_service.begin()
    assert exposure(fresh_service) <= 0.3
    assert fresh_service.ask("/").status == 200


def test_every_event_of_the_journal_has_a_catalog_entry(service):
    service.begin()
    events = service.records("RECORD=event")
    assert {"master-ready", "worker-ready"} <= {event["EVENT"] for event in events}
    for identifier in {event["MESSAGE_ID"] for event in events}:
        assert "Subject:" in service.container.run("journalctl", "--dump-catalog", identifier).stdout


def test_nothing_but_records_is_in_the_journal_of_a_healthy_life(fresh_service):
    fresh_service.begin()
    assert fresh_service.ask("/").status == 200
    fresh_service.container.systemctl("reload", "appsrv.service")
    fresh_service.container.systemctl("stop", "appsrv.service")
    strange = [entry["MESSAGE"] for entry in fresh_service.records()
               if "RECORD" not in entry and entry["_PID"] != "1"]
    assert strange == []
    loud = [entry["MESSAGE"] for entry in fresh_service.records() if int(entry["PRIORITY"]) <= 4]
    assert loud == []
    assert fresh_service.container.property("appsrv.service", "Result") == "success"
