# SPDX-License-Identifier: LGPL-2.1-or-later
"""Projects for any WSGI server, unchanged: Django, Flask, Bottle, Radicale; each as it is and behind wsgiref's validator."""
import hashlib
import json
import re
import shutil

import pytest

from lib.browser import Browser
from lib.distribution import need, python
from lib.serving import Serving
from test_wsgi import APPS, the_plugin  # noqa: F401  pylint: disable=unused-import

WAYS = ("bare", "validated")
COMPLAINTS = ("AssertionError", "WSGIWarning", "Iterator garbage collected")


class Project(Serving):
    """A server with one Python project, which is `target` or the validator around it; without a complaint at the end."""

    def __init__(self, build, folder, target, way="bare", chdir=APPS, more="", variables=()):
        module = target if way == "bare" else "validated:around()"
        config = ("[server]\nworkers = 1\nthreads = 4\n"
                  f"[app project]\ntype = wsgi\nmodule = {module}\nchdir = {chdir}\npythonpath = {APPS}\nmount = /\n{more}")
        super().__init__(build, folder, config, wrapper=("env", f"VALIDATED={target}", *variables))

    def __exit__(self, failure, *rest):
        super().__exit__(failure, *rest)
        if failure is None:
            assert not [word for word in COMPLAINTS if word in self.output()], self.output()

    def record(self, *words, of):
        """The one record of a request that has these words, beside that of the access."""
        self.wait_for_line("OUTCOME=", f"REQUEST_ID={of.request_id}")
        found = [line for line in self.lines(f"REQUEST_ID={of.request_id}", *words) if "OUTCOME=" not in line]
        assert len(found) == 1, (found, self.output())
        return found[0]

    def said(self, answer):
        """How many records of a request there are beside that of the access."""
        self.wait_for_line("OUTCOME=", f"REQUEST_ID={answer.request_id}")
        return len(self.lines(f"REQUEST_ID={answer.request_id}")) - 1


def mounted(name, target, mount):
    return f"[app {name}]\ntype = wsgi\nmodule = {target}\nmount = {mount}\n"


# -- Django ------------------------------------------------------------------------------------

PASSWORD = "correct-horse-battery"
PRODUCTION = """
from mysite.settings import *
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "mysite.more"
"""
MORE = """
from django.http import FileResponse
from django.urls import path
from mysite.urls import urlpatterns as usual
def fails(request):
    raise ValueError("in a view")
def own(request):
    return FileResponse(open(__file__, "rb"), as_attachment=True)
urlpatterns = [*usual, path("fails/", fails), path("own/", own)]
"""


@pytest.fixture(name="project", scope="session")
def django_project(tmp_path_factory):
    """What django-admin makes, with a database and an administrator; never served itself."""
    need("python3-django", "django")
    folder = tmp_path_factory.mktemp("django")
    python("-m", "django", "startproject", "mysite", folder)
    python("manage.py", "migrate", "--verbosity", "0", folder=folder)
    python("manage.py", "createsuperuser", "--noinput", "--username", "admin", "--email", "admin@example.org", folder=folder,
           DJANGO_SUPERUSER_PASSWORD=PASSWORD)
    return folder


@pytest.fixture(name="site", scope="module", params=WAYS)
def django_server(request, build, project, tmp_path_factory, plugin):
    folder = shutil.copytree(project, tmp_path_factory.mktemp("site") / "site")
    files = python("-c", "import django.contrib.admin as admin; print(admin.__path__[0])").strip()
    more = f"[app files]\ntype = static\nroot = {files}/static\nmount = /static\n"
    with Project(build, folder, "mysite.wsgi:application", request.param, folder, more) as server:
        yield server


def token(page):
    return re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)[1]


def logged_in(server, root=""):
    browser = Browser(server)
    page = browser.get(f"{root}/admin/")
    assert page.status == 200 and page.path == f"{root}/admin/login/?next={root}/admin/"
    page = browser.post(page.path, {"username": "admin", "password": PASSWORD, "csrfmiddlewaretoken": token(page)})
    assert page.status == 200 and page.path == f"{root}/admin/" and "Site administration" in page.text
    assert set(browser.cookies) == {"csrftoken", "sessionid"}
    return browser


