# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a Python application logs and prints: one record each, with the request, the line of code and its own fields."""
import re
import subprocess

import pytest

from lib.serving import Serving
from test_wsgi import APPS, application, the_plugin  # noqa: F401  pylint: disable=unused-import

ONE = "[server]\nworkers = 1\nthreads = 2\n[log]\nlevel = debug\n"


@pytest.fixture(name="logs", scope="module")
def a_server(build, tmp_path_factory, plugin):
    with Serving(build, tmp_path_factory.mktemp("logs"), ONE + application("logs", "logs:app")) as running:
        yield running


def record(server, *words, of=None):
    """The one line of the console that has these words."""
    server.wait_for_line(*words)
    found = server.lines(*words, *([f"REQUEST_ID={of.request_id}"] if of else ()))
    assert len(found) == 1, found
    return found[0]


def test_levels(logs):
    answer = logs.ask("/levels")
    for level, shown in ((10, "debug"), (20, "info"), (25, "notice"), (30, "warn"), (40, "error"), (50, "crit"), (60, "crit")):
        line = record(logs, f" level {level} ", of=answer)
        assert f" {shown} " in line and "LOGGER=shop.orders" in line and "APP=logs" in line
        assert "CODE_FUNC=levels" in line and re.search(r"CODE_FILE=\S+/logs\.py CODE_LINE=\d+ ", line) and "THREAD=" in line


def test_level_of_the_server_holds(build, tmp_path):
    with Serving(build, tmp_path, ONE.replace("debug", "warning") + application("logs", "logs:app")) as server:
        server.ask("/levels")
        server.wait_for_line(" level 60 ")
        assert not server.lines(" level 25 ") and not server.lines(" level 10 ")


def test_extra_becomes_fields(logs):
    line = record(logs, " with fields ", of=logs.ask("/fields"))
    for field in ("USER=7", "ORDER_ID=o1", "X_PRIORITY=0", "X_WORKER_PID=1", "X_APP=x", "X_REQUEST_ID=forged", "X_9LIVES=cat", "NOTHING=None",
                  "TEXT=two\\x0alines", "ODD=<Odd without a text>", "LONE=\\udc80", "X___BER=1"):
        assert field in line, (field, line[:3000])
    assert 1000 < line.count("y") < 16500
    logs.wait_for_line("yyy FIELDS_CUT=1")
    assert line.count("REQUEST_ID=") == 2


def test_many_fields_are_bounded(logs):
    line = record(logs, " many fields ", of=logs.ask("/many_fields"))
    assert "FIELD0=0" in line
    shown = len(re.findall(r"\bFIELD\d+=|\"FIELD\d+\":", line))
    assert 20 < shown < 32 and re.search(rf'FIELDS_DROPPED(=|":"){100 - shown}\b', line)


def test_traceback_is_part_of_the_record(logs):
    answer = logs.ask("/trace")
    record(logs, f"REQUEST_ID={answer.request_id}", "EXCEPTION=KeyError")
    text = logs.output()
    assert re.search(r"error +w1 +it broke\n +in two lines\n +Traceback \(most recent call last\):\n(.*\n)+? +KeyError: 'key' WORKER_PID", text)


def test_mistaken_calls_lose_nothing(logs):
    answer = logs.ask("/bad_call")
    assert "'number %d and %s' ('x',) (not formatted: TypeError" in record(logs, "number %d and %s", of=answer)


def test_stack_is_part_of_the_record(logs):
    logs.ask("/stack")
    logs.wait_for_line("with a stack")
    assert "Stack (most recent call last):" in logs.output()


def test_prints(logs):
    answer = logs.ask("/prints")
    mine = f"REQUEST_ID={answer.request_id}"
    for text, stream in ((" printed ", "stdout"), (" two words ", "stderr"), (" no end ", "stdout"), (" left over ", "stdout")):
        assert f"STREAM={stream}" in record(logs, text, mine)
    assert re.search(r"info +w1 +first\n +second WORKER_PID", logs.output())
    assert re.search(r"notice +w1 +Traceback \(most recent call last\):\n( {27}  .*\n)+ {27}KeyError: 'key' WORKER_PID", logs.output())
    for text in (" straight to the descriptor ", " as bytes ", " of a child "):
        assert "STREAM=stdout" in record(logs, text)


def test_warnings(logs):
    line = record(logs, "UserWarning: take more care", of=logs.ask("/warned"))
    assert "LOGGER=py.warnings" in line and "logs.py" in line and " warn " in line


def test_threads_know_the_request_when_they_have_its_context(logs):
    answer = logs.ask("/threads")
    record(logs, f"in a thread, {answer.request_id} ", f"REQUEST_ID={answer.request_id}")
    assert "REQUEST_ID" not in record(logs, "in a thread, None ")
    logs.wait_for_line("EXCEPTION=IndexError", "LOGGER=appsrv.python")
    assert "Exception in thread doomed" in logs.output()


def test_requests_do_not_see_each_others_context(logs):
    answers = [logs.ask("/request") for _ in range(5)]
    for answer in answers:
        record(logs, f" id is {answer.request_id} ", of=answer)


def test_exceptions_of_destructors(logs):
    logs.ask("/unraisable")
    logs.wait_for_line("LOGGER=appsrv.python", "EXCEPTION=ValueError")
    assert "ValueError: in __del__" in logs.output()


