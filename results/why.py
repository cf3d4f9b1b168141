"""One request's way, put together from the logs of a run: who placed it where and why, and when it was at which hop.

It judges nothing and guesses nothing: what no log tells is said to be missing. Records are joined by the client's address and
port; behind the first server, where ports are not logged, by target, sender and time, and it is said when several fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from results.logs import Logs, Record, read
from results.rundir import Run, RunError, load

SLACK_NS = 5_000_000
"""So far a record's times may lie outside the request that it belongs to: logs are written a little after the last byte."""
MOST_HOPS = 8


@dataclass(frozen=True)
class Step:
    """Something that happened at a node. `at_ms` counts from the beginning of the request; `took_ms` None: not known."""

    at_ms: float
    node: str
    what: str
    took_ms: float | None = None
    details: tuple[str, ...] = ()


@dataclass
class Way:
    """A request with its steps in the order of time, and what could not be found."""

    request: str
    client: str
    address: str
    url: str
    outcome: str
    steps: list[Step] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        steps = [{"at_ms": one.at_ms, "node": one.node, "what": one.what, "took_ms": one.took_ms,
                  "details": list(one.details)} for one in self.steps]  # fmt: skip
        return {"request": self.request, "client": self.client, "address": self.address, "url": self.url,
                "outcome": self.outcome, "steps": steps, "missing": self.missing}  # fmt: skip


def why(path: Path, request: str) -> Way:
    """The way of a request of a run: the number of its trial, with a dot and its own when the trial made several.

    Raises RunError.
    """
    run = load(path)
    try:
        logs = read(run.path / "logs")
    except OSError as error:
        raise RunError(f"could not read the logs of {path}: {error.strerror}; make them readable") from error
    try:
        return _Search(run, logs).way(_chosen(path, logs, request))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"could not explain the request {request} of {path}: a record of it is damaged ({error!r}); make the "
                       "run again") from error  # fmt: skip


def _chosen(path: Path, logs: Logs, request: str) -> Record:
    fetches = {str(one.said["request_id"]): one for one in logs.records if "fetch" in one.said and "request_id" in one.said}
    if request in fetches:
        return fetches[request]
    of_trial = [name for name in fetches if name.rpartition(".")[0] == request]
    if len(of_trial) == 1:
        return fetches[of_trial[0]]
    if of_trial:
        raise RunError(f"could not tell which request of {path} is meant by {request}: that trial made {len(of_trial)}; "
                       f"name one of {_some(of_trial)}")  # fmt: skip
    known = f"there are {_some(list(fetches))}" if fetches else "no measured fetch left a record in its logs"
    raise RunError(f"could not find the request {request} in {path}: {known}; give a trial's number, or TRIAL.NUMBER")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 6 else f"{', '.join(names[:3])} ... {', '.join(names[-2:])}"


