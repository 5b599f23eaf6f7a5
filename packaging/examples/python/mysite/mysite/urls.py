# SPDX-License-Identifier: LGPL-2.1-or-later
"""Two pages: one that greets and one that fails."""
import logging

from django.http import HttpResponse
from django.template import engines
from django.urls import path

log = logging.getLogger(__name__)
PAGE = "{% load static %}<link rel=stylesheet href=\"{% static 'mysite/style.css' %}\"><p>hello, {{ name }}\n"


def hello(request, name):
    """One record in the journal: its request and its line are fields of it, and so is GUEST."""
    log.info("said hello to %s", name, extra={"guest": name})
    return HttpResponse(engines["django"].from_string(PAGE).render({"name": name}))


def fail(request):
    """A 500 for the client, and one record with the whole traceback."""
    raise LookupError("no such page")


urlpatterns = [path("hello/<str:name>", hello), path("fail", fail)]
