"""The error of a capture that cannot be read or written; it is not the error of a run directory (`results.rundir`)."""

from __future__ import annotations


class CaptureError(Exception):
    """A capture file that is not whole, not a capture, or does not hold what was asked for.

    The text reads `could not read FILE: CAUSE; WHAT TO DO`.
    """


class TruncatedCapture(CaptureError):
    """A capture that ends within a record: its writer was killed, or the disk was full."""
