# SPDX-License-Identifier: LGPL-2.1-or-later
"""A gallery in Flask as its authors wrote it, for any server: sessions, uploads, streams, files, errors, addresses of its own."""
import hashlib
import io

from flask import Flask, abort, jsonify, redirect, request, send_file, session, stream_with_context, url_for
from werkzeug.middleware.proxy_fix import ProxyFix

app = Flask("gallery")
app.secret_key = "for tests only"
PICTURE = bytes(range(256)) * 1000


@app.post("/login")
def login():
    session["user"] = request.form["user"]
    return redirect(url_for("who"))


@app.get("/who")
def who():
    if "user" not in session:
        abort(401)
    session["visits"] = session.get("visits", 0) + 1
    return f"{session['user']} {session['visits']}"


@app.post("/logout")
def logout():
    session.clear()
    return redirect(url_for("who"), 303)


@app.post("/upload")
def upload():
    return jsonify(fields=request.form, files={
        name: [file.filename, file.mimetype, hashlib.sha256(file.read()).hexdigest()] for name, file in request.files.items()})


@app.put("/raw")
def raw():
    return hashlib.sha256(request.get_data()).hexdigest()


@app.get("/rows")
def rows():
    def made():
        for number in range(int(request.args["n"])):
            yield f"{number} {request.path}\n"
    return app.response_class(stream_with_context(made()), mimetype="text/plain")


@app.get("/picture")
def picture():
    return send_file(io.BytesIO(PICTURE), mimetype="image/x-test", download_name="picture", as_attachment=True)


@app.get("/source")
def source():
    return send_file(__file__, conditional=True, etag="of-the-source", max_age=60)


@app.get("/gone")
def gone():
    abort(410, "sold")


@app.errorhandler(410)
def is_gone(error):
    return jsonify(gone=error.description), 410


@app.get("/fails")
def fails():
    raise ValueError("in the gallery")


@app.get("/where")
def where():
    return jsonify(inside=url_for("who"), outside=url_for("picture", _external=True), client=request.remote_addr, root=request.script_root,
                   scheme=request.scheme)


behind = ProxyFix(app, x_for=1, x_proto=1, x_host=1, x_prefix=1)
