"""What can go wrong with the VM. It prints nothing: `status.py` gives each its exit status.

    VmError                 the guest, its image or its files failed (1)
        VmUnsupportedError  this machine cannot: a tool, a right or room is missing (127)
"""

from __future__ import annotations


class VmError(Exception):
    """The VM did not do what was asked; the message says what was tried, why it failed and what to do."""


class VmUnsupportedError(VmError):
    """This machine has not what the VM needs; the message says how to change that."""
