# SPDX-License-Identifier: LGPL-2.1-or-later
"""A browser's part of HTTP, by Python's own library: cookies are kept, forms are sent, redirections are followed or shown."""
import http.cookiejar
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass

TIMEOUT = 30
BOUNDARY = "appsrv-tests"


@dataclass
class Page:
    status: int
    headers: object
    body: bytes
    path: str  # where it was found, after redirections

    @property
    def text(self):
        return self.body.decode()

    @property
    def request_id(self):
        return self.headers["X-Request-ID"]


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


class Browser:
    def __init__(self, server, follow=True):
        self.base = "http://{}:{}".format(*server.address)
        self.jar = http.cookiejar.CookieJar()
        cookies = urllib.request.HTTPCookieProcessor(self.jar)
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), cookies, *([] if follow else [_Stay]))

    @property
    def cookies(self):
        return {cookie.name: cookie.value for cookie in self.jar}

    def get(self, path, **headers):
        return self._open(path, None, headers)

    def post(self, path, form, **headers):
        return self._open(path, urllib.parse.urlencode(form).encode(), headers)

    def upload(self, path, fields, files):
        """A form with files: {name: (file name, type, bytes)}."""
        return self._open(path, parts(fields, files), {"Content_Type": f"multipart/form-data; boundary={BOUNDARY}"})

    def _open(self, path, body, headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.base + path, data=body, headers=named)
        try:
            with self.opener.open(request, timeout=TIMEOUT) as answer:
                return self._page(answer)
        except urllib.error.HTTPError as answer:
            with answer:
                return self._page(answer)

    def _page(self, answer):
        return Page(answer.status, answer.headers, answer.read(), answer.url.removeprefix(self.base))


def parts(fields, files):
    """multipart/form-data (RFC 7578)."""
    pieces = []
    for name, value in fields.items():
        pieces += [f'Content-Disposition: form-data; name="{name}"\r\n\r\n'.encode(), value.encode()]
    for name, (filename, kind, value) in files.items():
        pieces += [f'Content-Disposition: form-data; name="{name}"; filename="{filename}"\r\nContent-Type: {kind}\r\n\r\n'.encode(), value]
    mark = f"--{BOUNDARY}\r\n".encode()
    return b"".join(mark + head + value + b"\r\n" for head, value in zip(pieces[::2], pieces[1::2])) + f"--{BOUNDARY}--\r\n".encode()
