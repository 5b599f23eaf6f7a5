# SPDX-License-Identifier: LGPL-2.1-or-later
"""An authentication plug-in of Radicale that knows one user, for where its htpasswd cannot be."""
from radicale.auth import BaseAuth


class Auth(BaseAuth):
    def login(self, login, password):
        return login if (login, password) == ("ann", "secret") else ""