def test_django_admin(site):
    browser = logged_in(site)
    page = browser.get("/admin/auth/user/add/")
    form = {"username": "j\u00fcrgen", "password1": PASSWORD, "password2": PASSWORD, "csrfmiddlewaretoken": token(page)}
    page = browser.post("/admin/auth/user/add/", form)
    assert page.status == 200 and re.fullmatch(r"/admin/auth/user/\d+/change/", page.path) and "j\u00fcrgen" in page.text
    page = browser.get("/admin/auth/user/?q=j%C3%BCrgen")
    assert "j\u00fcrgen" in page.text and "1 user" in page.text
    page = browser.post("/admin/auth/user/add/", {**form, "csrfmiddlewaretoken": token(browser.get("/admin/auth/user/add/"))})
    assert page.status == 200 and "A user with that username already exists." in page.text
    browser.post("/admin/logout/", {"csrfmiddlewaretoken": token(browser.get("/admin/auth/user/add/"))})
    assert browser.get("/admin/auth/user/").path.startswith("/admin/login/")


def test_django_wants_its_token(site):
    page = Browser(site).post("/admin/login/", {"username": "admin", "password": PASSWORD})
    assert page.status == 403 and "CSRF" in page.text
    line = site.record("Forbidden (CSRF cookie not set.): /admin/login/", of=page)
    assert "LOGGER=django.security.csrf" in line and "STATUS_CODE=403" in line and " warn " in line and site.said(page) == 1


def test_django_redirects(site):
    page = Browser(site, follow=False).get("/admin")
    assert (page.status, page.headers["Location"]) == (301, "/admin/")
    page = Browser(site, follow=False).get("/admin/auth/?a=%20b")
    assert (page.status, page.headers["Location"]) == (302, "/admin/login/?next=/admin/auth/%3Fa%3D%2520b")


def test_django_finds_nothing(site):
    page = Browser(site).get("/nothing/%20here")
    assert page.status == 404
    line = site.record("Not Found: /nothing/ here", of=page)
    assert "LOGGER=django.request" in line and " warn " in line and site.said(page) == 1


def test_files_beside_django(site):
    page = Browser(site).get("/static/admin/css/base.css")
    assert page.status == 200 and page.headers["Content-Type"].startswith("text/css") and "DJANGO" in page.text
    assert Browser(site).get("/static/admin/css/base.css", If_None_Match=page.headers["ETag"]).status == 304


def test_django_in_production(build, project, tmp_path):
    folder = shutil.copytree(project, tmp_path / "site")
    (folder / "mysite" / "production.py").write_text(PRODUCTION, encoding="ascii")
    (folder / "mysite" / "more.py").write_text(MORE, encoding="ascii")
    with Project(build, tmp_path, "mysite.wsgi:application", chdir=folder, more=mounted("below", "mysite.wsgi", "/intranet"),
                 variables=["DJANGO_SETTINGS_MODULE=mysite.production"]) as server:
        page = Browser(server).get("/fails/")
        assert page.status == 500 and "Server Error (500)" in page.text
        line = server.record("STATUS_CODE=500", of=page)
        assert "LOGGER=django.request" in line and "EXCEPTION=ValueError" in line and "CODE_FILE=" in line
        assert server.output().count("Internal Server Error: /fails/") == server.output().count("ValueError: in a view") == 1
        page = Browser(server).get("/nothing")
        assert page.status == 404 and server.said(page) == 1
        logged_in(server, "/intranet")
        page = Browser(server).get("/own/")
        assert page.text == MORE and page.headers["Content-Disposition"] == 'attachment; filename="more.py"'
        refused = server.ask("/admin/", host="elsewhere.example")
        assert refused.status == 400
        assert "LOGGER=django.security.DisallowedHost" in server.record("Invalid HTTP_HOST header: 'elsewhere.example'", of=refused)


# -- Flask -------------------------------------------------------------------------------------

@pytest.fixture(name="gallery", scope="module", params=WAYS)
def flask_server(request, build, tmp_path_factory, plugin):
    need("python3-flask", "flask")
    more = mounted("below", "gallery:app", "/shop") + mounted("behind", "gallery:behind", "/behind")
    with Project(build, tmp_path_factory.mktemp("gallery"), "gallery:app", request.param, more=more) as server:
        yield server