class _Search:
    """The records of one run, and the search among them."""

    def __init__(self, run: Run, logs: Logs) -> None:
        self._logs = logs
        nodes = run.manifest.nodes
        self._address = {str(one["name"]): str(one.get("address", "")) for one in nodes}
        self._node = {address: name for name, address in self._address.items()}
        self._began_ns = 0.0

    def way(self, record: Record) -> Way:
        result = record.said["fetch"]
        ranked, lookup = result.get("ranked") or {}, result.get("lookup") or {}
        client, address = record.node, self._address.get(record.node, "")
        list_ms = float(ranked.get("list_ms") or 0.0)
        tried_ms = sum(float(one.get("total_ms") or 0.0) for one in (ranked.get("tries") or [])[:-1])
        started_ns = int(result["started_ns"])
        self._began_ns = started_ns - (list_ms + tried_ms) * 1e6
        found = Way(str(record.said["request_id"]), client, address, str(ranked.get("list_url") or result.get("url")),
                    _outcome(result))  # fmt: skip
        found.missing += [f"lines of {name} that are no records: {count}" for name, count in self._logs.broken.items()]
        if ranked:
            self._listed(found, ranked, list_ms)
        if lookup:
            self._looked_up(found, started_ns, lookup)
        self._fetched(found, started_ns, result)
        found.steps.sort(key=lambda one: one.at_ms)
        return found

    def _at(self, ns: float) -> float:
        return round((ns - self._began_ns) / 1e6, 3)

    def _one(self, found: Way, what: str, fits: Callable[[Record], bool]) -> Record | None:
        """The record that fits; it is said when none does, or several."""
        several = [one for one in self._logs.records if fits(one)]
        if not several:
            found.missing.append(f"no log has {what}")
            return None
        if len(several) > 1:
            found.missing.append(f"{len(several)} records fit {what}; the first is shown")
        return several[0]

    def _listed(self, found: Way, ranked: Mapping[str, Any], list_ms: float) -> None:
        who, target = f"{found.address}:{ranked.get('list_port')}", _target(str(ranked.get("list_url")))
        found.steps.append(Step(0.0, found.client, f"asks for a ranked list: {ranked.get('list_url')}", list_ms))
        record = self._one(found, f"steering's answer to {who}",
                           lambda one: one.said.get("client") == who and one.said.get("target") == target)  # fmt: skip
        if record is not None:
            found.steps.append(Step(self._at(record.began_ns), record.node, f"ranks the edges for {found.address}",
                                    record.took_ms, tuple(_decided(record.said.get("decision") or {}))))  # fmt: skip
        at_ms = list_ms
        for one in ranked.get("tries") or []:
            if one.get("error"):
                label = one.get("miss") or "unknown"
                what = f"tries rank {one['rank']} ({one['site']}): {one['url']}"
                found.steps.append(Step(round(at_ms, 3), found.client, what, one.get("total_ms"),
                                        (f"not served: {one['error']}; counted as {label}",)))  # fmt: skip
            at_ms += float(one.get("total_ms") or 0.0)

    def _looked_up(self, found: Way, began_ns: int, lookup: Mapping[str, Any]) -> None:
        took_ms = float(lookup.get("took_ms") or 0.0)
        host = urlsplit(found.url).hostname or ""
        where = str(lookup.get("resolver", "")).rpartition(":")[0]
        addresses = ", ".join(map(str, lookup.get("addresses") or [])) or "no address"
        found.steps.append(Step(self._at(began_ns), found.client, f"looks up {host} at {lookup.get('resolver')}", took_ms,
                                (f"told {addresses} ({lookup.get('rcode') or 'no answer'})",)))  # fmt: skip
        ended_ns = began_ns + took_ms * 1e6
        record = self._one(found, f"the look-up of {host} by {found.address}", lambda one: (
            "resolved" in one.said and one.said.get("client") == found.address and _same_name(one.said.get("name"), host)
            and one.node == self._node.get(where, one.node) and one.during(began_ns, ended_ns, SLACK_NS)))  # fmt: skip
        if record is None:
            return
        told = record.said
        subnet = f"with the client's network {told['subnet']}" if told.get("subnet") else "without a word of the client"
        source = {"kept": "answers from what it keeps", "asked": f"asks {told.get('server')} {subnet}"}
        found.steps.append(Step(self._at(record.began_ns), record.node,
                                source.get(str(told.get("known_from")), f"cannot answer: {told.get('error')}"),
                                record.took_ms))  # fmt: skip
        if told.get("known_from") != "asked":
            return
        resolver = self._address.get(record.node, "")
        decided = self._one(found, f"steering's answer to {resolver}", lambda one: (
            "dns" in one.said and one.said.get("asked_by") == resolver and _same_name(one.said.get("name"), host)
            and one.during(record.began_ns, record.ended_ns, SLACK_NS)))  # fmt: skip
        if decided is not None:
            seen = f"ranks the sites for {decided.said.get('client')}"
            if decided.said.get("client") != found.address:
                seen += ", which is not the client" if not told.get("subnet") else ", the client's network"
            found.steps.append(Step(self._at(decided.began_ns), decided.node, seen, decided.took_ms,
                                    tuple(_decided(decided.said.get("decision") or {}))))  # fmt: skip

    def _fetched(self, found: Way, began_ns: float, result: Mapping[str, Any]) -> None:
        dns_ms = float(result.get("dns_ms") or 0.0)
        times = {"connected": "connect_ms", "TLS": "tls_ms", "request sent": "request_sent_ms", "first byte": "first_byte_ms",
                 "last byte": "total_ms"}  # fmt: skip
        shown = [f"{words} at {self._at(began_ns + float(result[name]) * 1e6):.1f} ms" for words, name in times.items()
                 if result.get(name)]  # fmt: skip
        total_ms = float(result.get("total_ms") or 0.0)
        found.steps.append(Step(self._at(began_ns + dns_ms * 1e6), found.client,
                                f"fetches {result.get('url')} from {result.get('remote') or 'nobody'}",
                                round(total_ms - dns_ms, 3), (", ".join(shown), found.outcome)))  # fmt: skip
        who = f"{found.address}:{result.get('local_port')}"
        target = _target(str(result.get("url")))
        if result.get("remote"):
            ended_ns = began_ns + total_ms * 1e6
            record = self._one(found, f"the answer to {who}", lambda one: (
                one.said.get("client") == who and one.said.get("target") == target
                and one.during(began_ns, ended_ns, SLACK_NS)))  # fmt: skip
            self._hops(found, record, target)

    def _hops(self, found: Way, record: Record | None, target: str) -> None:
        """A server's record, and those of the servers behind it."""
        for _ in range(MOST_HOPS):
            if record is None:
                return
            found.steps.append(Step(self._at(record.began_ns), record.node, _served(record.said), record.took_ms,
                                    tuple(_served_details(record.said))))  # fmt: skip
            if record.said.get("upstream_ms") is None and "chosen_node" not in record.said:
                return
            asked = f"what {record.node} asked for {target}"
            record = self._one(found, asked, partial(_behind, record, self._address.get(record.node, ""), target))


