#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""As Django makes it."""
import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
if __name__ == "__main__":
    execute_from_command_line(sys.argv)
