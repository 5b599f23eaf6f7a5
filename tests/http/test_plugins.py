# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the public header has for plug-ins: a type of their own, files as bodies, refusals, numbers of the service."""
import shutil
import subprocess
from urllib.parse import quote

import pytest

from lib import builds
from lib.processes import descriptors
from lib.serving import Serving
from lib.wait import wait_until

ONE = "[server]\nworkers = 1\nthreads = 3\n"
TEXT = b"".join(b"%07d\n" % number for number in range(40000))


@pytest.fixture(name="plug_in")
def a_plug_in(build):
    """A test application put where plug-ins are: beside the program of a build that is not installed."""
    placed = []

    def place(application, name):
        target = build.program.parent / f"{name}.so"
        shutil.copy(build.application(application), target)
        placed.append(target)

    yield place
    for target in placed:
        target.unlink()


def check(build, folder, text):
    config = folder / "checked.ini"
    config.write_text(text)
    done = subprocess.run([build.program, "check", "-c", config], capture_output=True, text=True, timeout=20, check=False,
                          env=builds.environment())
    return done.returncode, done.stdout + done.stderr


def test_name_of_a_plug_in_is_a_type(start, plug_in):
    plug_in("probe", "plug_in-1")
    with start(ONE + "[app one]\ntype = plug_in-1\nmount = /one\n[app two]\ntype = plug_in-1\nmount = /two\ngreeting = hi\n") as server:
        assert server.ask("/one/numbers").body == b"1 of 1, 3 threads\n"
        assert server.ask("/two/").body == b"hi"


def test_its_keys_are_checked(build, tmp_path, plug_in):
    plug_in("probe", "plug-in")
    code, told = check(build, tmp_path, "[app one]\ntype = plug-in\ngreting = a\npath = b\n")
    assert code == 78
    assert "checked.ini:3: [app one] greting: the application knows no such key, did you mean 'greeting'?" in told
    assert "checked.ini:4: [app one] path: the application knows no such key" in told


@pytest.mark.parametrize("name", ["../hello", "hel.lo", "no-such", "HELLO"])
def test_what_is_no_plug_in_is_no_type(build, tmp_path, name):
    code, told = check(build, tmp_path, f"[app one]\ntype = {name}\n")
    assert code == 78 and f"checked.ini:2: [app one] type: '{name}' is no kind of application" in told


def test_why_it_does_not_start_is_told(build, tmp_path, plug_in):
    plug_in("unruly", "refuser")
    config = "[app one]\ntype = refuser\nrefusal = its table is on fire\n"
    code, told = check(build, tmp_path, config)
    assert code == 78 and "checked.ini:1: [app one] its table is on fire" in told
    server = Serving(build, tmp_path, config)
    done = subprocess.run(server.command, capture_output=True, text=True, timeout=30, check=False,
                          env=builds.environment(RUNTIME_DIRECTORY=str(tmp_path)))
    assert done.returncode == 78 and "Application one cannot be started: its table is on fire EVENT=app-failed" in done.stderr


def test_files_as_bodies(start, tmp_path):
    (tmp_path / "text").write_bytes(TEXT)
    name = quote(str(tmp_path / "text"))
    with start(ONE) as server, server.connect() as connection:
        # the first answer comes by a connection that the server keeps, whatever it had open before
        assert connection.ask("/").status == 200
        [worker] = server.workers()
        before = descriptors(worker)
        for offset, size in ((0, len(TEXT)), (8, 16), (len(TEXT) - 1, 1), (5, 0), (0, len(TEXT))):
            answer = connection.ask(f"/file?path={name}&offset={offset}&len={size}")
            assert (answer.status, answer.body) == (200, TEXT[offset:offset + size])
            assert answer.headers["content-length"] == str(size)
        wait_until(lambda: len(descriptors(worker)) <= len(before), 5, "no descriptor is left open")
        assert connection.ask("/file?path=/no/such&len=1").status == 404
        assert connection.ask(f"/file?path={name}&len=5", method="HEAD").headers["content-length"] == "5"


def test_file_that_is_shorter_cuts_the_connection(start, tmp_path):
    (tmp_path / "text").write_bytes(b"short")
    with start(ONE + "[http]\nsend_timeout = 1s\n") as server:
        raw = server.exchange(f"GET /file?path={quote(str(tmp_path / 'text'))}&len=9 HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        assert raw.endswith(b"\r\n\r\nshort")
        assert server.ask("/").status == 200


def test_threads_of_the_application_name_their_request(start):
    with start(ONE) as server:
        assert server.ask("/orphan?REQUEST_ID=abc&MINE=1").status == 200
        assert "REQUEST_ID=abc" in server.wait_for_line("MINE=1")
        assert server.ask("/fields?REQUEST_ID=abc").status == 500  # the server knows it better
        assert server.ask("/orphan?WORKER_PID=1").status == 500