def _behind(before: Record, sender: str, target: str, one: Record) -> bool:
    """Whether a record is of what the server of another one asked for it."""
    chosen = before.said.get("chosen_node") or one.node
    return (one.said.get("target") == target and str(one.said.get("client", "")).rpartition(":")[0] == sender
            and one.node == chosen != before.node and one.during(before.began_ns, before.ended_ns, SLACK_NS))  # fmt: skip


def _outcome(result: Mapping[str, Any]) -> str:
    if not result.get("ok"):
        return f"failed: {result.get('error')}"
    ranked = result.get("ranked") or {}
    said = f"{result.get('http_status')}, {int(result.get('size_bytes') or 0):,} bytes"
    if not ranked:
        return said
    miss = f", rank 0 was missed for {ranked['miss']}" if ranked.get("miss") else ""
    return f"{said} by rank {ranked.get('rank')} ({ranked.get('site')}){miss}"


def _decided(decision: Mapping[str, Any]) -> Iterable[str]:
    for one in decision.get("urls") or []:
        yield f"rank {one.get('rank')}: {one.get('edge')} at {one.get('site')}: {one.get('reason')}"
    for one in decision.get("passed_over") or []:
        yield f"rank {one.get('rank')}: {one.get('site')} passed over ({one.get('label')}): {one.get('why')}"
    if decision.get("passed_over_not_named"):
        yield f"{decision['passed_over_not_named']} more passed over"
    if decision.get("error"):
        yield f"refused: {decision['error']}"


def _served(said: Mapping[str, Any]) -> str:
    if "chosen_node" in said:
        return f"places it in zone {said.get('zone')} at node {said['chosen_node']}: {said.get('reason')}"
    return f"answers {said.get('status')}: {said.get('result')}"


def _served_details(said: Mapping[str, Any]) -> Iterable[str]:
    if said.get("cache_status") not in (None, "-"):
        yield f"cache: {said['cache_status']}"
    if said.get("upstream_ms") is not None:
        yield f"the server behind it began to answer after {said['upstream_ms']} ms"
    if said.get("failed"):
        yield f"others failed before: {said['failed']}"
    if said.get("steered"):
        yield f"chosen as rank {said['steered'].get('rank')}" + (f", missed for {said['steered']['miss']}"
                                                                 if said["steered"].get("miss") else "")  # fmt: skip
    if said.get("first_byte_ms") is not None:
        yield f"first byte after {said['first_byte_ms']} ms, {int(said.get('bytes') or 0):,} bytes"


def _target(url: str) -> str:
    parts = urlsplit(url)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _same_name(said: object, host: str) -> bool:
    return str(said).rstrip(".").lower() == host.rstrip(".").lower()
