# SPDX-License-Identifier: LGPL-2.1-or-later
"""httpbin, unchanged: every endpoint answers here as it does in Gunicorn, or the difference stands in a table with its reason."""
import copy
import hashlib
import http.client
import json
import re

import pytest

from lib.distribution import gunicorn, need, python
from lib.serving import Serving
from test_wsgi import the_plugin  # noqa: F401  pylint: disable=unused-import
from test_wsgi_projects import Project

CONFIG = "[server]\nworkers = 1\nthreads = 4\n[app httpbin]\ntype = wsgi\nmodule = httpbin:app\nmount = /\n"
HOST = ("Host", "example.org")

# of the server, not of the application; whether a body has a length or chunks is the server's to choose, too, but a length
# that both tell is compared
OF_THE_SERVER = {"date", "server", "connection", "x-request-id", "transfer-encoding", "content-length"}

# what httpbin draws anew or reads off the clock
VARYING = [re.compile(pattern) for pattern in (
    rb"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", rb'(?<=nonce=")[0-9a-f]+', rb'(?<=opaque=")[0-9a-f]+',
    rb"(?<=last-modified: )[^\n]+", rb"(?<=etag: )[0-9a-f]{32}\b", rb"(?s)(?<=^\x1f\x8b\x08\x00)....")]

JSON = ("Content-Type", "application/json")
FORM = ("Content-Type", "application/x-www-form-urlencoded")
PARTS = ("Content-Type", "multipart/form-data; boundary=part")
MULTIPART = (b'--part\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
             b'--part\r\nContent-Disposition: form-data; name="f"; filename="f.bin"\r\nContent-Type: x/y\r\n\r\n' + bytes(range(256)) +
             b"\r\n--part--\r\n")
CHUNKED = "chunked"


def basic(text):
    return "Authorization", f"Basic {text}"


def digest(target, algorithm, qop, password="passwd"):
    """The answer to a challenge, by RFC 7616 (auth-int hashes the body too, which is empty)."""
    def hashed(*parts):
        return getattr(hashlib, algorithm.replace("-", "").lower())(":".join(parts).encode()).hexdigest()
    entity = [hashed("")] if qop == "auth-int" else []
    secret = hashed(hashed("user", "realm", password), "abc", "00000001", "xyz", qop, hashed("GET", target, *entity))
    return ("Authorization", f'Digest username="user", realm="realm", nonce="abc", uri="{target}", algorithm={algorithm}, qop={qop}, '
                             f'nc=00000001, cnonce="xyz", response="{secret}"')


