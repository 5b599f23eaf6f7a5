# SPDX-License-Identifier: LGPL-2.1-or-later
"""Any application behind wsgiref's validator: module = validated:around(), VALIDATED=MODULE:NAME.

What the validator has to say is an exception. Two of its complaints are none: that it does not know a method, and that
read() has no size, which PEP 3333 allows and Flask does.
"""
import importlib
import os
import warnings
from wsgiref import validate


class Input(validate.InputWrapper):
    def read(self, *size):
        return super().read(*(size or (-1,)))


def around():
    validate.InputWrapper = Input
    warnings.simplefilter("error", validate.WSGIWarning)
    warnings.filterwarnings("ignore", "Unknown REQUEST_METHOD", validate.WSGIWarning)
    module, _, name = os.environ["VALIDATED"].partition(":")
    found = getattr(importlib.import_module(module), name.removesuffix("()"))
    return validate.validator(found() if name.endswith("()") else found)
