"""A packet capture, ours or anyone's, to tables and figures; no root and no lab needed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.harness import options
from experiments.harness.status import HOLDS, INVALID, UsageError

if TYPE_CHECKING:  # numpy takes a tenth of a second, which a wrong option or a help text need not wait for
    from results.captures.between import Between
    from results.captures.survey import Survey, Visitor
    from results.logs import Record

_DRAWN = 12
"""Connections that the page draws, the largest."""
EXAMPLE = "longhaul analyse capture.pcapng --filter 'ip.addr == 10.1.0.0/16 and tcp.port == 80' --csv tables"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("captures", nargs="+", type=Path, metavar="CAPTURE",
                        help="pcap or pcapng, plain, gzip or Zstandard; - reads standard input")  # fmt: skip
    parser.add_argument("--filter", metavar="EXPRESSION", help="only packets that match, as in Wireshark's display filters")
    parser.add_argument("--top", type=int, default=10, metavar="N", help="connections shown, largest first (default 10)")
    parser.add_argument("--csv", type=Path, metavar="DIR",
                        help="write connections, requests, segments, rtt samples and packets as CSV")
    parser.add_argument("--parquet", type=Path, metavar="DIR", help="the same as Parquet (needs pyarrow)")
    parser.add_argument("--match", action="store_true",
                        help="find each packet again in the next capture: one-way delay, losses, reordering; "
                             "with --csv or --parquet, of each packet")  # fmt: skip
    parser.add_argument("--logs", type=Path, metavar="DIR",
                        help="daemons' logs in which requests are looked for; those of its run where a capture lies in one")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page with figures that opens in any browser")
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """0 when every capture was whole, 3 when one was damaged or cut: what came before the damage is shown."""
    from results.captures import series, summary

    wanted = _filter(given)
    surveys: list[tuple[Survey, list[dict[str, Any]]]] = []
    for number, path in enumerate(given.captures):
        drawn = series.Series(_DRAWN)
        found = _surveyed(path, wanted, given, number, (drawn.visit,) if given.html else ())
        surveys.append((found, drawn.chosen(found.connections["first_frame"])))
        if not given.json:
            print(("\n" if number else "") + summary.text(found, given.top))
            for note in found.notes():
                print(f"longhaul: {note}", file=sys.stderr)
    ways = list(_matched(given.captures, wanted)) if given.match else []
    if given.match:
        _delays(ways, given)
    if given.html:
        _pages(given.html, surveys, ways)
    if given.json:
        print(json.dumps([*(summary.as_dict(found) for found, _ in surveys), *(way.as_dict() for way in ways)]))
    else:
        for way in ways:
            print("\n" + way.text())
    return INVALID if any(found.capture.records.problem for found, _ in surveys) else HOLDS


def _filter(given: argparse.Namespace) -> Any:
    from results.captures import filters

    if given.top < 0:
        raise UsageError(f"could not show {given.top} connections: that is less than none; write 0 or more")
    try:
        return None if given.filter is None else filters.compiled(given.filter)
    except filters.FilterError as error:
        raise UsageError(str(error)) from error


def _pages(path: Path, surveys: list[tuple[Survey, list[dict[str, Any]]]], ways: list[Between]) -> None:
    """A page a capture; the second and later have their number in the name."""
    from results.captures import page

    for number, (found, chosen) in enumerate(surveys):
        file = path if number == 0 else path.with_stem(f"{path.stem}-{number + 1}")
        page.write(file, found, chosen, [{**way.as_dict(), "drawn": way.drawn()} for way in ways])


def _matched(paths: list[Path], wanted: Any) -> Iterator[Between]:
    """Both directions between neighbouring points: captures, or interfaces of one that has several."""
    from results.captures import between

    points = [point for path in paths for point in between.load(path, wanted)]
    if len(points) < 2:
        raise UsageError("could not match packets: there is one point, and none to compare with; give captures of two or more")
    yield from between.along(points)


def _surveyed(path: Path, wanted: Any, given: argparse.Namespace, number: int, visit: tuple[Visitor, ...]) -> Survey:
    """Survey one capture, and write its tables on the way."""
    from results.captures import connection_table, lookups, quic, requests, tables, waiting
    from results.captures.survey import survey

    kinds = _kinds(given)
    records = _records(path, given.logs)
    if not kinds:
        return survey(path, wanted, visit, records=records)
    prefix = f"{number + 1}-" if len(given.captures) > 1 else ""
    try:
        with ExitStack() as stack:
            later = {name: stack.enter_context(one) for name, one in (
                ("rtt", waiting.samples()), ("segments", waiting.segments()))}  # fmt: skip
            writers: list[dict[str, tables.Writer]] = []
            for kind, folder in kinds:
                folder.mkdir(parents=True, exist_ok=True)
                columns = {
                    "connections": tuple(connection_table.COLUMNS), "rtt": tuple(waiting.SAMPLE_COLUMNS),
                    "segments": tuple(waiting.SEGMENT_COLUMNS),
                    "packets": tables.PACKET_COLUMNS, "requests": tuple(requests.table([], requests.COLUMNS, [])),
                    "handshakes": tuple(requests.table([], requests.TLS_COLUMNS, [])), "quic": tuple(quic.COLUMNS),
                    "lookups": tuple(lookups.COLUMNS),
                }  # fmt: skip
                ending = kind.__name__.lower()
                writers.append({name: kind(folder / f"{prefix}{name}.{ending}", of) for name, of in columns.items()})
                for writer in writers[-1].values():
                    stack.callback(writer.close)
            found = survey(path, wanted, (*visit, *(one.visit for one in later.values())),
                           tuple(tables.packets_to(one["packets"]) for one in writers), records)
            for one in writers:
                for name in ("connections", "requests", "handshakes", "quic", "lookups"):
                    one[name].put(getattr(found, name))
                for name, rows in later.items():
                    for piece in rows.tables(found.connections["first_frame"]):
                        one[name].put(piece)
    except OSError as error:
        raise _unwritten(error) from error
    return found


def _delays(ways: list[Between], given: argparse.Namespace) -> None:
    """Write the one-way delay of each packet."""
    from results.captures import between

    try:
        for kind, folder in _kinds(given):
            with closing(kind(folder / f"delays.{kind.__name__.lower()}", tuple(between.COLUMNS))) as writer:
                for way in ways:
                    writer.put(way.table())
    except OSError as error:
        raise _unwritten(error) from error


def _kinds(given: argparse.Namespace) -> list[tuple[Any, Path]]:
    """What writes tables, and into which folder."""
    from results.captures import tables

    if given.parquet:
        tables.arrow()
    return [(kind, folder) for kind, folder in ((tables.Csv, given.csv), (tables.Parquet, given.parquet)) if folder]


def _unwritten(error: OSError) -> UsageError:
    return UsageError(f"could not write the tables: {error.filename or ''} {error.strerror}; name a folder that can be "
                      "written to, with room")  # fmt: skip


def _records(path: Path, folder: Path | None) -> tuple[Record, ...]:
    """Lines of the logs in `folder`, or of the run that a capture lies in; none otherwise."""
    from results import logs

    if folder is None:
        folder = path.absolute().parent.parent / "logs"
        if path.absolute().parent.name != "captures" or not folder.is_dir():
            return ()
    elif not folder.is_dir():
        raise UsageError(f"could not read logs: {folder} is no folder; name one with *.jsonl, as logs/ of a run")
    try:
        return logs.read(folder).records
    except OSError as error:
        raise UsageError(f"could not read logs: {error.filename} {error.strerror}; make it readable, or name another folder "
                         "with --logs") from error  # fmt: skip