def test_flask_sessions(gallery):
    browser = Browser(gallery)
    assert browser.get("/who").status == 401
    assert browser.post("/login", {"user": "Ann\u00e9"}).text == "Ann\u00e9 1"
    assert [browser.get("/who").text for _ in range(3)] == [f"Ann\u00e9 {number}" for number in (2, 3, 4)]
    assert Browser(gallery).get("/who").status == 401
    page = browser.post("/logout", {})
    assert (page.status, page.path) == (401, "/who")


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_flask_uploads(gallery, size):
    value = bytes(number % 251 for number in range(size))
    files = {"first": ("\u00e4.bin", "x/y", value), "second": ("b", "text/plain", b"\r\n--appsrv-test\r\n\r\n--")}
    page = Browser(gallery).upload("/upload", {"title": "T\u00eftle"}, files)
    assert json.loads(page.body) == {"fields": {"title": "T\u00eftle"}, "files": {
        name: [filename, kind, hashlib.sha256(content).hexdigest()] for name, (filename, kind, content) in files.items()}}
    assert gallery.ask("/raw", method="PUT", body=value).body.decode() == hashlib.sha256(value).hexdigest()


def test_flask_streams(gallery):
    page = Browser(gallery).get("/rows?n=1000")
    assert page.text == "".join(f"{number} /rows\n" for number in range(1000)) and page.headers["Transfer-Encoding"] == "chunked"


def test_flask_files(gallery):
    page = Browser(gallery).get("/picture")
    assert page.body == bytes(range(256)) * 1000 and page.headers["Content-Disposition"] == "attachment; filename=picture"
    source = (APPS / "gallery.py").read_bytes()
    page = Browser(gallery).get("/source")
    assert page.body == source and page.headers["ETag"] == '"of-the-source"' and page.headers["Content-Length"] == str(len(source))
    part = Browser(gallery).get("/source", Range="bytes=10-19")
    assert (part.status, part.body, part.headers["Content-Range"]) == (206, source[10:20], f"bytes 10-19/{len(source)}")
    same = Browser(gallery).get("/source", If_None_Match='"of-the-source"')
    assert (same.status, same.body, same.headers["ETag"]) == (304, b"", '"of-the-source"')


def test_flask_errors(gallery):
    page = Browser(gallery).get("/gone")
    assert (page.status, json.loads(page.body)) == (410, {"gone": "sold"}) and gallery.said(page) == 0
    page = Browser(gallery).get("/nothing")
    assert page.status == 404 and "Not Found" in page.text
    assert Browser(gallery).get("/login").headers["Allow"] in ("OPTIONS, POST", "POST, OPTIONS")
    page = Browser(gallery).get("/fails")
    assert page.status == 500 and gallery.said(page) == 1
    assert "LOGGER=gallery" in gallery.record("EXCEPTION=ValueError", of=page)


def test_flask_knows_where_it_is(gallery):
    def where(path, **headers):
        return json.loads(gallery.ask(path, headers=list(headers.items()), host="example.org:8000").body)
    assert where("/where") == {"inside": "/who", "outside": "http://example.org:8000/picture", "client": "127.0.0.1", "root": "",
                               "scheme": "http"}
    assert where("/shop/where") == {"inside": "/shop/who", "outside": "http://example.org:8000/shop/picture", "client": "127.0.0.1",
                                    "root": "/shop", "scheme": "http"}
    assert Browser(gallery).post("/shop/login", {"user": "Bob"}).path == "/shop/who"


