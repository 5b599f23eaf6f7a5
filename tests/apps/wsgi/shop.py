# SPDX-License-Identifier: LGPL-2.1-or-later
"""A shop in Flask as its authors wrote it, for any server: three records a request, one of them a traceback of many lines.

LOG_FILE: where to log, by a RotatingFileHandler, as under Gunicorn; without it the server's own handler is enough.
"""
import logging
import logging.handlers
import os

from flask import Flask, request

app = Flask("shop")
log = logging.getLogger("shop.orders")

if os.environ.get("LOG_FILE"):
    logging.basicConfig(level=logging.INFO, format="%(process)d %(name)s %(levelname)s %(message)s", handlers=[
        logging.handlers.RotatingFileHandler(os.environ["LOG_FILE"], maxBytes=50_000, backupCount=2000)])


@app.route("/order")
def order():
    number = request.args["n"]
    log.info("order %s begins", number, extra={"order": number})
    try:
        price(number)
    except LookupError:
        log.exception("order %s has no price", number)
    log.info("order %s ends", number)
    return f"order {number}\n"


@app.route("/id")
def identity():
    return str(os.getpid())


def price(number):
    raise LookupError(f"no price of {number}")
