# SPDX-License-Identifier: LGPL-2.1-or-later
"""`serve --reload`: a changed file is served, a broken one is told and changes nothing, a mended one is served again."""
import os
import shutil
from pathlib import Path

import pytest

from lib.client import Load
from lib.serving import Serving
from lib.wait import wait_until

ONE = "[server]\nworkers = 1\nthreads = 2\n"
SHOP = """
from shop.goods import GOODS


def app(environ, start_response):
    start_response("200 OK", [])
    return [GOODS]
"""


def put(path, text):
    """As an editor does: the file is there as a whole, or as it was."""
    beside = path.with_name(path.name + "~")
    beside.write_text(text, encoding="utf-8")
    os.rename(beside, path)


def answers(server, body):
    wait_until(lambda: server.ask("/").body == body, 20, f"{body} is answered\n{server.output()}")


def refused(server, *words, number):
    """Until so many reloads were refused; the last one with these words on the console."""
    wait_until(lambda: len(server.lines("EVENT=reload-failed")) == number, 20, f"{number} refused\n{server.output()}")
    wait_until(lambda: all(word in server.output() for word in words), 10, f"{words} on the console\n{server.output()}")


def watches(server):
    """Whether the master has anything of inotify."""
    folder = Path(f"/proc/{server.process.pid}/fd")
    return any("inotify" in os.readlink(each) for each in folder.iterdir())


@pytest.fixture(name="shop")
def fixture_shop(build, tmp_path):
    """A package of two modules, served with --reload."""
    if not (Path(build.program).parent / "wsgi.so").exists():
        pytest.skip("no plug-in for Python in this build")
    folder = tmp_path / "project"
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "__init__.py").write_text(SHOP, encoding="utf-8")
    put(folder / "shop" / "goods.py", "GOODS = b'one'\n")
    config = f"{ONE}[app shop]\ntype = wsgi\nmodule = shop:app\nchdir = {folder}\n"
    with Serving(build, tmp_path, config, arguments=["--reload"]) as server:
        yield server, folder


def test_an_application_in_python(shop):
    server, folder = shop
    goods = folder / "shop" / "goods.py"
    answers(server, b"one")
    with Load(server, threads=2, keep_alive=True) as load:
        # of the same size, and most likely in the same second
        put(goods, "GOODS = b'two'\n")
        answers(server, b"two")
        assert "goods.py" in server.lines("EVENT=files-changed")[0]
        put(goods, "GOODS = b'three\n")
        refused(server, "SyntaxError", "goods.py", number=1)
        assert server.ask("/").body == b"two"
        put(goods, "GOODS = b'four'\n")
        answers(server, b"four")
        # one that loads for long is given up as soon as there is a newer one
        put(goods, f"import threading\nopen('{folder}/loads', 'w').close()\nthreading.Event().wait()\n")
        wait_until((folder / "loads").exists, 20, "it loads")
        put(goods, "GOODS = b'five'\n")
        answers(server, b"five")
        server.wait_for_line("EVENT=worker-exited", "it was not ready yet")
    assert not load.failed and len(server.lines("EVENT=reload-failed")) == 1
    # none of this counts; what comes after it does, and tells that it was seen
    told = len(server.lines("EVENT=files-changed"))
    (folder / "notes.txt").write_text("text", encoding="utf-8")
    (folder / "shop" / "__pycache__").mkdir(exist_ok=True)
    (folder / "shop" / "__pycache__" / "x.py").write_text("", encoding="utf-8")
    (folder / "made").mkdir()
    (folder / "made" / "late.py").write_text("", encoding="utf-8")
    wait_until(lambda: len(server.lines("EVENT=files-changed")) == told + 1, 10, "a file in a new folder")
    assert "late.py" in server.lines("EVENT=files-changed")[-1] or "/made" in server.lines("EVENT=files-changed")[-1]


def test_a_native_application_and_the_configuration(build, tmp_path):
    library = tmp_path / "app.so"

    def install(source):
        shutil.copy(source, library.with_name("app.so~"))
        os.rename(library.with_name("app.so~"), library)

    install(build.application("probe"))
    config = f"{ONE}[app native]\ntype = native\npath = {library}\n"
    with Serving(build, tmp_path, config, arguments=["--reload"]) as server:
        old = server.ask("/").body
        install(build.application("welcome"))
        page = b"<!doctype html>"
        wait_until(lambda: server.ask("/").body.startswith(page), 20, "the new one answers")
        put(library, "this is no shared object")
        refused(server, "app.so", number=1)
        assert server.ask("/").body.startswith(page)
        install(build.application("probe"))
        answers(server, old)
        server.write_config(config.replace("workers = 1", "workers = none"))
        server.wait_for_line("EVENT=config-refused", "workers", seconds=20)
        assert server.ask("/").body == old
        server.write_config(config.replace("workers = 1", "workers = 2"))
        wait_until(lambda: len(server.workers()) == 2, 20, "two workers")
        assert server.ask("/").body == old and watches(server)


def test_without_it_nothing_is_watched(server):
    assert not watches(server)
