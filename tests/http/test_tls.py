# SPDX-License-Identifier: LGPL-2.1-or-later
"""Encrypted listeners: what is offered, who is let in, which certificate is shown, and how they are replaced."""
import contextlib
import functools
import os
import re
import signal
import socket
import ssl
import subprocess
import time

import pytest

from lib import builds
from lib.client import Connection, Incomplete, Load
from lib.identity import Identity
from lib.serving import Serving, free_port
from lib.wait import wait_until

TWO = "[server]\nworkers = 2\nthreads = 2\n"
ONE = "[server]\nworkers = 1\nthreads = 2\n[http]\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("identities")


@pytest.fixture(scope="module")
def identity(folder):
    return Identity(folder)


@pytest.fixture(scope="module")
def authority(folder):
    return Identity(folder, "authority", "/CN=authority", names=("DNS:authority",), usage=None)


@pytest.fixture
def start(build, tmp_path, identity):
    """As usual, but encrypted."""
    return functools.partial(Serving, build, tmp_path, identity=identity)


def tls(certificate, key, more=""):
    return f"[tls]\ncertificate = {certificate}\nkey = {key}\n{more}"


def s_client(server, *arguments):
    """What openssl tells of a handshake."""
    done = subprocess.run(["openssl", "s_client", "-connect", "{}:{}".format(*server.address), *arguments],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
    return done.stdout + done.stderr


def cipher(told):
    """The suite of a handshake; "(NONE)": there was none."""
    return re.search(r"Cipher is (\S+)", told)[1]


def shown(server, name=None, context=None):
    """The names in the certificate that a client is shown who asks for a name."""
    context = context or ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(server.address, timeout=10) as plain, \
            context.wrap_socket(plain, server_hostname=name) as encrypted:
        certificate = encrypted.getpeercert(binary_form=True)
    text = subprocess.run(["openssl", "x509", "-inform", "der", "-noout", "-subject", "-nameopt", "multiline"],
                          input=certificate, capture_output=True, timeout=10, check=True).stdout.decode()
    return re.search(r"commonName\s*= (.*)", text)[1]


def has_ended(server, context):
    """Whether a handshake fails, or the connection is over before an answer comes."""
    try:
        with Connection(server.address, 10, context) as connection:
            connection.ask("/")
    except TimeoutError:
        return False
    except (OSError, Incomplete):  # which of them depends on when the alert arrives
        return True
    return False


# -- what is offered -------------------------------------------------------------------

def test_versions(start):
    with start(ONE) as server:
        for version in ("-tls1", "-tls1_1"):
            assert cipher(s_client(server, version, "-cipher", "ALL:@SECLEVEL=0")) == "(NONE)"
        for version in ("-tls1_2", "-tls1_3"):
            assert cipher(s_client(server, version)) != "(NONE)"


STRONG = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305")


def test_suites(start):
    """Of all that openssl has, only those with forward secrecy and authenticated encryption are taken."""
    known = subprocess.run(["openssl", "ciphers", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"], capture_output=True, text=True,
                           check=True, timeout=10).stdout.strip().split(":")
    weak = [name for name in known if not name.startswith("TLS_") and name not in STRONG]
    with start(ONE) as server:
        for name in STRONG:
            assert cipher(s_client(server, "-tls1_2", "-cipher", name)) == name
        assert len(weak) > 50
        assert cipher(s_client(server, "-tls1_2", "-cipher", ":".join(weak) + ":@SECLEVEL=0")) == "(NONE)"


def test_protocols(start):
    with start(ONE) as server:
        assert "ALPN protocol: http/1.1" in s_client(server, "-alpn", "h2,http/1.1")
        assert "ALPN" in s_client(server) and cipher(s_client(server)) != "(NONE)"
        assert cipher(s_client(server, "-alpn", "h2")) == "(NONE)"


def test_a_session_goes_on_with_any_worker(start, tmp_path):
    with start("[server]\nworkers = 4\n") as server:
        s_client(server, "-tls1_2", "-sess_out", tmp_path / "session")
        for _ in range(12):
            assert "Reused, TLSv1.2" in s_client(server, "-tls1_2", "-sess_in", tmp_path / "session")


def test_priorities_are_the_administrators(start, identity):
    with start(ONE + tls(identity.certificate, identity.key, "priorities = NORMAL:-VERS-ALL:+VERS-TLS1.2\n")) as server:
        assert cipher(s_client(server, "-tls1_3")) == "(NONE)"
        assert cipher(s_client(server, "-tls1_2")) != "(NONE)"


# -- requests -----------------------------------------------------------------------------

def test_requests(start):
    with start(TWO) as server, server.connect() as connection:
        told = connection.ask("/echo", method="POST", body=b"hello").body
        assert b"scheme: https\n" in told and b"tls.version: TLS1.3\n" in told and b"tls.subject" not in told
        body = os.urandom(5_000_000)
        assert connection.ask("/echo", method="POST", body=body).body.endswith(body)
        assert len(connection.ask("/large?bytes=5000000").body) == 5_000_000
        assert connection.ask("/stream?pieces=50&size=20000").body == b"x" * 1_000_000
        connection.send(b"GET /id HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
        assert [connection.receive().status for _ in range(20)] == [200] * 20
        wait_until(lambda: len(server.lines("OUTCOME=ok")) == 24, 10, "24 records")


def test_a_plain_listener_beside(start):
    plain = ("127.0.0.1", free_port())
    with start(TWO, arguments=("--listen", "{}:{}".format(*plain))) as server:
        with Connection(plain) as connection:
            assert b"scheme: http\n" in connection.ask("/echo").body
        assert b"scheme: https\n" in server.ask("/echo").body
        with Connection(server.address) as stranger:  # no TLS at all
            stranger.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert b"200" not in stranger.rest()
        with Load(server, threads=4, count=200) as encrypted:
            pass
        assert not encrypted.failed


def test_refusal_is_seen_by_a_client_that_sends_on(start):
    with start(ONE + "limit_request_body = 1m\n") as server, server.connect() as connection:
        answer = connection.ask("/echo", method="POST", body=bytes(30_000_000))
        assert (answer.status, answer.headers["connection"]) == (413, "close")


def test_files(start, tmp_path):
    content = os.urandom(3_000_000)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "big.bin").write_bytes(content)
    with start(f"{ONE}\n[app site]\ntype = static\nroot = {tmp_path}/site\n") as server, server.connect() as connection:
        assert connection.ask("/big.bin").body == content
        part = connection.ask("/big.bin", headers=[("Range", "bytes=2999990-")])
        assert (part.status, part.body) == (206, content[-10:])


# -- deadlines and records --------------------------------------------------------------------

def test_a_handshake_has_the_deadline_of_a_head(start):
    with start(ONE + "header_timeout = 1s\n") as server:
        with Connection(server.address) as silent, Connection(server.address) as slow:
            began = time.monotonic()
            slow.send(b"\x16\x03\x01\x02\x00")  # the header of a ClientHello
            slow.socket.settimeout(0.1)
            ended = None
            while not ended and time.monotonic() < began + 6:
                with contextlib.suppress(TimeoutError, ConnectionError):
                    ended = time.monotonic() - began if not slow.socket.recv(1) else None
                with contextlib.suppress(ConnectionError):
                    slow.send(b"\x01")
            assert 0.8 < ended < 2.5
            assert silent.rest() == b""
        assert server.ask("/").status == 200
        server.wait_for_line("GET / ")
        assert len(server.lines("RESPONSE_BYTES")) == 1  # there was one request


def test_a_connection_without_a_request_has_no_record(start):
    with start(ONE) as server:
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            server.context.minimum_version = server.context.maximum_version = version
            with server.connect() as idle:
                idle.socket.unwrap()
            with server.connect() as busy:
                assert busy.ask(f"/?{version.name}").status == 200
                with contextlib.suppress(OSError):
                    busy.socket.unwrap()
            server.wait_for_line(f"GET /?{version.name}")
        time.sleep(0.3)
        assert len(server.lines("RESPONSE_BYTES")) == 2


def test_a_head_that_is_not_finished_has_a_record(start):
    with start(ONE + "header_timeout = 1s\n") as server:
        with server.connect() as left:
            left.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
            time.sleep(0.2)
        server.wait_for_line("OUTCOME=client-abort")
        with server.connect() as slow:
            slow.send(b"GET / HTTP/1.1\r\nHost: a\r\n")
            assert slow.rest() == b""
        server.wait_for_line("OUTCOME=timeout")
        assert len(server.lines("RESPONSE_BYTES")) == 2


def test_slow_reader_is_cut(start):
    with start(ONE + "send_timeout = 1s\nminimum_rate = 1m\n") as server, server.connect() as slow:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.send(b"GET /large?bytes=50000000 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert "/large" in server.wait_for_line("OUTCOME=timeout", seconds=15)


def test_drain_serves_what_has_begun(start):
    with start(TWO) as server, server.connect() as idle, server.connect() as busy:
        assert idle.ask("/").status == 200
        busy.send(b"GET /sleep?ms=3000 HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: any("(1 busy)" in state for state in server.states()), 10, "busy")
        server.signal(signal.SIGTERM)
        answer = busy.receive()
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert idle.rest() == b""


# -- which certificate ------------------------------------------------------------------------------

def test_the_name_asked_for_decides(start, folder, identity):
    wild = Identity(folder, "wild", "/CN=wild", names=("DNS:b.example", "DNS:*.wild.example"))
    rsa = Identity(folder, "rsa", "/CN=rsa", names=("DNS:c.example",), key="rsa")
    config = tls(f"{identity.certificate}, {wild.certificate} ,{rsa.certificate}", f"{identity.key},{wild.key},{rsa.key}")
    with start(ONE + config) as server:
        told = {name: shown(server, name) for name in ("localhost", "b.example", "B.EXAMPLE", "x.wild.example",
                                                       "c.example", "wild.example", "other.example", None)}
        assert told == {"localhost": "localhost", "b.example": "wild", "B.EXAMPLE": "wild", "x.wild.example": "wild",
                        "c.example": "rsa", "wild.example": "localhost", "other.example": "localhost",
                        None: "localhost"}
        # a client that can check no other kind of key gets what it can
        told = s_client(server, "-tls1_2", "-sigalgs", "RSA+SHA256", "-servername", "none")
        assert re.search(r"subject=CN ?= ?rsa", told)


def test_key_in_the_file_of_the_certificate_and_issuers_behind_it(start, folder, authority, tmp_path):
    leaf = Identity(folder, "leaf", "/CN=leaf", issuer=authority)
    both = tmp_path / "both.pem"
    both.write_text(leaf.certificate.read_text() + authority.certificate.read_text() + leaf.key.read_text())
    with start(f"{ONE}[tls]\ncertificate = {both}\n", identity=authority) as server:
        assert server.ask("/").status == 200  # trusts the authority alone
        assert s_client(server, "-showcerts").count("BEGIN CERTIFICATE") >= 2


def test_names_of_credentials(start, identity, tmp_path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "tls.crt").write_bytes(identity.certificate.read_bytes())
    (tmp_path / "secrets" / "tls.key").write_bytes(identity.key.read_bytes())
    with start(ONE + tls("tls.crt", "tls.key"),
               wrapper=("env", f"CREDENTIALS_DIRECTORY={tmp_path}/secrets")) as server:
        assert server.ask("/").status == 200


# -- clients' certificates -------------------------------------------------------------------------------

def with_certificate(server_identity, client):
    context = server_identity.trusted()
    if client:
        context.load_cert_chain(client.certificate, client.key)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("wanted", ["optional", "required"])
def test_client_certificates(start, folder, identity, authority, wanted, version):
    client = Identity(folder, f"client-{wanted}-{version.name}", "/O=Example/CN=alice", issuer=authority)
    stranger = Identity(folder, f"stranger-{wanted}-{version.name}", "/CN=alice")
    for_servers = Identity(folder, f"server-{wanted}-{version.name}", "/CN=alice", issuer=authority, usage="serverAuth")
    config = tls(identity.certificate, identity.key,
                 f"client_certificate = {wanted}\nclient_ca = {authority.certificate}\n")

    def context(of):
        made = with_certificate(identity, of)
        made.minimum_version = made.maximum_version = version
        return made

    with start(ONE + config) as server:
        with Connection(server.address, 10, context(client)) as connection:
            for _ in range(2):
                assert b"tls.subject: CN=alice,O=Example\n" in connection.ask("/echo").body
        assert has_ended(server, context(stranger))
        assert has_ended(server, context(for_servers))
        if wanted == "required":
            assert has_ended(server, context(None))
        else:
            with Connection(server.address, 10, context(None)) as anonymous:
                assert b"tls.subject" not in anonymous.ask("/echo").body
        assert server.ask("/").status == 200 if wanted == "optional" else True


def test_a_client_that_is_not_asked_proves_nothing(start, folder, identity, authority):
    client = Identity(folder, "unasked", "/CN=alice", issuer=authority)
    with start(ONE) as server, Connection(server.address, 10, with_certificate(identity, client)) as connection:
        assert b"tls.subject" not in connection.ask("/echo").body


# -- reload ----------------------------------------------------------------------------------------------------

def test_reload_shows_the_new_certificate_and_loses_nothing(start, folder, tmp_path, identity):
    other = Identity(folder, "second", "/CN=second", names=("DNS:localhost", "IP:127.0.0.1"))
    certificate, key = tmp_path / "now.pem", tmp_path / "now.key"
    certificate.write_bytes(identity.certificate.read_bytes())
    key.write_bytes(identity.key.read_bytes())
    with start(TWO + tls(certificate, key)) as server:
        server.context.load_verify_locations(other.certificate)
        with Load(server, threads=2, keep_alive=True) as kept, Load(server, threads=2) as single:
            kept.wait_for_answers(20)
            certificate.write_bytes(other.certificate.read_bytes())
            key.write_bytes(other.key.read_bytes())
            told = len(server.states())
            server.signal(signal.SIGHUP)
            server.wait_for_state("READY=1", after=told)
            single.wait_for_answers(50)
            wait_until(lambda: shown(server, "localhost") == "second", 10, "the new certificate")
        assert not kept.failed and not single.failed, (kept.failed + single.failed)[:3]


def test_reload_with_a_bad_certificate_changes_nothing(start, folder, tmp_path, identity):
    certificate, key = tmp_path / "now.pem", tmp_path / "now.key"
    certificate.write_bytes(identity.certificate.read_bytes())
    key.write_bytes(identity.key.read_bytes())
    other = Identity(folder, "third", "/CN=third")
    with start(TWO + tls(certificate, key)) as server:
        certificate.write_bytes(other.certificate.read_bytes())
        server.signal(signal.SIGHUP)
        refused = server.wait_for_line("EVENT=config-refused")
        assert "not the key of the certificate" in refused and "appsrv.ini:" in refused
        # what was loaded serves on, also in a worker that has to be replaced
        victims = server.workers()
        for victim in victims:
            os.kill(victim, signal.SIGKILL)
        wait_until(lambda: len(server.workers()) == 2 and not set(victims) & set(server.workers()), 20, "successors")
        assert shown(server) == "localhost" and server.ask("/").status == 200


# -- settings that are wrong ------------------------------------------------------------------------------------------

def refusal(build, tmp_path, config, *listen):
    """What `serve` says when it does not start because of its configuration."""
    file = tmp_path / "bad.ini"
    file.write_text(f"{config}\n[app probe]\ntype = native\npath = {build.application('probe')}\n")
    done = subprocess.run([build.program, "serve", "-c", file, "--log", "console", *listen], capture_output=True,
                          text=True, timeout=20, check=False, stdin=subprocess.DEVNULL, env=builds.environment())
    assert done.returncode == 78, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_problems_are_told_where_they_are(build, tmp_path, folder, identity):
    other = Identity(folder, "mismatch", "/CN=other")
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate\n")
    listen = ("--listen", "https:127.0.0.1:1")

    def told(config, where):
        said = refusal(build, tmp_path, config, *listen)
        assert f"bad.ini:{where}: [tls] " in said, said
        return said

    assert "certificate: the value is missing" in refusal(build, tmp_path, "", *listen)
    assert "No such file" in told(tls("/nowhere/a.pem", identity.key), 2)
    assert "junk.pem" in told(tls(junk, identity.key), 2)
    assert "junk.pem" in told(tls(identity.certificate, junk), 3)
    assert "not the key of the certificate" in told(tls(identity.certificate, other.key), 3)
    assert "fewer keys" in told(tls(f"{identity.certificate},{other.certificate}", identity.key), 3)
    assert "more keys" in told(tls(identity.certificate, f"{identity.key},{other.key}"), 3)
    assert "LoadCredential" in told(tls("tls.crt", identity.key), 2)
    assert "priorities" in told(tls(identity.certificate, identity.key, "priorities = NORMAL:+NONSENSE\n"), 4)
    assert "none, optional or required" in told(tls(identity.certificate, identity.key, "client_certificate = x\n"), 4)
    said = refusal(build, tmp_path, tls(identity.certificate, identity.key, "client_certificate = required\n"),
                   *listen)
    assert "client_ca: the value is missing" in said
    assert "junk.pem" in told(tls(identity.certificate, identity.key,
                                  f"client_certificate = required\nclient_ca = {junk}\n"), 5)


def test_check_looks_at_certificates_where_it_can(build, tmp_path, identity):
    def check(config):
        file = tmp_path / "check.ini"
        file.write_text(f"{config}\n[app probe]\ntype = native\npath = {build.application('probe')}\n")
        return subprocess.run([build.program, "check", "-c", file], capture_output=True, text=True, timeout=20,
                              check=False, stdin=subprocess.DEVNULL, env=builds.environment())

    assert check(tls(identity.certificate, identity.key)).returncode == 0
    assert check(tls("tls.crt", "tls.key")).returncode == 0  # credentials are the unit's
    bad = check(tls(identity.certificate, "/nowhere/a.key"))
    assert bad.returncode == 78 and "check.ini:3: [tls] key: /nowhere/a.key: No such file" in bad.stderr