GET = [
    ("/",), ("/html",), ("/robots.txt",), ("/deny",), ("/ip",), ("/uuid",), ("/user-agent", ("User-Agent", "me/1")), ("/xml",), ("/json",),
    ("/headers", ("X-Mine", "1"), ("Accept-Language", "de"), ("Cookie", "a=1; b=2")), ("/encoding/utf8",), ("/forms/post",),
    ("/get",), ("/get?a=1&a=2&b=%E4%BD%A0&empty=&c",), ("/get?show_env=1", ("Via", "1.1 proxy")), ("/get?q=%2F%20+%26",),
    ("/anything",), ("/anything/deep/er?x=%25",), ("/anything/%E4%BD%A0%2Fa%20b",), ("/anything//double",),
    ("/gzip",), ("/deflate",), ("/brotli",), ("/gzip", ("Accept-Encoding", "gzip")),
    ("/redirect/1",), ("/redirect/3",), ("/redirect/2?absolute=true",), ("/redirect/0",), ("/relative-redirect/1",),
    ("/relative-redirect/2",), ("/absolute-redirect/1",), ("/absolute-redirect/2",), ("/redirect-to?url=/elsewhere",),
    ("/redirect-to?url=http://example.net/%E4%BD%A0&status_code=307",), ("/redirect-to",),
    ("/stream/1",), ("/stream/7?a=b",), ("/stream/100",), ("/stream/0",),
    *((f"/status/{code}",) for code in (200, 201, 202, 203, 204, 205, 206, 300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403, 404,
                                        405, 406, 407, 408, 409, 410, 412, 413, 415, 416, 417, 418, 428, 429, 431, 451, 500, 501, 502,
                                        503, 504, 505, 599)),
    ("/status/nothing",), ("/status/404:1,404:2",), ("/response-headers?X-One=1&X-Two=a&X-Two=b",),
    ("/response-headers?Content-Type=text/plain&Set-Cookie=a&Set-Cookie=b",), ("/response-headers?X-Latin=%C3%A9",),
    ("/cookies", ("Cookie", "a=1; b=two words; _gauges_unique=1")), ("/cookies?show_env=1", ("Cookie", "_gauges_unique=1")),
    ("/cookies/set/a/b",), ("/cookies/set?a=1&b=2",), ("/cookies/delete?a&b",),
    ("/basic-auth/user/passwd",), ("/basic-auth/user/passwd", basic("dXNlcjpwYXNzd2Q=")), ("/basic-auth/user/passwd", basic("bm86bm8=")),
    ("/hidden-basic-auth/user/passwd",), ("/hidden-basic-auth/user/passwd", basic("dXNlcjpwYXNzd2Q=")),
    ("/bearer",), ("/bearer", ("Authorization", "Bearer token")),
    ("/digest-auth/auth/user/passwd",), ("/digest-auth/auth/user/passwd?require-cookie=1",), ("/digest-auth/auth-int/user/passwd/SHA-256",),
    ("/digest-auth/auth/user/passwd/SHA-512/0",),
    ("/digest-auth/auth/user/passwd", digest("/digest-auth/auth/user/passwd", "MD5", "auth")),
    ("/digest-auth/auth/user/passwd", digest("/digest-auth/auth/user/passwd", "MD5", "auth", "wrong")),
    ("/digest-auth/auth/user/passwd/SHA-256", digest("/digest-auth/auth/user/passwd/SHA-256", "SHA-256", "auth")),
    ("/digest-auth/auth-int/user/passwd/SHA-512/2", digest("/digest-auth/auth-int/user/passwd/SHA-512/2", "SHA-512", "auth-int"),
     ("Cookie", "stale_after=2")),
    ("/digest-auth/auth/user/passwd/MD5/1", digest("/digest-auth/auth/user/passwd/MD5/1", "MD5", "auth"), ("Cookie", "stale_after=0")),
    ("/delay/0",), ("/delay/0.05",), ("/drip?duration=0.05&numbytes=5",), ("/drip?duration=0&numbytes=1000&code=206&delay=0.01",),
    ("/drip?numbytes=0",), ("/base64/SGVsbG8gd29ybGQ=",), ("/base64/no",),
    ("/cache",), ("/cache", ("If-None-Match", "x")), ("/cache", ("If-Modified-Since", "Sat, 28 Nov 2026 00:00:00 GMT")), ("/cache/60",),
    ("/etag/one",), ("/etag/one", ("If-None-Match", '"one", "two"')), ("/etag/one", ("If-None-Match", "*")),
    ("/etag/one", ("If-Match", '"two"')), ("/etag/one", ("If-Match", '"one"')),
    ("/bytes/0?seed=1",), ("/bytes/1000?seed=1",), ("/bytes/102400?seed=2",), ("/stream-bytes/1000?seed=1&chunk_size=7",),
    ("/stream-bytes/102400?seed=2",), ("/stream-bytes/0?seed=1",),
    ("/range/26",), ("/range/1000?chunk_size=10",), ("/range/26", ("Range", "bytes=5-9")), ("/range/26", ("Range", "bytes=20-")),
    ("/range/26", ("Range", "bytes=-5")), ("/range/26", ("Range", "bytes=30-40")), ("/range/26", ("Range", "bytes=9-5")), ("/range/0",),
    ("/range/20?duration=0.05&chunk_size=5",), ("/links/3/1",), ("/links/3",),
    ("/image",), ("/image", ("Accept", "image/webp")), ("/image", ("Accept", "image/svg+xml")), ("/image", ("Accept", "image/jpeg")),
    ("/image", ("Accept", "text/plain")), ("/image/png",), ("/image/jpeg",), ("/image/webp",), ("/image/svg",),
    ("/nothing-here",), ("/post",), ("/status",)]

BODIES = [(b"", ()), (b"plain \xff", ()), (b'{"a": [1, "\\u4f60"]}', (JSON,)), (b"a=1&a=2&b=%20x", (FORM,)), (MULTIPART, (PARTS,)),
          (b'{"a": 1}', (JSON, CHUNKED)), (b"a=1&b=2", (FORM, CHUNKED)), (MULTIPART, (PARTS, CHUNKED)), (bytes(300_000), ())]

