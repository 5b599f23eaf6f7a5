# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a developer or packager does with the sources: the header under each standard, an installation under another prefix."""
import os
import re
import shutil

import pytest

from lib.builds import TOP
from lib.processes import finished

HEADER = """#include <appsrv/appsrv.h>
static int answer(appsrv_req *req, void *self)
{
    (void)self;
    return appsrv_send(req, 200, "text/plain", "a", 1);
}
"""
IN_C = HEADER + 'APPSRV_APP(.name = "a", .handle = answer);\n'
# without designated initialisers
BY_HAND = HEADER + """static appsrv_app description;
const appsrv_app *appsrv_app_main(uint32_t host_abi)
{
    description.size = sizeof(description);
    description.abi = APPSRV_ABI;
    description.name = "a";
    description.handle = answer;
    return host_abi >= APPSRV_ABI ? &description : 0;
}
"""
# what is installed is where it is meant to be, and all of it works together from there
INSTALLED = """
set -e
mount --bind "$1/usr/local" /usr/local
/usr/local/bin/appsrv version
printf '[app one]\\ntype = native\\npath = %s/hello.so\\n' "$1" >"$1/hello.ini"
export PKG_CONFIG_PATH=/usr/local/lib/pkgconfig
cc -shared -fPIC $(pkg-config --cflags appsrv) -o "$1/hello.so" "$2/packaging/examples/hello.c"
/usr/local/bin/appsrv check -c "$1/hello.ini"
systemd-analyze verify --man=no /usr/local/lib/systemd/system/appsrv.service
"""


@pytest.mark.parametrize("language, standard, text", [
    ("c", "c99", IN_C), ("c", "c11", IN_C), ("c", "c17", IN_C), ("c", "c2x", IN_C), ("c", "c99", BY_HAND),
    ("c++", "c++11", BY_HAND), ("c++", "c++17", BY_HAND), ("c++", "c++20", BY_HAND)])
def test_header_is_clean_under(language, standard, text):
    done = finished(["clang", "-x", language, f"-std={standard}", "-pedantic", "-Wall", "-Wextra", "-Wconversion", "-Werror",
                     f"-I{TOP}/include", "-fsyntax-only", "-"], 30, text=True, input=text)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_another_prefix_is_installed_and_works_from_there(tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = finished(["make", "-j2", "install", "FLAVOUR=prefix", "CFLAGS=-O0", "WERROR=", "prefix=/usr/local", f"DESTDIR={tmp_path}"], 140,
                    text=True, cwd=TOP, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    installed = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if not path.is_dir()}
    assert {"usr/local/bin/appsrv", "usr/local/lib/appsrv/welcome.so", "usr/local/share/man/man8/appsrv.8"} <= installed
    strange = [name for name in installed if not name.startswith(("usr/local/", "etc/appsrv/"))]
    assert strange == []
    for name in ("usr/local/share/man/man8/appsrv.8", "usr/local/lib/systemd/system/appsrv.service"):
        assert re.findall("@[A-Z_]+@", (tmp_path / name).read_text()) == [], name
    done = finished(["unshare", "--mount", "sh", "-c", INSTALLED, "installed", str(tmp_path), str(TOP)], 60, text=True)
    assert done.returncode == 0 and done.stdout.startswith("appsrv "), done.stdout + done.stderr
    assert done.stderr == ""
    shutil.rmtree(TOP / "build/prefix")
