# SPDX-License-Identifier: LGPL-2.1-or-later
"""What servers are measured with: an application that does next to nothing, and one in Flask that logs one record a request."""
import logging
import os

TEXT = b"hello, world\n"
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", str(len(TEXT)))]

log = logging.getLogger("hello")


def app(_environ, start_response):
    start_response("200 OK", HEADERS)
    return [TEXT]


def flask():
    from flask import Flask, request  # pylint: disable=import-outside-toplevel
    if os.environ.get("LOG_FILE"):  # where the server has no place for records
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(name)s %(levelname)s %(message)s", filename=os.environ["LOG_FILE"])
    application = Flask("hello")

    @application.route("/")
    def hello():
        log.info("hello, %s", request.remote_addr)
        return TEXT.decode()

    return application
