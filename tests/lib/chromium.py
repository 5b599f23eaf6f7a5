# SPDX-License-Identifier: LGPL-2.1-or-later
"""A page as a browser sees it when all of it was loaded."""
import contextlib
import os
import shutil
import signal
import subprocess

import pytest


def page(url, profile):
    """The document after its scripts have run; `profile` is the browser's folder, with what it keeps."""
    if not shutil.which("chromium"):
        pytest.skip("chromium is not installed")
    browser = subprocess.Popen(["chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                                "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--timeout=20000", "--dump-dom", url],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               start_new_session=True, env={**os.environ, "HOME": str(profile)})
    try:
        return browser.communicate(timeout=60)[0]
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