def test_flask_behind_a_proxy(gallery):
    told = [("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "public.example"),
            ("X-Forwarded-Prefix", "/outside")]
    answer = json.loads(gallery.ask("/behind/where", headers=told).body)
    assert answer == {"inside": "/outside/who", "outside": "https://public.example/outside/picture", "client": "192.0.2.7",
                      "root": "/outside", "scheme": "https"}


# -- Bottle ------------------------------------------------------------------------------------

@pytest.fixture(name="guestbook", scope="module", params=WAYS)
def bottle_server(request, build, tmp_path_factory, plugin):
    need("python3-bottle", "bottle")
    folder = tmp_path_factory.mktemp("guestbook")
    (folder / "files").mkdir()
    (folder / "files" / "letters.txt").write_bytes(b"abcdefghij" * 5000)
    with Project(build, folder, "guestbook:application", request.param, variables=[f"GUESTBOOK_FILES={folder / 'files'}"]) as server:
        yield server


def test_bottle_forms_and_cookies(guestbook):
    browser = Browser(guestbook)
    assert "visit 1" in browser.get("/").text
    page = browser.post("/", {"text": "gr\u00fc\u00df <b>"})
    assert (page.status, page.path) == (200, "/") and "visit 2" in page.text and "<p>gr\u00fc\u00df &lt;b&gt;</p>" in page.text
    assert "visit 1" in Browser(guestbook).get("/").text


def test_bottle_uploads(guestbook):
    page = Browser(guestbook).upload("/upload", {"title": "T"}, {"file": ("a.bin", "x/y", bytes(300_000))})
    assert json.loads(page.body) == {"name": "a.bin", "type": "x/y", "size": 300_000, "title": "T"}


def test_bottle_files(guestbook):
    page = Browser(guestbook).get("/static/letters.txt")
    assert page.body == b"abcdefghij" * 5000 and page.headers["Content-Length"] == "50000"
    part = Browser(guestbook).get("/static/letters.txt", Range="bytes=5-14")
    assert (part.status, part.body) == (206, b"fghijabcde")
    assert Browser(guestbook).get("/static/letters.txt", If_Modified_Since=page.headers["Last-Modified"]).status == 304
    head = guestbook.ask("/static/letters.txt", method="HEAD")
    assert (head.status, head.headers["content-length"], head.body) == (200, "50000", b"")
    assert Browser(guestbook).get("/static/../guestbook.py").status in (400, 403, 404)


def test_bottle_streams_and_errors(guestbook):
    assert Browser(guestbook).get("/lines/1000").text == "".join(f"{number}\n" for number in range(1000))
    page = Browser(guestbook).get("/n%C3%B6where")
    assert (page.status, page.text) == (404, "nothing at /n\u00f6where")
    page = Browser(guestbook).get("/fails")
    assert page.status == 500 and guestbook.said(page) == 1
    guestbook.wait_for_line("STREAM=stderr", f"REQUEST_ID={page.request_id}")
    assert "ValueError: in the guestbook" in guestbook.output()


# -- Radicale ----------------------------------------------------------------------------------

RADICALE = """
[auth]
type = {auth}
htpasswd_filename = {folder}/users
htpasswd_encryption = plain
[storage]
filesystem_folder = {folder}/collections
[logging]
level = info
"""
CALENDAR = b"""<?xml version="1.0" encoding="utf-8"?>
<C:mkcalendar xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
<set><prop><displayname>B\xc3\xbcro</displayname></prop></set></C:mkcalendar>
"""
EVENT = b"""BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//appsrv//tests//EN
BEGIN:VEVENT
UID:one
DTSTAMP:20261128T120000Z
DTSTART:20261201T090000Z
DTEND:20261201T100000Z
SUMMARY:Fr\xc3\xbchst\xc3\xbcck
END:VEVENT
END:VCALENDAR
""".replace(b"\n", b"\r\n")
QUERY = b"""<?xml version="1.0" encoding="utf-8"?>
<C:calendar-query xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><prop><getetag/><C:calendar-data/></prop>
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">
<C:time-range start="20261201T000000Z" end="20261202T000000Z"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>
"""
ANN = ("Authorization", "Basic YW5uOnNlY3JldA==")


@pytest.fixture(name="calendars", scope="module", params=WAYS)
def radicale_server(request, build, tmp_path_factory, plugin):
    need("python3-radicale", "radicale")
    folder = tmp_path_factory.mktemp("radicale")
    (folder / "users").write_text("ann:secret\n", encoding="ascii")
    # Radicale's htpasswd imports crypt, which dies in AddressSanitizer: its crypt_r() calls NULL when libcrypt comes by dlopen()
    auth = "keeper" if build.is_sanitized else "htpasswd"
    (folder / "config").write_text(RADICALE.format(folder=folder, auth=auth), encoding="utf-8")
    more = mounted("below", "radicale:application", "/below")
    named = [f"RADICALE_CONFIG={folder / 'config'}"]
    with Project(build, folder, "radicale:application", request.param, more=more, variables=named) as server:
        yield server


def test_radicale(calendars):
    def ask(method, path, body=None, *headers):
        return calendars.ask(path, method=method, headers=[ANN, *headers], body=body)
    found = ask("PROPFIND", "/ann/", b"", ("Depth", "1"))
    assert found.status == 207 and b"<href>/ann/</href>" in found.body
    # not by way of the validator: it wants a Content-Type of a 201 without a body, and Radicale gives none
    assert ask("MKCALENDAR", "/below/ann/plans/", CALENDAR).status == 201
    put = ask("PUT", "/below/ann/plans/one.ics", EVENT, ("Content-Type", "text/calendar; charset=utf-8"), ("If-None-Match", "*"))
    assert put.status == 201 and put.headers["etag"]
    assert ask("PUT", "/ann/plans/one.ics", EVENT, ("If-None-Match", "*")).status == 412
    found = ask("PROPFIND", "/ann/", b"", ("Depth", "1"))
    assert found.status == 207 and b"<href>/ann/plans/</href>" in found.body and "B\u00fcro" in found.body.decode()
    report = ask("REPORT", "/ann/plans/", QUERY, ("Depth", "1"), ("Content-Type", "application/xml"))
    assert report.status == 207 and "SUMMARY:Fr\u00fchst\u00fcck" in report.body.decode() and put.headers["etag"] in report.body.decode()
    got = ask("GET", "/ann/plans/one.ics")
    assert got.status == 200 and "SUMMARY:Fr\u00fchst\u00fcck" in got.body.decode() and got.headers["etag"] == put.headers["etag"]
    assert ask("DELETE", "/ann/plans/one.ics").status == 200
    assert ask("GET", "/ann/plans/one.ics").status == 404
    assert b"SUMMARY" not in ask("REPORT", "/ann/plans/", QUERY, ("Depth", "1")).body


def test_radicale_asks_who_it_is(calendars):
    answer = calendars.ask("/ann/", method="PROPFIND", body=b"")
    assert answer.status == 401 and answer.headers["www-authenticate"].startswith("Basic realm=")
    assert "LOGGER=radicale" in calendars.record("Access to '/ann/' denied for anonymous user", of=answer)


def test_radicale_knows_where_it_is(calendars):
    answer = calendars.ask("/below/ann/", method="PROPFIND", headers=[ANN, ("Depth", "0")], body=b"")
    assert answer.status == 207 and b"<href>/below/ann/</href>" in answer.body


# -- the validator -----------------------------------------------------------------------------

PEP = ("environ", "whole", "two", "nothing", "generator", "lazy", "slowly", "status?code=200", "status?code=204", "status?code=304",
       "write_first", "length", "echo", "methods", "errors", "file", "file?kind=memory", "closing", "was_closed", "threads", "replaced",
       "wrapped_file")
FAULTS = ("pid", "sleeps?s=0", "runs", "inherited", "counters", "whole", "parts", "generates", "writes", "headers", "logs", "large", "signals_of_child",
          "leaves_work?s=0")
EXAMPLES = APPS.parents[2] / "packaging" / "examples" / "python"
LOGS = ("levels", "fields", "trace", "prints", "warned", "threads", "request", "queued", "long")


def no_complaint(build, folder, target, names, chdir=APPS):
    (folder / "text").write_bytes(b"text\n" * 10000)
    variables = [f"PEP_FILE={folder / 'text'}", f"STATE_DIRECTORY={folder}", "MYSITE_KEY=" + "0123456789abcdef" * 4]
    with Project(build, folder, target, "validated", chdir, variables=variables) as server:
        for name in names:
            for method, body in (("GET", None), ("HEAD", None), ("POST", b"abcdef\ngh\nij\nkl\nmn\nop")):
                answer = server.ask(f"/{name}", method=method, body=body)
                assert answer.status in (200, 201, 204, 304, 405, 503), (name, method, server.output())


@pytest.mark.parametrize("target, names", [("pep:bare", PEP), ("logs:app", LOGS), ("faults:app", FAULTS), ("hello:app", ("",))],
                         ids=["pep", "logs", "faults", "hello"])
def test_no_complaint_about_the_other_applications(build, tmp_path, target, names):
    no_complaint(build, tmp_path, target, names)


@pytest.mark.parametrize("target, names", [
    ("shop:app", ("order?n=1", "id")), ("witness:app", ("order?n=1", "id")), ("hello:flask()", ("",))], ids=["shop", "witness", "hello"])
def test_no_complaint_about_those_in_flask(build, tmp_path, target, names):
    need("python3-flask", "flask")
    no_complaint(build, tmp_path, target, names)


@pytest.mark.parametrize("target, folder, needs", [("hello:app", ".", "flask"), ("mysite.wsgi:application", "mysite", "django")],
                         ids=["flask", "django"])
def test_no_complaint_about_the_examples(build, tmp_path, target, folder, needs):
    need(f"python3-{needs}", needs)
    # a copy: what Python compiles beside them would go into the packages
    examples = shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    no_complaint(build, tmp_path, target, ("hello/you",), examples / folder)


def test_a_complaint_is_a_failure(build, tmp_path):
    server = Project(build, tmp_path, "pep:bare", "validated")
    with pytest.raises(AssertionError, match="Exception in GET /status_short"), server:
        answer = server.ask("/status_short")
        assert answer.status == 500
        assert "EXCEPTION=AssertionError" in server.record("EXCEPTION=", of=answer)
