# SPDX-License-Identifier: LGPL-2.1-or-later
"""A real `appsrv serve` as a child process on a free loopback port."""
import contextlib
import ctypes
import os
import re
import signal
import socket
import subprocess
import threading
from pathlib import Path

from lib import builds
from lib.client import Server
from lib.processes import children, die_with_parent
from lib.wait import wait_until

SECONDS_TO_START = 30
SECONDS_TO_STOP = 45
FINDINGS = ("ERROR: AddressSanitizer", "ERROR: LeakSanitizer", "runtime error:", "WARNING: ThreadSanitizer")


class Serving(Server):
    """The running server; a context manager that ends it with SIGTERM and looks at how it ended."""

    def __init__(self, build, folder, config="", application="probe", arguments=(), wrapper=(), identity=None):
        super().__init__(free_port(), context=identity and identity.trusted())
        self.build = build
        self.folder = Path(folder)
        self.identity = identity
        self.config_file = self.folder / "appsrv.ini"
        self.write_config(config, application)
        self.command = [*map(str, wrapper), str(build.program), "serve", "-c", str(self.config_file),
                        "--listen", "{}{}:{}".format("https:" if identity else "", *self.address), "--log", "console", *map(str, arguments)]
        self.output_file = self.folder / "output"
        self.notified = []
        self.process = None

    def write_config(self, config, application="probe"):
        """Replaces the configuration; with an application at / and a certificate, unless the text has them itself."""
        if self.identity and "[tls]" not in config:
            config += f"\n[tls]\ncertificate = {self.identity.certificate}\nkey = {self.identity.key}\n"
        if application and "[app " not in config:
            config += f"\n[app {application}]\ntype = native\npath = {self.build.application(application)}\nmount = /\n"
        self.config_file.write_text(config, encoding="utf-8")

    def __enter__(self):
        self._notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notify.bind(str(self.folder / "manager"))
        self._manager = threading.Thread(target=self._listen, daemon=True)
        self._manager.start()
        runtime = self.folder / "runtime"
        runtime.mkdir(mode=0o700, exist_ok=True)
        with open(self.output_file, "wb") as output:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                preexec_fn=die_with_parent, cwd=self.folder,
                env=builds.environment(NOTIFY_SOCKET=str(self.folder / "manager"), RUNTIME_DIRECTORY=str(runtime)))
        try:
            self.wait_for_state("READY=1", SECONDS_TO_START)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, failure, *_):
        status = self.stop() if failure is None else None
        self._end()
        if failure is None:
            assert status == 0, f"exit status {status} after SIGTERM\n{self.output()}"
            found = [word for word in FINDINGS if word in self.output()]
            assert not found, self.output()

    def _end(self):
        # the workers are in the same process group, and a failed test leaves none of them
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        # an empty message ends the thread that listens
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", str(self.folder / "manager"))
        self._manager.join()
        self._notify.close()

    def _listen(self):
        """Reads as a service manager does: at once, or whoever tells it something waits. Descriptors are dropped."""
        while message := self._notify.recv(65536):
            self.notified += message.decode().splitlines()

    def stop(self):
        """Ends the server as systemd does, and returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(SECONDS_TO_STOP)

    # -- what it says ---------------------------------------------------------

    def states(self):
        """All that it told the service manager so far, one string a field."""
        return list(self.notified)

    def wait_for_state(self, state, seconds=SECONDS_TO_START, after=0):
        """Waits until `state` was told, counting from the `after`th field."""
        def told():
            assert self.process.poll() is None, f"ended with {self.process.returncode}\n{self.output()}"
            return state in self.states()[after:]
        try:
            wait_until(told, seconds, f"{state} is told")
        except AssertionError as reason:
            raise AssertionError(f"{reason}\n{self.output()}") from None

    def output(self):
        return self.output_file.read_text(encoding="utf-8", errors="replace")

    def lines(self, *words):
        """The lines of the console log that have all these words."""
        return [line for line in self.output().splitlines() if all(word in line for word in words)]

    def wait_for_line(self, *words, seconds=10, after=0):
        return wait_until(lambda: self.lines(*words)[after:], seconds, f"a line with {words}\n{self.output()}")[-1]

    def report(self):
        """For pytest: what to show beside a failure."""
        return self.output()[-8000:]

    # -- processes ------------------------------------------------------------

    def workers(self):
        return children(self.process.pid)

    def microhttpd(self):
        """The version of libmicrohttpd that the server has loaded: "0.9.75"."""
        maps = Path(f"/proc/{self.process.pid}/maps").read_text(encoding="utf-8")
        library = ctypes.CDLL(re.search(r"/\S*/libmicrohttpd\.so\S*", maps)[0])
        library.MHD_get_version.restype = ctypes.c_char_p
        return library.MHD_get_version().decode()

    def signal(self, number):
        self.process.send_signal(number)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
