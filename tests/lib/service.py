# SPDX-License-Identifier: LGPL-2.1-or-later
"""appsrv as installed in a container: its settings, its workers, its records."""
import re

from lib.client import Load, Server
from lib.wait import wait_until

UNIT = "appsrv.service"
PROBE = "/usr/local/lib/appsrv-tests/probe.so"
SETTINGS = "/etc/appsrv/conf.d/50-tests.ini"
# with all that a client can put into a record
FOUR_WORKERS = ("[log]\naccess_fields = user_agent, referer, http_host, trace_id\n"
                "[server]\nworkers = 4\nthreads = 2\n")
USE_PROBE = f"[app probe]\ntype = native\npath = {PROBE}\nmount = /\n"
# of requests that went as they should
ORDINARY = re.compile(r" HTTP/1\.1 200 |GET /work\?\S* HTTP/1\.1 \d+ 3B|: work$")


class Service(Server):
    """The service of one container; asking it is asking its port from a client in the container's network."""

    def __init__(self, container, built):
        super().__init__(8080, container.network)
        self.container = container
        self.built = built

    def install(self):
        self.container.install(self.built.deb("appsrv"))

    # -- settings -------------------------------------------------------------

    def configure(self, text=FOUR_WORKERS, application=USE_PROBE):
        """Writes the one configuration file of the tests; it takes effect at the next start or reload."""
        if application == USE_PROBE and not self.container.path(PROBE).exists():
            self.container.copy_in(self.built.application("probe"), PROBE)
        self.container.write_file(SETTINGS, text + application)

    def is_configured(self, text=FOUR_WORKERS, application=USE_PROBE):
        """Whether the configuration file is still as configure() with the same arguments leaves it."""
        return self.container.path(SETTINGS).read_text(encoding="utf-8") == text + application

    def drop_in(self, text, name="50-tests.conf"):
        """Writes a drop-in of the unit."""
        self.container.write_file(f"/etc/systemd/system/{UNIT}.d/{name}", text)
        self.container.systemctl("daemon-reload")

    def begin(self):
        """Starts or restarts the service with the settings as they are; returns when it serves."""
        self.container.systemctl("start", "appsrv.socket")
        self.container.systemctl("restart", UNIT)
        return self

    # -- processes ------------------------------------------------------------

    def master(self):
        return int(self.container.property(UNIT, "MainPID"))

    def workers(self):
        """The pids of the living workers as seen inside."""
        master = self.master()
        children = self.container.path(f"/proc/{master}/task/{master}/children")
        return [int(word) for word in children.read_text(encoding="ascii").split()] if master else []

    def wait_for_workers(self, number, without=(), seconds=20):
        """Waits until `number` workers are alive and none of them is in `without`."""
        def there():
            alive = self.workers()
            return alive if len(alive) == number and not set(alive) & set(without) else None
        return wait_until(there, seconds, f"{number} workers without {without}")

    # -- clients --------------------------------------------------------------

    def load(self, **options):
        return Load(self, **options)

    # -- records --------------------------------------------------------------

    def records(self, *matches, since=None):
        return self.container.journal(*matches, unit=UNIT, since=since)

    def access_records(self, since=None):
        return self.records("RECORD=access", since=since)

    def wait_for_access_records(self, number, since=None, seconds=20):
        """Waits until there are at least that many, and returns them: the last may still be on their way."""
        def there():
            records = self.access_records(since)
            return records if len(records) >= number else None
        return wait_until(there, seconds, f"{number} access records")

    def events(self, name, since=None):
        return self.records(f"EVENT={name}", since=since)

    def wait_for_event(self, name, *matches, since=None, seconds=20):
        return wait_until(lambda: self.records(f"EVENT={name}", *matches, since=since), seconds,
                          f"event {name} {' '.join(matches)}")[0]

    def mark(self):
        """A place in the journal; records(since=...) gives what came after it."""
        return self.container.journal_mark()

    def report(self):
        """For pytest: what to show beside a failure, without the requests that went well."""
        lines = self.container.journal_text("-n", "6000", "-o", "short-precise").splitlines()
        return "\n".join([line for line in lines if not ORDINARY.search(line)][-60:])
