"""A certificate authority for a lab, and a TLS certificate for names and addresses.

DIR/ca.pem is what clients trust (`longhaul node edge --origin-authority DIR/ca.pem`); it is made when DIR has none.
The certificate of all NAMEs is DIR/NAME.pem and its key DIR/NAME.key, after the first NAME.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from experiments.harness import options
from experiments.harness.status import HOLDS, UsageError
from nodes.http.authority import DEFAULT_LIFETIME_S, issue
from nodes.http.failure import Failure
from units import UnitError, milliseconds

EXAMPLE = "longhaul lab-ca certificates edge1.az1.mumbai localhost 127.0.0.1"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("folder", metavar="DIR", type=Path)
    parser.add_argument("names", metavar="NAME", nargs="+", help="a host name, *.domain, or an address")
    parser.add_argument("--lifetime", metavar="TIME", help="how long the certificate is valid (8760h); with a time below "
                                                           "zero, such as --lifetime=-1h, it has expired")  # fmt: skip
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """0 when the files are written."""
    try:
        lifetime_s = DEFAULT_LIFETIME_S if given.lifetime is None else milliseconds(given.lifetime) / 1e3
        made = issue(given.folder, given.names, lifetime_s)
    except (UnitError, Failure) as error:
        text = str(error) if isinstance(error, Failure) else f"could not issue a certificate: {error}"
        raise UsageError(text) from error
    paths = {"authority": str(made.authority), "certificate": str(made.certificate), "key": str(made.key)}
    print(json.dumps(paths) if given.json else "\n".join(f"{what:<12} {path}" for what, path in paths.items()))
    return HOLDS
