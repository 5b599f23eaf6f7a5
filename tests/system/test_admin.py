# SPDX-License-Identifier: LGPL-2.1-or-later
"""The admin socket as an administrator switches it on: it comes and goes with the service, and never starts it."""
import os
import socket
import stat

import pytest

from lib.client import Connection
from lib.service import USE_PROBE
from lib.wait import wait_until

SOCKET = "/run/appsrv-admin.socket"


class Unix(Connection):
    """To a unix socket inside of the container."""

    def __init__(self, path):  # pylint: disable=super-init-not-called
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        folder = os.open(os.path.dirname(path), os.O_PATH)
        try:  # the whole path may be longer than an address has room for
            self.socket.connect(f"/proc/self/fd/{folder}/{os.path.basename(path)}")
        finally:
            os.close(folder)
        self._left = b""


def test_ready_and_live_beside_the_clients(fresh_service):
    container, systemctl = fresh_service.container, fresh_service.container.systemctl

    def ask(target):
        with Unix(str(container.path(SOCKET))) as connection:
            return connection.ask(target)

    fresh_service.configure(application=USE_PROBE)
    assert systemctl("is-enabled", "appsrv-admin.socket", check=False).stdout.strip() == "disabled"
    fresh_service.begin()
    assert not container.path(SOCKET).exists()
    systemctl("enable", "appsrv-admin.socket")
    systemctl("restart", "appsrv.service")
    assert (ask("/ready").body, ask("/live").body) == (b"ready\n", b"live\n")
    assert stat.S_IMODE(container.path(SOCKET).stat().st_mode) == 0o660
    assert fresh_service.ask("/").status == 200
    systemctl("reload", "appsrv.service")
    assert ask("/ready").status == 200

    systemctl("stop", "appsrv.service")
    with pytest.raises(OSError):
        ask("/ready")
    assert systemctl("is-active", "appsrv.service", check=False).stdout.strip() == "inactive"
    assert fresh_service.ask("/").status == 200  # a client starts it, and the other socket with it
    wait_until(lambda: ask("/ready").status == 200, 10, "it is ready")

    container.run("apt-get", "purge", "-q", "-y", "appsrv")
    assert systemctl("is-active", "appsrv-admin.socket", check=False).returncode != 0
    assert container.run("find", "/etc/systemd", "-name", "appsrv*.socket").stdout == ""
