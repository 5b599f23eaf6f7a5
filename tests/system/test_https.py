# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTPS as an administrator switches it on: a credential, a setting, the other socket unit."""
import ssl

import pytest

from lib.client import Server
from lib.identity import Identity
from lib.service import USE_PROBE

SETTINGS = "[tls]\ncertificate = site.pem\nkey = site.key\n"
CREDENTIALS = "[Service]\nLoadCredential=site.pem:/etc/appsrv/site.pem\nLoadCredential=site.key:/etc/appsrv/site.key\n"


def give_identity(service, folder, name):
    """A new certificate, in files that only root can read. Returns how to ask with trust in it alone."""
    identity = Identity(folder, name)
    service.container.write_file("/etc/appsrv/site.pem", identity.certificate.read_text(), 0o600)
    service.container.write_file("/etc/appsrv/site.key", identity.key.read_text(), 0o600)
    return Server(8443, service.container.network, context=identity.trusted())


def test_https_beside_http(fresh_service, tmp_path):
    systemctl = fresh_service.container.systemctl
    assert systemctl("is-enabled", "appsrv-https.socket", check=False).stdout.strip() == "disabled"
    https = give_identity(fresh_service, tmp_path, "first")
    fresh_service.configure(SETTINGS, application=USE_PROBE)
    fresh_service.drop_in(CREDENTIALS)
    systemctl("enable", "--now", "appsrv-https.socket")
    fresh_service.begin()
    assert https.ask("/echo").status == fresh_service.ask("/echo").status == 200
    assert b"https" in https.ask("/echo").body

    # from the socket alone, too: what comes first starts the service
    systemctl("stop", "appsrv.service")
    assert https.ask("/").status == 200

    renewed = give_identity(fresh_service, tmp_path, "second")
    systemctl("restart", "appsrv.service")  # systemd 252 reads credentials when it starts a service
    assert renewed.ask("/").status == 200
    with pytest.raises(ssl.SSLCertVerificationError):
        https.ask("/")

    fresh_service.container.run("apt-get", "purge", "-q", "-y", "appsrv")
    assert systemctl("is-active", "appsrv-https.socket", check=False).returncode != 0
    assert fresh_service.container.run("find", "/etc/systemd", "-name", "appsrv*.socket").stdout == ""


def test_without_a_certificate_it_says_what_is_missing(fresh_service):
    fresh_service.configure("", application=USE_PROBE)
    fresh_service.container.systemctl("start", "appsrv-https.socket")
    assert fresh_service.container.systemctl("start", "appsrv.service", check=False).returncode != 0
    told = fresh_service.wait_for_event("config-refused")
    assert "[tls] certificate: the value is missing, a listener is https" in told["PROBLEMS"]
