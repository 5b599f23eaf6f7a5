# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates for tests, made by openssl in a folder of the test's own."""
import ssl
import subprocess
from pathlib import Path

KEYS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "rsa": ["-newkey", "rsa:2048"]}
# the system's own configuration makes an issuer of each certificate
CONFIG = "[req]\ndistinguished_name = name\n[name]\n"
ISSUER = ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,digitalSignature"]


class Identity:
    """A certificate with its key: signed by itself, or by an issuer. Without a usage it is one that issues others."""

    def __init__(self, folder, name="server", subject="/CN=localhost", names=("DNS:localhost", "IP:127.0.0.1"),
                 key="ec", issuer=None, usage="serverAuth,clientAuth"):
        self.certificate = Path(folder) / f"{name}.pem"
        self.key = Path(folder) / f"{name}.key"
        config = Path(folder) / "openssl.cnf"
        config.write_text(CONFIG, encoding="ascii")
        extensions = [f"subjectAltName={','.join(names)}", "subjectKeyIdentifier=hash",
                      *([f"extendedKeyUsage={usage}", "basicConstraints=critical,CA:FALSE"] if usage else ISSUER)]
        if issuer:
            extensions.append("authorityKeyIdentifier=keyid")
        openssl("req", "-x509", "-config", config, *KEYS[key], "-nodes", "-keyout", self.key, "-out", self.certificate,
                "-days", "2", "-subj", subject, *(word for text in extensions for word in ("-addext", text)),
                *(["-CA", issuer.certificate, "-CAkey", issuer.key] if issuer else []))

    def trusted(self):
        """For clients who trust this certificate and no other."""
        return ssl.create_default_context(cafile=self.certificate)


def openssl(*arguments):
    done = subprocess.run(["openssl", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
