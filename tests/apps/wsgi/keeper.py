# SPDX-License-Identifier: LGPL-2.1-or-later
"""An authentication plug-in of Radicale that knows one user, for where its htpasswd cannot be."""
from radicale.auth import BaseAuth


class Auth(BaseAuth):
    def _login(self, login, password):
        return login if (login, password) == ("ann", "secret") else ""

    # Radicale 3.5 has a login() that calls the above, and returns more
    if not hasattr(BaseAuth, "_login"):
        login = _login
