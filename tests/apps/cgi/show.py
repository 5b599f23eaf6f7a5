#!/usr/bin/python3 -S
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Its environment, a line without anything, and what it reads."""
import os
import sys

sys.stdout.buffer.write(b"Content-Type: text/plain\nX-Program: python\n\n")
sys.stdout.buffer.write(b"".join(b"%s=%s\n" % pair for pair in os.environb.items()))
sys.stdout.buffer.write(b"\n" + sys.stdin.buffer.read())