REQUESTS = [
    *((method, target, headers, None) for target, *headers in GET for method in ("GET", "HEAD")),
    *(("OPTIONS", target, [("Origin", "http://example.net"), ("Access-Control-Request-Headers", "x-mine")], None)
      for target in {target.split("/")[1].split("?")[0]: target for target, *_ in GET}.values()),
    *((method, f"/{method.lower()}?q=1", list(headers), body) for method in ("POST", "PUT", "PATCH", "DELETE") for body, headers in BODIES),
    *((method, target, [JSON], b'{"a": 1}') for method in ("POST", "PUT", "PATCH", "DELETE")
      for target in ("/anything", "/anything/x", "/redirect-to?url=/x&status_code=303", "/status/404", "/status/201", "/get")),
    ("POST", "/response-headers?X-One=1", [], b""),
    ("GET", "/headers", [("X-Twice", "1"), ("X-Twice", "2")], None), ("GET", "/cookies", [("Cookie", "a=1"), ("Cookie", "b=2")], None),
    ("GET", "/headers", [("X_Underscore", "1"), ("X-Mine", "2")], None), ("TRACE", "/anything", [], None),
    ("GET", "/status/199", [], None), ("GET", "/status/600", [], None)]


def name_of(request):
    method, target, headers, body = request
    words = [": ".join(header) if isinstance(header, tuple) else header for header in headers]
    return " ".join([method, target, *(word[-40:] for word in words), *([f"{len(body)}B"] if body is not None else [])])


class Answered:
    """An answer, as it can be compared: what is the server's and what is drawn anew are not in it."""

    def __init__(self, status, headers, body):
        self.status = status
        self.length = next((value for name, value in headers if name.lower() == "content-length"), None)
        lines = sorted(f"{name.lower()}: {listed(name, value)}" for name, value in headers if name.lower() not in OF_THE_SERVER)
        self.head = varied("\n".join(lines).encode("latin-1")).decode("latin-1").split("\n")
        self.body = varied(body)

    def __eq__(self, other):
        return (self.status, self.head, self.body) == (other.status, other.head, other.body)

    def __repr__(self):
        return f"{self.status} {self.head} {self.body[:2000]!r}"

    def saying(self, change):
        """The same with another object in JSON, as Flask writes it."""
        other = copy.copy(self)
        value = json.loads(self.body)
        change(value)
        other.body = json.dumps(value, sort_keys=True, separators=(",", ":")).encode() + b"\n"
        return other


def listed(name, value):
    """Flask gives methods in the order of a set."""
    return ", ".join(sorted(value.split(", "))) if name.lower() == "allow" else value


def varied(text):
    for pattern in VARYING:
        text = pattern.sub(b"(varies)", text)
    return text


def ask(server, method, target, headers, body):
    connection = http.client.HTTPConnection(*server.address, timeout=30)
    try:
        return ask_on(connection, method, target, headers, body)
    finally:
        connection.close()


def ask_on(connection, method, target, headers, body):
    """By the client of Python's library, which keeps every line of a head."""
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    chunked = CHUNKED in headers
    for header in (HOST, *(header for header in headers if header != CHUNKED)):
        connection.putheader(*header)
    if body is not None:
        connection.putheader(*(("Transfer-Encoding", "chunked") if chunked else ("Content-Length", str(len(body)))))
    connection.endheaders([body[:3], body[3:]] if chunked else body, encode_chunked=chunked)
    with connection.getresponse() as response:
        return Answered(response.status, response.getheaders(), response.read())


def expected(peer, request):
    difference = DIFFERENCES.get(name_of(request))
    return difference(request, peer(request)) if difference else peer(request)


# -- what is different, and why ------------------------------------------------------------------

def without_chunks(request, theirs):
    """The body has arrived here, and nothing of its framing is left to tell but its length (RFC 3875, 4.1.2)."""
    def change(value):
        value["headers"].pop("Transfer-Encoding", None)
        value["headers"]["Content-Length"] = str(len(request[3]))
    return theirs.saying(change)


def joined(_, theirs):
    """RFC 9110, 5.3: by a comma and a space."""
    return theirs.saying(lambda value: value["headers"].update({"X-Twice": "1, 2"}))


def cookies_joined(_, theirs):
    """RFC 6265, 5.4: cookies are joined by a semicolon; a comma makes one cookie of two."""
    return theirs.saying(lambda value: value.update(cookies={"a": "1", "b": "2"}))


