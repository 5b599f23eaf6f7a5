# SPDX-License-Identifier: LGPL-2.1-or-later
"""A Django project, with what a server has to know about it."""
import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

# Only root may read the file: systemd does, and hands it to the service. For manage.py and `appsrv check`, run by root, it is read here.
SECRET_KEY = os.environ.get("MYSITE_KEY") or (BASE_DIR / "secret.env").read_text(encoding="ascii").strip().partition("=")[2]

DEBUG = False
ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
ROOT_URLCONF = "mysite.urls"
INSTALLED_APPS = ["django.contrib.staticfiles"]
MIDDLEWARE = ["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
USE_TZ = True
TIME_ZONE = "UTC"

# Of a database in a file (SQLite) the folder is $STATE_DIRECTORY: the service can write nowhere else.
DATABASES = {}

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "collected"
STATICFILES_DIRS = [BASE_DIR / "static"]

# A stream is enough, and no file: in appsrv each record becomes one entry of the journal, whole, with its request and its line of
# code; from manage.py it goes to the terminal.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stream": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stream"], "level": "INFO"},
}
