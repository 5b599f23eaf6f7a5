# SPDX-License-Identifier: LGPL-2.1-or-later
"""Programs of this machine's build with the libraries of a newer release: in a root of that, with this machine's network."""
import os

import pytest

from lib import roots
from lib.builds import TOP

NEWER = {"bookworm": "trixie"}  # a program does not run with an older C library than it was linked with

# the program has its process id, its environment, and its files where they are here
ENTER = """
set -e
root=$1 work=$2 top=$3 folder=$4
shift 4
mount -t tmpfs tmpfs "$work"
mkdir "$work/upper" "$work/work" "$work/tree"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$work/upper,workdir=$work/work" "$work/tree"
for path in /proc /dev "$top" "$folder"; do
	mkdir -p "$work/tree$path"
	mount --rbind "$path" "$work/tree$path"
done
exec chroot "$work/tree" "$@"
"""


def wrapper(build, work, folder):
    """What to put before a command that has its files below `folder`; `work` is an empty one."""
    suite = NEWER.get(roots.own_suite())
    if not suite or os.geteuid() != 0 or build.is_sanitized:
        pytest.skip("a newer release of what this build needs is not installed")
    return ["unshare", "--mount", "sh", "-c", ENTER, "sh", roots.root(suite, "run"), work, TOP, folder]
