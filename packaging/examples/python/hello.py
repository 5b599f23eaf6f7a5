# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Flask application: `appsrv serve hello:app` in this folder, then `curl -i http://127.0.0.1:8080/hello/you`."""
import logging

from flask import Flask

app = Flask(__name__)
log = logging.getLogger("hello")


@app.route("/hello/<name>")
def hello(name):
    """One record in the journal: its request and its line are fields of it, and so is GUEST."""
    log.info("said hello to %s", name, extra={"guest": name})
    return f"hello, {name}\n"
