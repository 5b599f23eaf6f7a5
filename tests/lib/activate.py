# SPDX-License-Identifier: LGPL-2.1-or-later
"""Starts a program as systemd does by socket activation: activate.py HOST PORT NAME COMMAND..."""
import os
import socket
import sys

host, port, name, *command = sys.argv[1:]
listener = socket.create_server((host, int(port)), backlog=100)
if listener.fileno() == 3:
    os.set_inheritable(3, True)
else:
    os.dup2(listener.fileno(), 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES=name)
os.execvp(command[0], command)
