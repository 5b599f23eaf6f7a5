# SPDX-License-Identifier: LGPL-2.1-or-later
"""CGI programs in the hardened service: what they print is in the journal with their request, and none outlives its worker."""
from lib.wait import wait_until

SCRIPT = """#!/bin/sh
echo "asked by $REMOTE_ADDR" >&2
printf 'Content-Type: text/plain\\n\\n%s' "$APPSRV_WORD"
case $PATH_INFO in
/fails) exit 3 ;;
/escapes) setsid -f sleep 1000 >/dev/null 2>&1 ;;
/stays) sleep 1000 & trap '' TERM; sleep 1000 ;;
esac
"""
FOLDER = "/srv/programs"
USE = f"[app programs]\ntype = cgi\nroot = {FOLDER}\nenv.APPSRV_WORD = word\nlimit_files = 64\n"


def processes(service):
    return [int(pid) for pid in service.container.run("pidof", "-x", "script", "sleep", check=False).stdout.split()]


def test_programs_of_the_installed_service(service):
    service.container.write_file(f"{FOLDER}/script", SCRIPT, 0o755)
    service.configure(application=USE)
    since = service.mark()
    service.begin()
    answer = service.ask("/script/fails")
    assert (answer.status, answer.body) == (200, b"word")
    failed = service.wait_for_event("program-failed", since=since)
    [printed] = service.records("RECORD=output", since=since)
    assert failed["EXIT_CODE"] == "3" and failed["PROGRAM"] == f"{FOLDER}/script" and failed["CGI_PID"] == printed["CGI_PID"]
    assert printed["MESSAGE"] == "asked by 127.0.0.1" and printed["APP"] == "programs" and printed["STREAM"] == "stderr"
    assert printed["REQUEST_ID"] == failed["REQUEST_ID"] == answer.request_id
    [access] = service.records("RECORD=access", "EXIT_CODE=3", since=since)
    assert access["REQUEST_ID"] == answer.request_id and access["CGI_PID"] == failed["CGI_PID"]
    assert "journalctl -u appsrv CGI_PID=" in service.container.journal_text("-x", "-u", "appsrv", "EVENT=program-failed")

    escaped = service.ask("/script/escapes")
    assert escaped.status == 200
    wait_until(lambda: not processes(service), 10, "what has left its session is not left behind")
    since = service.mark()

    with service.connect() as connection:
        connection.send(b"GET /script/stays HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: len(processes(service)) == 3, 10, "a program with two children runs")
        [record] = wait_until(lambda: [record for record in service.records("RECORD=output", since=since)
                                       if record["REQUEST_ID"] != answer.request_id], 10, "what it printed")
        service.container.kill(int(record["WORKER_PID"]))
        wait_until(lambda: not processes(service), 10, "none of them is left")
    service.wait_for_workers(4)

    with service.connect() as connection:
        connection.send(b"GET /script/stays HTTP/1.1\r\nHost: a\r\n\r\n")
        wait_until(lambda: len(processes(service)) == 3, 10, "it runs again")
        service.container.kill(service.master())
        wait_until(lambda: not processes(service), 20, "systemd ends them with the service")
