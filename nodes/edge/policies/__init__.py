"""Eviction policies, one file each, found by presence: a new file here is a new name for `--policy`.

Each is one class behind the interface in `machinery/policy.py`; admission rules are in `admission/`.
"""
