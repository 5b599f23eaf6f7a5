#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Its environment, a line without anything, and what it reads.
printf 'Content-Type: text/plain\nX-Program: shell\n\n'
env
echo
cat
