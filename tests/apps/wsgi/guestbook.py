# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guestbook in Bottle as its authors wrote it, for any server: forms, cookies, files, errors."""
import os

import bottle

entries = []


@bottle.get("/")
def index():
    visits = int(bottle.request.get_cookie("visits", default="0", secret="for tests only")) + 1
    bottle.response.set_cookie("visits", str(visits), secret="for tests only")
    return bottle.template("<h1>visit {{visits}}</h1>\n% for entry in entries:\n<p>{{entry}}</p>\n% end\n", visits=visits, entries=entries)


@bottle.post("/")
def write():
    entries.append(bottle.request.forms.getunicode("text"))
    bottle.redirect("/")


@bottle.post("/upload")
def upload():
    file = bottle.request.files["file"]
    return {"name": file.filename, "type": file.content_type, "size": len(file.file.read()), "title": bottle.request.forms.title}


@bottle.get("/static/<path:path>")
def static(path):
    return bottle.static_file(path, root=os.environ["GUESTBOOK_FILES"])


@bottle.get("/lines/<n:int>")
def lines(n):
    bottle.response.content_type = "text/plain"
    return (f"{number}\n" for number in range(n))


@bottle.get("/fails")
def fails():
    raise ValueError("in the guestbook")


@bottle.error(404)
def is_missing(error):
    return f"nothing at {bottle.request.path}"


application = bottle.default_app()
