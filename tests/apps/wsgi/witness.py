# SPDX-License-Identifier: LGPL-2.1-or-later
"""The shop with a witness: once a record is logged, its first line goes to a file, in one write that survives the process.

What a killed worker had logged is known by it, also where no answer tells.
"""
import logging
import os

from shop import app  # noqa: F401  pylint: disable=unused-import

FILE = os.open(os.path.join(os.environ["STATE_DIRECTORY"], "witness"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


class Witness(logging.Handler):
    """Comes after the handler that the server has put on the root logger."""

    def emit(self, record):
        os.write(FILE, (record.getMessage() + "\n").encode())


logging.getLogger().addHandler(Witness())
