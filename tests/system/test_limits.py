# SPDX-License-Identifier: LGPL-2.1-or-later
"""The time that systemd gives a start, and an application that needs more."""
from lib.service import FOUR_WORKERS, PROBE, UNIT
from lib.wait import wait_until

DROP_IN = f"/etc/systemd/system/{UNIT}.d/60-limit.conf"
SLOW = f"[app probe]\ntype = native\npath = {PROBE}\nstart_delay_ms = 4000\n"


def test_application_that_loads_longer_than_a_start_may_take(service):
    container = service.container
    service.configure(FOUR_WORKERS, SLOW)
    service.drop_in("[Service]\nTimeoutStartSec=2s\n", "60-limit.conf")
    try:
        container.systemctl("restart", "--no-block", UNIT)
        told = wait_until(lambda: (text := container.property(UNIT, "StatusText")) and "loading" in text and text, 10,
                          "the status names the application")
        assert "0 of 4 workers ready, loading application probe" in told
        assert container.property(UNIT, "ActiveState") == "activating"
        wait_until(lambda: container.property(UNIT, "ActiveState") == "active", 30, "it has loaded")
        assert container.property(UNIT, "NRestarts") == "0" and service.ask("/").status == 200
    finally:
        container.path(DROP_IN).unlink()
        container.systemctl("daemon-reload")
