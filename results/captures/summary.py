"""A survey in words for a terminal, and as plain values for JSON. It reads nothing and computes no new figure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from results.captures.connection_table import Table
from results.captures.survey import Survey

_HEADS = ("stream", "client", "server", "packets", "down", "goodput", "rtt", "again", "fast/to/tlp", "reord", "ended")


def as_dict(found: Survey) -> dict[str, Any]:
    """Plain values; what is unknown is None."""
    records = found.capture.records
    return {
        "capture": str(found.capture.path), "format": records.kind, "whole": not records.problem,
        "packets": found.packets, "chosen": found.shown, "wire_bytes": found.wire_bytes,
        "first_ns": found.first_ns, "last_ns": found.last_ns, "protocols": found.protocols,
        "interfaces": [{"name": one.name, "comment": one.comment, "linktype": one.linktype, "snap_bytes": one.snap_bytes,
                        "received": one.received, "dropped": one.dropped} for one in records.interfaces],
        "comments": records.comments, "packet_comments": {str(frame): text for frame, text in records.packet_comments.items()},
        "notes": found.notes(), "connections": _rows(found.connections),
        "requests": _rows(found.requests), "handshakes": _rows(found.handshakes), "quic": _rows(found.quic),
        "lookups": _rows(found.lookups),
        "by_interface": found.apart,
    }  # fmt: skip


def _rows(table: Table) -> list[dict[str, Any]]:
    rows = zip(*(_plain(column) for column in table.values()), strict=True)
    return [dict(zip(table, row, strict=True)) for row in rows]


_APART = " (each interface for itself, so one transfer counts at each that has it)"


def text(found: Survey, top: int) -> str:
    """For a person: what the capture is, and its largest connections."""
    records, table = found.capture.records, found.connections
    seconds = (found.last_ns - found.first_ns) / 1e9
    lines = [f"{found.capture.path}: {records.kind}, {_count(found.packets)} packets"
             + ("" if found.shown == found.packets else f", {_count(found.shown)} chosen")
             + f", {_size(found.wire_bytes)} on the wire"
             + (f" in {seconds:.3f} s from {_moment(found.first_ns)}" if found.shown else "")]  # fmt: skip
    # mergecap's own comment has lines, of which some are empty.
    lines += [f"  {line.strip()}" for comment in records.comments for line in comment.splitlines() if line.strip()]
    lines += [f"  interface {one.name or '(unnamed)'}" + (f": {one.comment}" if one.comment else "")
              + (f", {_count(one.dropped)} dropped while capturing" if one.dropped else "")
              for one in records.interfaces if one.name or one.comment or one.dropped]  # fmt: skip
    if found.protocols:
        lines.append("  " + ", ".join(f"{name} {_count(number)}" for name, number in sorted(
            found.protocols.items(), key=lambda one: -one[1])))  # fmt: skip
    lines += [*_lookups(found), *_quic(found)]
    count = len(table["stream"])
    if count:
        again, new, sent = (int(sum(table[f"{name}_{way}"].sum() for way in ("up", "down")))
                            for name in ("retransmissions", "new_bytes", "bytes"))  # fmt: skip
        kinds = [_count(int(table[name].sum())) for name in ("fast", "timeouts", "tail_probes", "spurious")]
        lines.append(f"  {_many(count, 'TCP connection')}{_APART if found.apart else ''}, "
                     f"{_size(new)} of payload; {_size(sent - new)} sent again in "
                     f"{_many(again, 'segment')}: {kinds[0]} fast, {kinds[1]} time-outs, {kinds[2]} tail loss probes; "
                     f"{kinds[3]} of them needless")  # fmt: skip
        lines += _applications(found)
        shown = np.argsort(-(table["bytes_up"] + table["bytes_down"]), kind="stable")[:top]
        if top:
            at = [one.name or str(number) for number, one in enumerate(records.interfaces)] if found.apart else []
            lines += ["", *_aligned([(*_HEADS, *("at" for _ in at[:1])), *(_row(table, int(one), at) for one in shown)])]
        if top and count > top:
            lines.append(f"... and {_count(count - top)} smaller; --top N shows more, --csv DIR writes all")
    return "\n".join(lines)


def _applications(found: Survey) -> list[str]:
    lines = []
    for secret, kind in enumerate(("HTTP request", "encrypted exchange")):
        if count := int((mine := found.requests["encrypted"] == secret).sum()):
            waits = found.requests["wait_ms"][mine & np.isfinite(found.requests["wait_ms"])]
            lines.append(f"  {_many(count, kind)}, {_count(len(waits))} answered"
                         + (f", first byte after {np.median(waits):.2f} ms in the median" if len(waits) else ""))  # fmt: skip
    if count := len(found.handshakes["stream"]):
        times = found.handshakes["handshake_ms"][np.isfinite(found.handshakes["handshake_ms"])]
        versions = ", ".join(sorted({one or "unanswered" for one in found.handshakes["version"]}))
        lines.append(f"  {_many(count, 'TLS handshake')} ({versions}), {_count(int(found.handshakes['resumed'].sum()))} resumed"
                     + (f", {np.median(times):.2f} ms in the median" if len(times) else ""))  # fmt: skip
    return lines


def _lookups(found: Survey) -> list[str]:
    count = len(found.lookups["name"])
    times = found.lookups["took_ms"]
    done = times[np.isfinite(times)] if count else times
    return [f"  {_many(count, 'name look-up')}, {_count(len(done))} answered"
            + (f", {np.median(done):.2f} ms in the median" if len(done) else "")] if count else []  # fmt: skip


def _quic(found: Survey) -> list[str]:
    count = len(found.quic["version"])
    times = found.quic["handshake_ms"]
    done = times[np.isfinite(times)] if count else times
    versions = ", ".join(sorted(set(found.quic["version"])))
    return [f"  {_many(count, 'QUIC connection')} (version {versions}), {_count(len(done))} with a complete handshake"
            + (f", {np.median(done):.2f} ms in the median" if len(done) else "")] if count else []  # fmt: skip


def _row(table: dict[str, Any], one: int, at: list[str]) -> tuple[str, ...]:
    def value(name: str) -> Any:
        return table[name][one]

    way = "down" if value("bytes_down") >= value("bytes_up") else "up"
    # At a point away from the sender, samples are of a part of the way; the handshake is of the whole.
    times = [ms for name in (f"rtt_median_{way}_ms", "initial_rtt_ms", "handshake_ms") if math.isfinite(ms := value(name))]
    rtt = f"{max(times[:2]):.2f} ms" if times else "-"
    ended = "RST" if value("rst_up") or value("rst_down") else "FIN" if value("fin_up") and value("fin_down") else "open"
    ends = [_endpoint(value(end), value(f"{end}_port")) for end in ("client", "server")]
    return (str(value("stream")), *ends, _count(int(value("packets"))), _size(int(value("bytes_down"))),
            _rate(value(f"goodput_{way}_bps")),
            rtt, _count(int(value("retransmissions_up") + value("retransmissions_down"))),
            f"{value('fast')}/{value('timeouts')}/{value('tail_probes')}", str(value("out_of_order")), ended,
            *([at[value("interface")]] if at else []))  # fmt: skip


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    left = {1, 2, 10, 11}
    padded = ([cell.ljust(width) if number in left else cell.rjust(width)
               for number, (cell, width) in enumerate(zip(row, widths, strict=True))] for row in rows)  # fmt: skip
    return ["  ".join(row).rstrip() for row in padded]


def _plain(column: Any) -> list[Any]:
    values = column if isinstance(column, list) else column.tolist()
    return [None if isinstance(value, float) and not math.isfinite(value) else value for value in values]


def _endpoint(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _count(number: int) -> str:
    return f"{number:,}"


def _many(number: int, name: str) -> str:
    return f"{_count(number)} {name}{'' if number == 1 else 's'}"


def _size(size: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def _rate(bps: float) -> str:
    if not math.isfinite(bps):
        return "-"
    for unit in ("bit/s", "kbit/s", "Mbit/s"):
        if bps < 1000:
            return f"{bps:.1f} {unit}"
        bps /= 1000
    return f"{bps:.1f} Gbit/s"


def _moment(time_ns: int) -> str:
    try:
        return datetime.fromtimestamp(time_ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, OSError, ValueError):
        return f"{time_ns} ns"
