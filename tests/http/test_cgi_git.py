# SPDX-License-Identifier: LGPL-2.1-or-later
"""git by the program that comes with it for servers, git-http-backend; and a page of cgit, a browser's view of the same.

The repository has 2 MiB that cannot be compressed, or as many as APPSRV_GIT_MIB says (make cgi-git: 200).
"""
import gzip
import os
import random
import subprocess
from pathlib import Path

import pytest

from lib.chromium import page
from lib.processes import finished
from lib.serving import Serving

MIB = int(os.environ.get("APPSRV_GIT_MIB", "2"))
FILES = 8
SECONDS = 60 + MIB
pytestmark = pytest.mark.seconds(120 + 4 * MIB)
CGIT = Path("/usr/lib/cgit/cgit.cgi")
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1", "GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b",
               "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


def git(*words, cwd=None, fails=False):
    done = finished(["git", *map(str, words)], SECONDS, text=True, cwd=cwd, env=ENVIRONMENT)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


@pytest.fixture(name="backend", scope="session")
def the_backend():
    try:
        folder = subprocess.run(["git", "--exec-path"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True).stdout.strip()
    except FileNotFoundError:
        pytest.skip("git is not installed")
    program = Path(folder) / "git-http-backend"
    if not program.exists():
        pytest.skip(f"{program} is not installed")
    return program


def commit(work, name, content):
    (work / name).write_bytes(content)
    git("add", ".", cwd=work)
    git("commit", "--quiet", "-m", name, cwd=work)


@pytest.fixture(name="projects", scope="module")
def the_projects(build, backend, tmp_path_factory):
    """A folder with two repositories: one that takes pushes, and one that does not."""
    folder = tmp_path_factory.mktemp("projects")
    work, draw = tmp_path_factory.mktemp("work"), random.Random(build.name)
    git("init", "--quiet", "-b", "main", work)
    for number in range(FILES):
        commit(work, f"file-{number}", draw.randbytes(MIB * 1024 * 1024 // FILES))
    for name in ("open.git", "shut.git"):
        git("clone", "--quiet", "--bare", "--no-hardlinks", work, folder / name)
        git("config", "uploadpack.allowFilter", "true", cwd=folder / name)
    git("config", "http.receivepack", "true", cwd=folder / "open.git")
    return folder


@pytest.fixture(name="server", scope="module")
def a_server(build, backend, projects, tmp_path_factory):
    config = (f"[server]\nworkers = 2\nthreads = 2\n[http]\nlimit_request_body = 1g\n[app git]\ntype = cgi\nprogram = {backend}\nmount = /git\n"
              f"env.GIT_PROJECT_ROOT = {projects}\nenv.GIT_HTTP_EXPORT_ALL = 1\n")
    if CGIT.exists():
        settings = tmp_path_factory.mktemp("cgit") / "cgitrc"
        settings.write_text(f"virtual-root=/cgit/\nscan-path={projects}\n")
        config += f"[app cgit]\ntype = cgi\nprogram = {CGIT}\nmount = /cgit\nenv.CGIT_CONFIG = {settings}\n"
    with Serving(build, tmp_path_factory.mktemp("server"), config) as running:
        running.url = "http://{}:{}/git".format(*running.address)
        yield running
        assert not running.lines("EVENT=worker-died") and not running.lines("EVENT=program-failed")


def test_clone_fetch_and_push(server, projects, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    git("clone", "--quiet", f"{server.url}/open.git", first)
    git("clone", "--quiet", f"{server.url}/open.git", second)
    assert git("rev-parse", "HEAD", cwd=first) == git("rev-parse", "HEAD", cwd=projects / "open.git")
    commit(first, "pushed", random.randbytes(2_000_000))  # more than http.postBuffer: sent in chunks
    git("push", "--quiet", "origin", "main", cwd=first)
    git("pull", "--quiet", "--ff-only", cwd=second)
    assert (second / "pushed").read_bytes() == (first / "pushed").read_bytes()
    git("fsck", "--strict", cwd=second)
    server.wait_for_line("POST /git/open.git/git-receive-pack HTTP/1.1 200", "APP=git")


def test_push_to_what_takes_none_is_refused(server, tmp_path):
    git("clone", "--quiet", "--depth", "1", f"{server.url}/shut.git", tmp_path / "mine")
    commit(tmp_path / "mine", "refused", b"x")
    assert "403" in git("push", "origin", "main", cwd=tmp_path / "mine", fails=True)
    assert "not found" in git("ls-remote", f"{server.url}/none.git", fails=True)
    assert "not found" in git("ls-remote", f"{server.url}/../../{tmp_path}/mine/.git", fails=True)


def test_shallow_and_partial_clones(server, tmp_path):
    git("clone", "--quiet", "--depth", "1", f"{server.url}/shut.git", tmp_path / "shallow")
    assert git("rev-list", "--count", "HEAD", cwd=tmp_path / "shallow") == "1\n"
    git("fetch", "--quiet", "--deepen", "3", cwd=tmp_path / "shallow")
    assert git("rev-list", "--count", "HEAD", cwd=tmp_path / "shallow") == "4\n"
    git("clone", "--quiet", "--no-checkout", "--filter=blob:none", f"{server.url}/shut.git", tmp_path / "partial")
    missing = git("rev-list", "--objects", "--missing=print", "HEAD", cwd=tmp_path / "partial").count("\n?")
    assert missing == FILES
    git("checkout", "--quiet", "main", cwd=tmp_path / "partial")
    assert (tmp_path / "partial/file-0").read_bytes() == (tmp_path / "shallow/file-0").read_bytes()


def test_compressed_request_is_the_programs_to_unpack(server):
    """As git sends those beyond 1 KiB."""
    body = gzip.compress(b"0014command=ls-refs\n0000")
    answer = server.ask("/git/shut.git/git-upload-pack", method="POST", body=body, headers=[
        ("Content-Encoding", "gzip"), ("Content-Type", "application/x-git-upload-pack-request"), ("Git-Protocol", "version=2")])
    assert answer.status == 200 and b"refs/heads/main" in answer.body


def test_pages_of_cgit(server):
    if not CGIT.exists():
        pytest.skip("cgit is not installed")
    answer = server.ask("/cgit/")
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/html") and b"shut.git" in answer.body
    answer = server.ask("/cgit/shut.git/log/")
    assert answer.status == 200 and b"file-7" in answer.body
    assert server.ask("/cgit/none.git/").status == 404


def test_cgit_in_a_browser(server, tmp_path):
    if not CGIT.exists():
        pytest.skip("cgit is not installed")
    shown = page(server.url.removesuffix("/git") + "/cgit/shut.git/log/", tmp_path)
    assert b"file-7" in shown and b"<title>" in shown
