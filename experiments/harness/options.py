"""Options that several verbs share. It adds them to a parser; it does not act on them, and it imports no lab."""

from __future__ import annotations

import argparse


def settings(parser: argparse.ArgumentParser) -> None:
    """`--set NAME=VALUE`, any number of times."""
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings",
                        help="change a setting (`longhaul list --settings` shows them); may be repeated")  # fmt: skip


def link(parser: argparse.ArgumentParser) -> None:
    """`--link auto|netem|relay`."""
    parser.add_argument("--link", choices=("auto", "netem", "relay"), default="auto",
                        help="what emulates the links; auto: netem where the kernel has it, else relay")  # fmt: skip


def json(parser: argparse.ArgumentParser) -> None:
    """`--json`."""
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
