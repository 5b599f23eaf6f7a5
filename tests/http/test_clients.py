# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that others have written: each gets what it asks for, and each of its requests has one record."""
import functools
import http.client
import os
import re
import shutil
import subprocess
import zlib

import pytest

from lib import elsewhere
from lib.chromium import page
from lib.identity import Identity
from lib.serving import Serving
from lib.wait import wait_until

CONFIG = "[server]\nworkers = 2\n[app site]\ntype = static\nroot = {site}\n" \
         "[app probe]\ntype = native\nmount = /probe\npath = {probe}\n"
ASSETS = 50


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A page with fifty assets that counts those that have come."""
    folder = tmp_path_factory.mktemp("site")
    tags = []
    for number in range(ASSETS):
        kind = ("js", "css", "png", "svg")[number % 4]
        name = f"asset{number}.{kind}"
        tags.append({"js": f'<script src="{name}"></script>', "css": f'<link rel="stylesheet" href="{name}">'}
                    .get(kind, f'<img src="{name}">'))
        (folder / name).write_bytes({
            "js": b"window.scripts = (window.scripts || 0) + 1;",
            "css": f"#s{number} {{ width: {number + 1}px }}".encode(),
            "png": picture(),
            "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>',
        }[kind])
        if kind == "css":
            tags.append(f'<div class="styled" id="s{number}" data-width="{number + 1}"></div>')
    (folder / "index.html").write_text("<!doctype html><title>assets</title>" + "".join(tags) + """
        <p id="result"></p><script>window.onload = () => {
            const all = selector => [...document.querySelectorAll(selector)];
            const pictures = all("img").filter(each => each.naturalWidth > 0).length;
            const styles = all(".styled").filter(each => each.offsetWidth == each.dataset.width).length;
            document.getElementById("result").textContent = "loaded " + (window.scripts + pictures + styles);
        }</script>""", encoding="utf-8")
    (folder / "large.bin").write_bytes(bytes(range(256)) * 8192)
    return folder


def picture():
    """A PNG of one pixel."""
    def chunk(kind, data):
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"\0\0\0\1\0\0\0\1\x08\0\0\0\0") \
        + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


@pytest.fixture(scope="module", params=[False, True], ids=["own-libraries", "newer-libraries"])
def begin(request, build, tmp_path_factory, site):
    """A function that makes a server, with this release's libraries or with those of the next one: begin(folder, ...)."""
    config = CONFIG.format(site=site, probe=build.application("probe"))
    wrapper = elsewhere.wrapper(build, tmp_path_factory.mktemp("root"), tmp_path_factory.getbasetemp()) if request.param else ()
    return functools.partial(Serving, build, config=config, wrapper=wrapper)


@pytest.fixture(scope="module")
def server(begin, tmp_path_factory):
    with begin(tmp_path_factory.mktemp("server")) as running:
        if begin.keywords["wrapper"]:  # from 1.0 on libmicrohttpd refuses this, without a word
            assert running.exchange(b"\nGET /probe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") == b""
        yield running


def url(server, path="/"):
    return "http://{}:{}{}".format(*server.address, path)


def run(*command, seconds=60, **options):
    if not shutil.which(command[0]):
        pytest.skip(f"{command[0]} is not installed")
    return subprocess.run([str(word) for word in command], capture_output=True, timeout=seconds, check=False,
                          **{"stdin": subprocess.DEVNULL, **options})


def records(server, *words):
    return len(server.lines("RESPONSE_BYTES=", *words))


# -- curl ----------------------------------------------------------------------------------

def curl(server, *arguments, path="/probe/echo", **options):
    """Status, and the body."""
    done = run("curl", "-sS", "-w", "\n%{http_code} %{num_connects}", *arguments, url(server, path), **options)
    assert done.returncode == 0, done.stderr
    body, _, told = done.stdout.rpartition(b"\n")
    return int(told.split()[0]), body


def test_curl_methods(server, site):
    assert curl(server)[0] == 200
    assert curl(server, "-0")[0] == 200  # HTTP/1.0
    status, head = curl(server, "-I", path="/large.bin")
    assert status == 200 and b"Content-Length: 2097152" in head
    for more in ([], ["-H", "Expect:"], ["-H", "Expect: 100-continue"]):
        status, body = curl(server, "--data-binary", f"@{site}/large.bin", *more)
        assert status == 200 and body.endswith((site / "large.bin").read_bytes())
    status, body = curl(server, "-T", "-", "-X", "POST", input=b"piece by piece", stdin=None)
    assert status == 200 and body.endswith(b"piece by piece") and b"transfer-encoding: chunked" in body.lower()


