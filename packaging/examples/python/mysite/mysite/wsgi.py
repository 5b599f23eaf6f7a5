# SPDX-License-Identifier: LGPL-2.1-or-later
"""As Django makes it: the name `application` is the one that is looked for when `module` gives none."""
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
application = get_wsgi_application()
