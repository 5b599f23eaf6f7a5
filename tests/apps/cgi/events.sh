#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# Server-sent events: another one whenever the file that the query names is gone.
printf 'Content-Type: text/event-stream\n\n'
for number in 1 2 3; do
	: >"$QUERY_STRING"
	printf 'data: %s\n\n' "$number"
	while [ -e "$QUERY_STRING" ]; do sleep 0.02; done
done