def without_underscore(_, theirs):
    """X_A and X-A would be one variable, so that a client could pass by what a proxy sets."""
    return theirs.saying(lambda value: value["headers"].pop("X-Underscore", None))


def without_trace(*_):
    """The server offers no TRACE: it would show a script the headers that the browser keeps from it (RFC 9110, 9.3.8)."""
    return Answered(405, [("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"), ("Content-Type", "text/plain; charset=utf-8")],
                    b"405 Method Not Allowed\nTRACE is not offered\n")


def no_final_status(*_):
    """1xx is no response, and there is no class 6 (RFC 9110, 15): an error of the application, told as one."""
    return Answered(500, [("Content-Type", "text/plain; charset=utf-8")], b"500 Internal Server Error\n")


DIFFERENCES = {
    **{name_of(request): without_chunks for request in REQUESTS if CHUNKED in request[2]},
    "GET /headers X-Twice: 1 X-Twice: 2": joined,
    "GET /cookies Cookie: a=1 Cookie: b=2": cookies_joined,
    "GET /headers X_Underscore: 1 X-Mine: 2": without_underscore,
    "TRACE /anything": without_trace,
    "GET /status/199": no_final_status,
    "GET /status/600": no_final_status,
}


@pytest.fixture(name="peer", scope="session")
def in_gunicorn(tmp_path_factory):
    """Asks Gunicorn, once for each request."""
    need("python3-httpbin", "httpbin")
    need("gunicorn", "gunicorn")
    known = {}
    with gunicorn("httpbin:app", tmp_path_factory.mktemp("gunicorn")) as server:
        def answered(request):
            name = name_of(request)
            if name not in known:
                known[name] = ask(server, *request)
            return known[name]
        yield answered


@pytest.fixture(name="httpbin", scope="module")
def here(build, tmp_path_factory, plugin, peer):
    with Serving(build, tmp_path_factory.mktemp("httpbin"), CONFIG) as server:
        yield server


@pytest.mark.parametrize("request_", REQUESTS, ids=name_of)
def test_answers_as_in_gunicorn(httpbin, peer, request_):
    mine, theirs = ask(httpbin, *request_), peer(request_)
    assert mine == expected(peer, request_)
    if name_of(request_) not in DIFFERENCES and None not in (mine.length, theirs.length):
        assert mine.length == theirs.length


def test_requests_have_names_of_their_own():
    assert len({name_of(request) for request in REQUESTS}) == len(REQUESTS)


def test_answers_on_one_connection(httpbin, peer):
    connection = http.client.HTTPConnection(*httpbin.address, timeout=30)
    for request in REQUESTS:
        assert ask_on(connection, *request) == expected(peer, request), name_of(request)
    connection.close()


def is_well_formed(answered):
    """For the validator: a Content-Type with every status but those without a body; some of httpbin's /status have it otherwise."""
    return any(line.startswith("content-type:") for line in answered.head) == (answered.status not in (204, 304))


def test_answers_behind_the_validator(build, tmp_path, peer):
    with Project(build, tmp_path, "httpbin:app", "validated") as server:
        for request in REQUESTS:
            # httpbin's own `assert n > 0` would look like a complaint
            if is_well_formed(peer(request)) and request[1] != "/redirect/0":
                assert ask(server, *request) == expected(peer, request), (name_of(request), server.output()[-3000:])


def test_every_endpoint_is_asked(httpbin):
    requests = json.dumps([(method, target.split("?")[0]) for method, target, *_ in REQUESTS])
    left = python("-c", LEFT_OUT, requests)
    assert left.split("\n")[:-1] == ["/static/<path:filename>"]


LEFT_OUT = """
import json, sys, urllib.parse, httpbin, werkzeug.exceptions
places = httpbin.app.url_map.bind("example.org")
asked = set()
for method, target in json.loads(sys.argv[1]):
    try:
        asked.add(places.match(urllib.parse.unquote(target), method, return_rule=True)[0].rule)
    except werkzeug.exceptions.HTTPException:
        pass
print(*sorted({rule.rule for rule in httpbin.app.url_map.iter_rules()} - asked), sep="\\n")
"""


def test_what_is_no_status_is_told(httpbin):
    before = len(httpbin.lines("Exception in GET /status/600"))
    httpbin.ask("/status/600")
    httpbin.wait_for_line("Exception in GET /status/600", after=before)
    assert "ValueError: status: '600 UNKNOWN' is not between 200 and 599" in httpbin.output()