def test_curl_files(server, site):
    content = (site / "large.bin").read_bytes()
    assert curl(server, path="/large.bin") == (200, content)
    assert curl(server, "-r", "100-199", path="/large.bin") == (206, content[100:200])
    assert curl(server, "--compressed", path="/asset0.js")[0] == 200
    _, head = curl(server, "-I", path="/asset0.js")
    tag = re.search(rb'ETag: ("[^"]+")', head)[1].decode()
    assert curl(server, "-H", f"If-None-Match: {tag}", path="/asset0.js") == (304, b"")


def test_curl_keeps_its_connection(server):
    done = run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code} %{num_connects}\n", url(server), "-o", "/dev/null",
               url(server, "/probe/"), "-o", "/dev/null", url(server, "/nothing"))
    assert done.stdout.decode().split() == ["200", "1", "200", "0", "404", "0"]


def test_curl_over_tls(begin, tmp_path, site):
    identity = Identity(tmp_path)
    with begin(tmp_path, identity=identity) as server:
        address = "https://localhost:{}".format(server.address[1])
        done = run("curl", "-sS", "--cacert", identity.certificate, f"{address}/large.bin",
                   "--connect-to", "localhost::127.0.0.1:")
        assert done.stdout == (site / "large.bin").read_bytes(), done.stderr


# -- load --------------------------------------------------------------------------------------

def judge(server, told, count, target, cut=0):
    """As many records as requests; `cut` more when the client left in the middle of its last ones."""
    wait_until(lambda: records(server, f"GET {target} ", "OUTCOME=ok") >= count, 10, f"{count} records\n{told}")
    left = records(server, f"GET {target} ") - records(server, f"GET {target} ", "OUTCOME=ok")
    assert left <= cut, told


@pytest.mark.parametrize("keep", [[], ["-k"]], ids=["short", "kept"])
def test_ab(server, keep):
    target = "/probe/?ab" + "".join(keep)
    told = run("ab", "-q", *keep, "-n", 2000, "-c", 20, url(server, target)).stdout.decode()
    assert re.search(r"Complete requests: +2000", told) and re.search(r"Failed requests: +0\b", told), told
    assert "Non-2xx" not in told
    assert not keep or re.search(r"Keep-Alive requests: +2000", told), told
    judge(server, told, 2000, target)
    assert records(server, f"GET {target} ") == 2000


def test_h2load(server):
    told = run("h2load", "--h1", "-n", 2000, "-c", 20, url(server, "/probe/?h2load")).stdout.decode()
    assert "2000 succeeded, 0 failed, 0 errored, 0 timeout" in told and "2000 2xx" in told, told
    judge(server, told, 2000, "/probe/?h2load")


def test_wrk(server):
    told = run("wrk", "-d", "1s", "-c", 20, url(server, "/probe/?wrk")).stdout.decode()
    assert "Non-2xx" not in told and "Socket errors" not in told, told
    judge(server, told, int(re.search(r"(\d+) requests in", told)[1]), "/probe/?wrk", cut=20)


def test_python(server):
    connection = http.client.HTTPConnection(*server.address, timeout=20)
    for number in range(20):
        connection.request("POST", f"/probe/echo?python{number}", body=iter([b"a", b"b" * 70000]),
                           encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
        answer = connection.getresponse()
        assert (answer.status, answer.read()[-70001:]) == (200, b"a" + b"b" * 70000)
    connection.close()


# -- a browser ---------------------------------------------------------------------------------------

def browse(server, profile):
    """What the page says of itself when all of it was loaded."""
    shown = page(url(server), profile)
    found = re.search(rb"loaded (\d+)", shown)
    return int(found[1]) if found else shown


@pytest.fixture
def own_server(begin, tmp_path):
    with begin(tmp_path) as running:
        yield running


def test_browser(own_server, tmp_path):
    profile = tmp_path / "profile"
    profile.mkdir()
    assert browse(own_server, profile) == ASSETS
    wait_until(lambda: records(own_server, "GET /asset", "HTTP_STATUS=200") == ASSETS, 5, "one record each")
    assert records(own_server, "GET / ", "HTTP_STATUS=200") == 1
    # again, with what it kept: nothing is sent a second time
    assert browse(own_server, profile) == ASSETS
    assert records(own_server, "GET /asset", "HTTP_STATUS=200") == ASSETS
