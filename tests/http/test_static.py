# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files served by a static application: what is found, what is not, and which bytes of it are sent."""
import os
import random
import stat
import subprocess
import time
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path

import pytest

from lib.client import Incomplete
from lib.identity import Identity
from lib.processes import bytes_written, descriptors
from lib.serving import Serving
from lib.wait import wait_until

PAGE = b"<!DOCTYPE html>\n<title>home</title>\n"
TEXT = bytes(range(ord("a"), ord("z") + 1))
BIG = 20_000_000
HOUR = 3600


def configuration(root, more="", mount="/"):
    return f"[server]\nworkers = 1\nthreads = 2\n[app files]\ntype = static\nroot = {root}\nmount = {mount}\n{more}"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with something of everything."""
    root = tmp_path_factory.mktemp("site")
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.txt").write_text("secret")
    files = {
        "index.html": PAGE, "letters.txt": TEXT, "empty.txt": b"", "style.css": b"p{}", "app.js": b"x()",
        "picture.png": b"\x89PNG", "unknown.zzzz": b"?", "README": b"?", ".hidden": b"h", ".git/config": b"h",
        "sub/index.html": b"sub", "sub/.env": b"h", "plain/file.txt": b"x", "a b/100%/c&d.txt": b"odd",
        "coded.css": b"original", "coded.css.br": b"br", "coded.css.gz": b"gzip",
        "stale.css": b"original", "stale.css.gz": b"old", "private.txt": b"p",
    }
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    an_hour_ago = time.time() - HOUR
    for path in root.rglob("*"):
        if path.is_file():
            os.utime(path, (an_hour_ago, an_hour_ago))
    os.utime(root / "stale.css.gz", (an_hour_ago - 10, an_hour_ago - 10))
    (root / "inside-link.txt").symlink_to("letters.txt")
    (root / "sub" / "up-link.txt").symlink_to("../letters.txt")
    (root / "outside-link.txt").symlink_to(outside / "secret.txt")
    (root / "relative-link.txt").symlink_to(f"../{outside.name}/secret.txt")
    (root / "outside").symlink_to(outside)
    (root / "loop").symlink_to("loop")
    (root / "nowhere").symlink_to("missing")
    os.mkfifo(root / "pipe")
    os.mknod(root / "socket", stat.S_IFSOCK | 0o600)
    return root


@pytest.fixture(scope="module")
def server(build, site, tmp_path_factory):
    with Serving(build, tmp_path_factory.mktemp("server"), configuration(site)) as running:
        yield running


def test_file_arrives_with_what_describes_it(server):
    answer = server.ask("/letters.txt")
    assert (answer.status, answer.body) == (200, TEXT)
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["content-length"] == "26"
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["etag"].startswith('"') and answer.headers["last-modified"].endswith(" GMT")
    assert "cache-control" not in answer.headers
    server.wait_for_line("/letters.txt", "HTTP_STATUS=200", "RESPONSE_BYTES=26")


@pytest.mark.parametrize("name, expected", [
    ("index.html", "text/html; charset=utf-8"), ("style.css", "text/css; charset=utf-8"), ("picture.png", "image/png"),
    ("unknown.zzzz", "application/octet-stream"), ("README", "application/octet-stream")])
def test_types(server, name, expected):
    assert server.ask(f"/{name}").headers["content-type"] == expected


def test_index_of_a_folder(server):
    assert server.ask("/").body == PAGE
    assert server.ask("/").headers["content-type"] == "text/html; charset=utf-8"
    assert server.ask("/sub/").body == b"sub"
    assert server.ask("/plain/").status == 404


@pytest.mark.parametrize("target, location", [
    ("/sub", "/sub/"), ("/sub?a=b", "/sub/?a=b"), ("/a%20b/100%25", "/a%20b/100%25/"), ("/plain/../sub", "/sub/")])
def test_folder_without_its_slash_is_redirected(server, target, location):
    answer = server.ask(target)
    assert (answer.status, answer.headers["location"]) == (301, location)


def test_redirect_whose_location_is_too_long_for_a_header(server):
    assert server.ask("/sub?" + "a" * 8150).status == 414


@pytest.mark.parametrize("target", [
    "/missing", "/missing/", "/letters.txt/", "/letters.txt/x", "/.hidden", "/.git/config", "/sub/.env", "/%2ehidden",
    "//sub", "//sub/", "/sub//index.html", "/sub//", "/%2Fsub", "/%5Csub", "/pipe", "/socket", "/loop", "/nowhere",
    "/outside-link.txt", "/relative-link.txt", "/outside/secret.txt", "/outside/", "/outside", "/" + "n" * 300,
    "/" + "n/" * 3000])
def test_not_found(server, target):
    answer = server.ask(target)
    assert answer.status == 404 and b"secret" not in answer.body


def test_paths_that_leave_the_root_are_refused_before(server):
    for target in ("/../etc/passwd", "/%2e%2e/etc/passwd", "/sub/../../etc/passwd", "/..%2fetc/passwd", "/a%00b"):
        assert server.exchange(f"GET {target} HTTP/1.1\r\nHost: a\r\n\r\n".encode()).startswith(b"HTTP/1.1 400 ")


def test_links_within_the_root_are_followed(server):
    assert server.ask("/inside-link.txt").body == TEXT
    assert server.ask("/sub/up-link.txt").body == TEXT


def test_odd_names_are_decoded_once(server):
    assert server.ask("/a%20b/100%25/c&d.txt").body == b"odd"
    assert server.ask("/a%20b/100%2525/c&d.txt").status == 404


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_is_forbidden(server, site):
    (site / "private.txt").chmod(0)
    assert server.ask("/private.txt").status == 403


@pytest.mark.parametrize("value, status, body, content_range", [
    ("bytes=0-0", 206, b"a", "bytes 0-0/26"), ("bytes=2-4", 206, b"cde", "bytes 2-4/26"),
    ("bytes=20-", 206, b"uvwxyz", "bytes 20-25/26"), ("bytes=-3", 206, b"xyz", "bytes 23-25/26"),
    ("bytes=-100", 206, TEXT, "bytes 0-25/26"), ("bytes=24-999", 206, b"yz", "bytes 24-25/26"),
    (" bytes=0-0 \t", 206, b"a", "bytes 0-0/26"), ("BYTES=0-0", 206, b"a", "bytes 0-0/26"),
    ("bytes=26-", 416, None, "bytes */26"),
    ("bytes=-0", 416, None, "bytes */26"), ("bytes=99999999999999999999999-", 416, None, "bytes */26"),
    ("bytes=0-1,4-5", 200, TEXT, None), ("bytes=4-2", 200, TEXT, None), ("bytes=a-b", 200, TEXT, None),
    ("bytes=", 200, TEXT, None), ("bytes=-", 200, TEXT, None), ("lines=0-1", 200, TEXT, None)])
def test_ranges(server, value, status, body, content_range):
    answer = server.ask("/letters.txt", headers=[("Range", value)])
    assert (answer.status, answer.headers.get("content-range")) == (status, content_range)
    assert body is None or answer.body == body


def test_range_of_an_empty_file(server):
    assert server.ask("/empty.txt").body == b""
    assert server.ask("/empty.txt", headers=[("Range", "bytes=0-")]).status == 416
    assert server.ask("/empty.txt", headers=[("Range", "bytes=-5")]).status == 200


def test_conditions(server):
    plain = server.ask("/letters.txt")
    tag, date = plain.headers["etag"], plain.headers["last-modified"]
    before, after = formatdate(time.time() - 2 * HOUR, usegmt=True), formatdate(time.time(), usegmt=True)
    for headers, status in (
            ({"If-None-Match": tag}, 304), ({"If-None-Match": f'"x", W/{tag}'}, 304), ({"If-None-Match": "*"}, 304),
            ({"If-None-Match": '"x"'}, 200), ({"If-Modified-Since": date}, 304), ({"If-Modified-Since": after}, 304),
            ({"If-Modified-Since": before}, 200), ({"If-Modified-Since": "yesterday"}, 200),
            ({"If-None-Match": '"x"', "If-Modified-Since": date}, 200),
            ({"If-Match": tag}, 200), ({"If-Match": "*"}, 200), ({"If-Match": '"x"'}, 412),
            ({"If-Match": f"W/{tag}"}, 412), ({"If-None-Match": f"{tag} "}, 304), ({"If-Modified-Since": f"{date} "}, 304),
            ({"If-Unmodified-Since": date}, 200), ({"If-Unmodified-Since": before}, 412),
            ({"If-Match": tag, "If-Unmodified-Since": before}, 200), ({"If-Match": '"x"', "If-None-Match": tag}, 412),
            ({"Range": "bytes=0-1", "If-Range": tag}, 206), ({"Range": "bytes=0-1", "If-Range": date}, 206),
            ({"Range": "bytes=0-1", "If-Range": '"x"'}, 200), ({"Range": "bytes=0-1", "If-Range": before}, 200),
            ({"Range": "bytes=0-1", "If-None-Match": tag}, 304)):
        answer = server.ask("/letters.txt", headers=list(headers.items()))
        assert answer.status == status, headers
        if status == 304:
            assert answer.headers["etag"] == tag and "content-type" not in answer.headers
            # RFC 9110 8.6: no other length than that of the 200
            assert answer.headers.get("content-length", "26") == "26"


def test_head_says_the_same_without_the_body(server):
    with server.connect() as connection:
        got = connection.ask("/letters.txt")
        head = connection.ask("/letters.txt", method="HEAD", headers=[("Range", "bytes=0-1")])
        assert head.status == 200
        for name in ("content-length", "content-type", "etag", "last-modified"):
            assert head.headers[name] == got.headers[name]
        assert connection.ask("/letters.txt").body == TEXT


def test_other_methods(server):
    for method in ("POST", "PUT", "DELETE", "PATCH", "PROPFIND"):
        answer = server.ask("/letters.txt", method=method)
        assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    answer = server.ask("/letters.txt", method="OPTIONS")
    assert (answer.status, answer.headers["allow"]) == (204, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("accept, coding", [
    ("gzip, br", "br"), ("gzip", "gzip"), ("x-gzip", "gzip"), ("br", "br"), ("*", "br"), ("gzip, br;q=0.5", "gzip"),
    ("br;q=0, *", "gzip"), ("br;q=0, gzip;q=0", None), ("identity", None), ("identity;q=1, gzip;q=0.5", None),
    ("deflate", None), ("", None)])
def test_precompressed(server, accept, coding):
    answer = server.ask("/coded.css", headers=[("Accept-Encoding", accept)] if accept else [])
    assert answer.headers.get("content-encoding") == coding
    assert answer.body.decode() == (coding or "original")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["etag"].endswith(f'-{coding}"' if coding else '"')


def test_precompressed_file_that_is_older_is_not_taken(server):
    answer = server.ask("/stale.css", headers=[("Accept-Encoding", "gzip")])
    assert (answer.body, answer.headers.get("content-encoding")) == (b"original", None)


def test_settings(start, site):
    more = "listing = yes\nprecompressed = no\nmax_age = 60\nindex =\n"
    with start(configuration(site, more, "/assets")) as server:
        answer = server.ask("/assets/coded.css", headers=[("Accept-Encoding", "gzip")])
        assert answer.body == b"original" and "vary" not in answer.headers
        assert answer.headers["cache-control"] == "max-age=60"
        assert server.ask("/assets").headers["location"] == "/assets/"
        assert server.ask("/letters.txt").status == 404
        page = server.ask("/assets/sub/").body.decode()
        assert '<a href="index.html">' in page and '<a href="../">' in page
        assert '<a href="../">' not in server.ask("/assets/").body.decode()


def test_listing_is_sorted_and_escaped(start, tmp_path):
    root = tmp_path / "<root>"
    (root / "zfolder").mkdir(parents=True)
    for name in ('b"<img src=x>&\'.txt', "javascript:alert(1)", ".hidden", "a#?.txt", "é"):
        (root / name).touch()
    os.mkfifo(root / "pipe")
    with start(configuration(root, "listing = yes\n")) as server:
        answer = server.ask("/")
        page = answer.body.decode()
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert [line for line in page.splitlines() if line.startswith("<li>")] == [
            '<li><a href="a%23%3F.txt">a#?.txt</a></li>',
            '<li><a href="b%22%3Cimg%20src%3Dx%3E%26%27.txt">b&#34;&#60;img src=x&#62;&#38;&#39;.txt</a></li>',
            '<li><a href="javascript%3Aalert%281%29">javascript:alert(1)</a></li>',
            '<li><a href="zfolder/">zfolder/</a></li>',
            '<li><a href="%C3%A9">é</a></li>']
        with server.connect() as connection:
            head = connection.ask("/", method="HEAD")
            assert head.headers["content-length"] == str(len(answer.body))


def test_listing_is_bounded(start, tmp_path):
    root = tmp_path / "crowd"
    root.mkdir()
    for number in range(10_001):
        (root / f"{number:05}").touch()
    with start(configuration(root, "listing = yes\n")) as server:
        page = server.ask("/").body
        assert page.count(b"<li>") == 10_000 and b"There are more" in page


def test_big_file_arrives_whole(start, tmp_path):
    content = random.Random(1).randbytes(BIG)
    (tmp_path / "big.bin").write_bytes(content)
    with start(configuration(tmp_path)) as server, server.connect() as connection:
        assert connection.ask("/big.bin").body == content
        part = connection.ask("/big.bin", headers=[("Range", f"bytes={BIG // 2}-")])
        assert (part.status, part.body == content[BIG // 2:]) == (206, True)
        server.wait_for_line("HTTP_STATUS=206", f"RESPONSE_BYTES={BIG - BIG // 2}")


def test_descriptors_are_given_back(start, site):
    with start(configuration(site)) as server:
        worker = server.workers()[0]
        with server.connect() as connection:
            assert connection.ask("/letters.txt").status == 200
            before = len(descriptors(worker))
            for _ in range(20):
                for target in ("/letters.txt", "/coded.css", "/sub", "/sub/", "/pipe", "/plain/"):
                    for headers in ([], [("If-Match", '"x"')], [("If-None-Match", "*")], [("Range", "bytes=99-")]):
                        connection.ask(target, headers=[("Accept-Encoding", "gzip"), *headers])
            wait_until(lambda: len(descriptors(worker)) <= before, 5, "descriptors are closed")


def test_every_connection_may_have_a_file(start, tmp_path):
    (tmp_path / "big.bin").touch()
    os.truncate(tmp_path / "big.bin", 10 * BIG)
    with start(configuration(tmp_path), wrapper=("prlimit", "--nofile=300:4096")) as server, ExitStack() as downloads:
        for _ in range(300):
            connection = downloads.enter_context(server.connect())
            connection.send(b"GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection._until(b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")
        assert server.ask("/big.bin", headers=[("Range", "bytes=0-0")]).status == 206


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_file_cut_while_it_is_sent_breaks_only_that_connection(start, tmp_path):
    big = tmp_path / "big.bin"
    big.touch()
    os.truncate(big, 10 * BIG)  # more than the buffers of both sockets take
    # what is missing never comes, so the connection is one on which nothing moves
    config = configuration(tmp_path) + "[http]\nsend_timeout = 2s\n"
    with start(config) as server, server.connect() as slow:
        slow.send(b"GET /big.bin HTTP/1.1\r\nHost: a\r\n\r\n")
        slow._until(b"\r\n\r\n")
        os.truncate(big, 1000)
        workers = server.workers()
        used = cpu_seconds(workers[0])
        with pytest.raises((Incomplete, ConnectionError)):
            slow._exactly(10 * BIG)
        assert cpu_seconds(workers[0]) - used < 1
        assert server.ask("/big.bin").body == bytes(1000)
        assert server.workers() == workers


def test_client_that_leaves_in_the_middle(start, tmp_path):
    (tmp_path / "big.bin").write_bytes(b"x" * BIG)
    with start(configuration(tmp_path)) as server:
        workers = server.workers()
        with server.connect() as connection:
            connection.send(b"GET /big.bin?left HTTP/1.1\r\nHost: a\r\n\r\n")
            connection._until(b"\r\n\r\n")
        assert "client-abort" in server.wait_for_line("big.bin?left")
        assert server.workers() == workers
        assert server.ask("/big.bin", headers=[("Range", "bytes=0-9")]).body == b"x" * 10


@pytest.mark.parametrize("lines, words", [
    ("", ":1: [app a] root: missing"), ("root = www\n", ":3: [app a] root: 'www'"),
    ("root = /nonexistent\n", ":3: [app a] root: /nonexistent: No such file"),
    ("root = /etc/passwd\n", ":3: [app a] root: /etc/passwd: Not a directory"),
    ("root = /\nlisting = perhaps\n", ":4: [app a] listing: 'perhaps'"),
    ("root = /\nmax_age = 1h\n", ":4: [app a] max_age: '1h'"),
    ("root = /\nindex = a/b\n", ":4: [app a] index: 'a/b'"),
    ("root = /\nprecompresed = no\n", "did you mean 'precompressed'?")])
def test_configuration_is_checked(build, tmp_path, lines, words):
    file = Path(tmp_path) / "appsrv.ini"
    file.write_text(f"[app a]\ntype = static\n{lines}", encoding="utf-8")
    done = subprocess.run([build.program, "check", "-c", file], capture_output=True, text=True, check=False)
    assert done.returncode == 78 and words in done.stderr, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


@pytest.mark.parametrize("network", ["tcp", "tls"])
def test_file_goes_by_sendfile_where_nothing_is_encrypted(build, tmp_path, network):
    """The kernel counts what sendfile() moves as written, and what is sent to a socket not at all."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "big.bin").write_bytes(b"x" * BIG)
    identity = Identity(tmp_path) if network == "tls" else None
    with Serving(build, tmp_path, configuration(site), identity=identity) as server:
        [worker] = server.workers()
        before = bytes_written(worker)
        assert len(server.ask("/big.bin").body) == BIG
        assert len(server.ask("/big.bin", headers=[("Range", f"bytes={BIG // 2}-")]).body) == BIG // 2
        written = bytes_written(worker) - before
        # its log is written, too
        assert written < BIG // 4 if identity else written >= BIG + BIG // 2
