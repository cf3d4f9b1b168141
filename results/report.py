"""A run directory to `figures/*.svg` and one self-contained `report.html`. It changes no other file of the run.

Everything shown is computed anew from the files: numbers, figures and the verdict.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from results import one_way, panel, tables
from results.figures.registry import NothingToDraw, find
from results.judge import Verdict, judge
from results.rundir import Run, RunError, load
from results.shed import shed
from results.statistics import Estimate, estimate, ratio
from results.wording import fill, show, with_interval

DEFAULT_FIGURES: tuple[Mapping[str, Any], ...] = (
    {"kind": "topology"}, {"kind": "predicted"}, {"kind": "links"}, {"kind": "lateness"}, {"kind": "changes"},
)  # fmt: skip
"""Drawn in every report, where the run has something for them, beside what the manifest asks for."""

_HEADINGS = {"topology": "Where everything stands", "ecdf": "How the fetches spread", "links": "The links",
             "lateness": "How late frames left while the run went on",
             "changes": "How links changed while a trial ran",
             "waterfall": "Where the time went", "witnesses": "The same fetches, as each witness saw them",
             "sequence": "The same fetches, packet by packet", "predicted": "Against the prediction",
             "xy": "Against what was published", "series": "In time"}  # fmt: skip


def write(run_dir: Path) -> Path:
    """Write figures and `report.html` into a run directory; returns the report's path.

    Each file appears whole or not at all. Raises RunError.
    """
    run = load(Path(run_dir))
    verdict = judge(run)
    figures = draw_figures(run, verdict)
    page = render(run, verdict, figures)
    try:
        (run.path / "figures").mkdir(exist_ok=True)
        for figure in figures:
            if figure["svg"]:
                _write(run.path / "figures" / f"{figure['name']}.svg", str(figure["svg"]))
        _write(run.path / "report.html", page)
    except OSError as error:
        raise RunError(f"could not write the report of {run.path}: {error.strerror}; free some space or make the "
                       "directory writable, then run: longhaul report RUN") from error  # fmt: skip
    return run.path / "report.html"


def draw_figures(run: Run, verdict: Verdict) -> list[dict[str, str]]:
    """Every figure, as name, kind, title, SVG, and where it could not be drawn the reason instead. Raises RunError."""
    wanted = list(run.manifest.figures)
    asked = {request.get("kind") for request in wanted}
    wanted += [request for request in DEFAULT_FIGURES
               if request["kind"] not in asked and (run.changes or request["kind"] != "changes")]  # fmt: skip
    drawn: list[dict[str, str]] = []
    for request in wanted:
        kind = str(request.get("kind"))
        try:
            svg, missing = find(kind)(run, request, verdict), ""
        except NothingToDraw as reason:
            svg, missing = "", str(reason)
        except KeyError as error:
            raise run.error(f"the manifest's figure '{kind}' lacks {error}") from error
        except (TypeError, ValueError) as error:
            raise run.error(f"the figure '{kind}': {error}") from error
        number = sum(one["kind"] == kind for one in drawn) + 1
        drawn.append({"name": kind if number == 1 else f"{kind}-{number}", "kind": kind, "svg": svg, "missing": missing,
                      "title": str(request.get("title") or _HEADINGS.get(kind, kind))})  # fmt: skip
    return drawn


def answer(run: Run, outcome: str = "") -> str:
    """The answer's sentence with its numbers and 95 % intervals; empty when the manifest has none. Raises RunError.

    A value reads `61.24 ms (61.10 to 61.30 ms)`, a ratio `4.1 (4.0 to 4.2)`. Where all lack an interval for one reason, it is
    said once. Where the run's `outcome` is `invalid` it begins with that.
    """
    said = _answer(run)
    return f"Not to be trusted, for the reasons below: {said}" if said and outcome == "invalid" else said


def _answer(run: Run) -> str:
    samples = {name: (run.sample(one.metric, one.where), one) for name, one in run.manifest.values.items() if not one.ratio}
    found: dict[str, tuple[Estimate, str]] = {}
    for name, (values, quantity) in samples.items():
        if values:
            found[name] = estimate(values, quantity.statistic), quantity.metric
    for name, quantity in run.manifest.values.items():
        if quantity.ratio:
            above, below = (samples[part][0] if part in samples else [] for part in quantity.ratio)
            if above and any(below):
                found[name] = ratio(above, below, samples[quantity.ratio[0]][1].statistic), ""
    notes = {estimated.note for estimated, _ in found.values()}
    if len(found) > 1 and len(notes) == 1 and any(notes):
        said = {name: show(estimated.value, metric) for name, (estimated, metric) in found.items()}
        return f"{fill(run.manifest.template, said)} (Each number: {notes.pop()}.)"
    return fill(run.manifest.template, {name: with_interval(*one) for name, one in found.items()})


def render(run: Run, verdict: Verdict, figures: list[dict[str, str]]) -> str:
    """The page as HTML. Every text of the run is escaped; only figures drawn here go in as they are."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True,
                              undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)  # fmt: skip
    unit = re.compile(r"(?<=\d) (?=(?:[kMGT]i?)?(?:(?:[mun]?s|B|bit/s)\b|%))")
    environment.filters["together"] = lambda text: unit.sub("\u00a0", text)
    shown = [{**figure, "svg": Markup(figure["svg"])} for figure in figures]
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for figure in shown:
        by_kind.setdefault(figure["kind"], []).append(figure)
    page = environment.get_template("report.html.j2").render(
        manifest=run.manifest, verdict=verdict, answer=answer(run, verdict.outcome), figures=by_kind,
        statistics=tables.statistics_named(run), metrics=tables.metric_tables(run, verdict),
        others=tables.other_claims(run, verdict),
        bases=sorted({one.basis for one in run.manifest.claims} - {""}), links=panel.cards(run), cables=panel.cables(run),
        proof=panel.machine(run), delays=one_way.delays(run), fold=panel.SHOWN_AT_MOST,
        headings=_HEADINGS, began=tables.began(run),
        shed=shed(run), agreement=tables.agreement(run), caveats=tables.caveats(run, verdict), made=tables.how_made(run),
        machine=tables.machine(run), command=tables.command(run), counts=tables.counts(run))  # fmt: skip
    return re.sub(r"\n\s*\n+", "\n", page)


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.part")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