def test_forked_children_leave_log_and_client_alone(logs):
    with logs.connect() as connection:
        assert connection.ask("/forks").body == b"ok\n"
        assert connection.ask("/request").body == b"ok\n"
    for text in (" in the child ", " printed by the child ", " in the parent "):
        record(logs, text)
    assert len(logs.lines("GET /forks", "OUTCOME=")) == 1 and not logs.lines("worker-died")


def test_queues(logs):
    answer = logs.ask("/queued")
    for name, text in (("queued", " through a queue "), ("queued.only", " alone in a queue ")):
        line = record(logs, text)
        assert f"LOGGER={name} " in line and f"REQUEST_ID={answer.request_id}" in line


def test_long_records_are_whole(logs):
    logs.wait_for_line("zz", f"REQUEST_ID={logs.ask('/long').request_id}")
    assert logs.output().count("z") >= 200000 and not logs.lines("zzz WORKER_PID=", "FIELDS_CUT")


def test_records_beyond_the_limit_say_so(logs):
    answer = logs.ask("/longer")
    logs.wait_for_line("www WORKER_PID=", f"REQUEST_ID={answer.request_id}", "FIELDS_CUT=1")
    assert sum(map(len, re.findall(r"www+", logs.output()))) == 256 * 1024


# -- configurations of the application ---------------------------------------------------------------

@pytest.mark.parametrize("how, prefix, debug", [("dict", "OWN WARNING ", True), ("basic", "BASIC ", True), ("handler", "HANDLER ", True),
                                                ("wrapper", "AROUND ", True), ("writer", "WRITER ", True)])
def test_configurations_are_honoured_and_nothing_is_doubled(build, tmp_path, how, prefix, debug):
    with Serving(build, tmp_path, ONE + application("logs", f"logs:configured_by_{how}()")) as server:
        answer = server.ask("/")
        assert record(server, f"{prefix}warning of shop.orders ", of=answer).count("LOGGER=shop.orders")
        assert bool(server.lines("debugging of shop.orders")) == debug
        server.wait_for_line("warning of ", after=how == "dict")
        assert len(server.lines("warning of ")) == (2 if how == "dict" else 1)
        record(server, f"id is {answer.request_id} ", of=answer)


def test_streams_of_the_application_are_its_own(build, tmp_path):
    with Serving(build, tmp_path, ONE + application("logs", "logs:configured_by_memory()")) as server:
        answer = server.ask("/")
        assert answer.body == b"debugging of shop.orders\nwarning of shop.orders\n" + b"id is " + answer.request_id.encode() + b"\n"
        record(server, " warning of shop.orders ", of=answer)


def test_handler_by_its_name_in_a_configuration(build, tmp_path):
    with Serving(build, tmp_path, ONE + application("logs", "logs:configured_by_journal()")) as server:
        answer = server.ask("/")
        line = record(server, " JOURNAL WARNING warning of shop.orders ", of=answer)
        assert "TENANT=t1" in line and "LOGGER=shop.orders" in line and " warn " in line
        record(server, f" JOURNAL INFO id is {answer.request_id} ", of=answer)
        assert len(server.lines("warning of ")) == 1 and not server.lines("debugging of ")


def test_what_a_handler_cannot_write_is_in_the_journal(build, tmp_path):
    with Serving(build, tmp_path, ONE + application("logs", "logs:configured_by_failing()")) as server:
        answer = server.ask("/request")
        assert "LOGGER=shop.orders" in record(server, f" id is {answer.request_id} ", of=answer)
        assert server.output().count("OSError: the disk is full") == 1


def test_files_of_the_application_are_written_as_well(build, tmp_path):
    file = tmp_path / "own.log"
    with Serving(build, tmp_path, ONE + application("logs", "logs:configured_by_file()"), wrapper=("env", f"LOGS_FILE={file}")) as server:
        record(server, " warning of shop.orders ", of=server.ask("/"))
    assert "FILE warning of shop.orders\n" in file.read_text(encoding="utf-8")


def test_handler_outside_of_the_server(build, tmp_path):
    script = tmp_path / "cron.py"
    script.write_text("import logging\nimport logs\nimport appsrv\nlogs.configured_by_journal()\n"
                      "logging.warning('id is %s', appsrv.request_id())\n")
    done = subprocess.run(["/usr/bin/python3", "-B", script], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": f"{build.program.parent / 'python'}:{APPS}"})
    assert done.stdout == "" and done.stderr == "JOURNAL WARNING id is None\n"


def test_flask_as_its_documentation_configures_logging(build, tmp_path):
    with Serving(build, tmp_path, ONE + application("logs", "logs:flask_as_documented()")) as server:
        answer = server.ask("/")
        line = record(server, "of the Flask application", of=answer)
        assert " DOCUMENTED WARNING in logs: " in line and "LOGGER=shop" in line and "CODE_FUNC=index" in line


def test_flask(build, tmp_path):
    with Serving(build, tmp_path, ONE + application("logs", "logs:flask()")) as server:
        answer = server.ask("/")
        assert "LOGGER=shop" in record(server, "of the Flask application", of=answer)
        failed = server.ask("/fails")
        assert failed.status == 500
        assert "LOGGER=shop" in record(server, "EXCEPTION=ValueError", of=failed)
        assert server.output().count("ValueError: in a view") == 1
