# SPDX-License-Identifier: LGPL-2.1-or-later
"""An application that cannot be imported."""
raise RuntimeError("while it is imported")
