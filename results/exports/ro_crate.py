"""RO-Crate 1.1: `ro-crate-metadata.json` in the run directory, which makes that directory a crate for an archive.

It copies nothing: the run's files stay where they are and are listed with their sizes and digests.
See https://w3id.org/ro/crate/1.1.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

from results import report
from results.exports.machinery.request import Request
from results.judge import judge

USES = ("licence",)
NAME, SPECIFICATION = "ro-crate-metadata.json", "https://w3id.org/ro/crate/1.1"

MEDIA = {
    ".json": "application/json", ".csv": "text/csv", ".svg": "image/svg+xml", ".html": "text/html",
    ".pcapng": "application/x-pcapng", ".jsonl": "application/x-ndjson", ".parquet": "application/vnd.apache.parquet",
    ".gz": "application/gzip", ".stderr": "text/plain",
}  # fmt: skip
ABOUT = {
    "manifest.json": "what was asked, claimed and used, and the verdict", "trials.csv": "every measured trial, raw",
    "links.json": "each link as specified and as measured", "report.html": "the report, made from the other files",
}  # fmt: skip


def write(request: Request) -> list[Path]:
    """The one file. Raises ExportError and RunError."""
    path = request.run.path / NAME
    partial = path.with_name(f".{NAME}.partial")
    with request.explained(path):
        partial.write_text(json.dumps(document(request), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(partial, path)
    return [path]


def document(request: Request) -> dict[str, Any]:
    """The JSON-LD. `sha256` is schema.org's, which the context of 1.1 does not have yet."""
    files = [_file(request.run.path, path) for path in _paths(request.run.path)]
    graph = [
        {"@id": NAME, "@type": "CreativeWork", "about": {"@id": "./"}, "conformsTo": {"@id": SPECIFICATION}},
        _root(request, files), _licence(request), *_making(request, files), *_settings(request), *files,
    ]  # fmt: skip
    return {"@context": [f"{SPECIFICATION}/context", {"sha256": "https://schema.org/sha256"}], "@graph": graph}


def _paths(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*"))
            if path.is_file() and not path.name.startswith(".") and path.name != NAME]  # fmt: skip


def _file(folder: Path, path: Path) -> dict[str, Any]:
    name = path.relative_to(folder).as_posix()
    with path.open("rb") as file:
        digest = sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return {"@id": quote(name), "@type": "File", "name": name, "contentSize": str(path.stat().st_size),
            "encodingFormat": MEDIA.get(path.suffix, "application/octet-stream"), "sha256": digest.hexdigest(),
            **({"description": ABOUT[name]} if name in ABOUT else {})}  # fmt: skip


def _root(request: Request, files: list[dict[str, Any]]) -> dict[str, Any]:
    run = request.run
    verdict = judge(run)
    said = [run.manifest.question, run.manifest.summary, report.answer(run),
            f"Verdict: {verdict.outcome} ({'; '.join(verdict.reasons)})."]  # fmt: skip
    return {"@id": "./", "@type": "Dataset", "name": f"{run.manifest.name}, {run.manifest.run_id}",
            "description": " ".join(filter(None, said)), "identifier": run.manifest.run_id,
            "datePublished": str(run.manifest.raw.get("ended") or run.manifest.raw.get("started") or ""),
            "license": {"@id": request.licence or "#licence"}, "hasPart": [{"@id": one["@id"]} for one in files],
            "mentions": {"@id": "#run"}, "variableMeasured": [{"@id": one["@id"]} for one in _settings(request)]}  # fmt: skip


def _licence(request: Request) -> dict[str, Any]:
    if request.licence:
        return {"@id": request.licence, "@type": "CreativeWork", "name": request.licence}
    return {"@id": "#licence", "@type": "CreativeWork", "name": "not stated",
            "description": "No licence was stated when this description was made (--licence)."}  # fmt: skip


def _making(request: Request, files: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How the files came to be: the action, the software with its revision, and the machine."""
    raw: Mapping[str, Any] = request.run.manifest.raw
    code, machine, tools = raw.get("code") or {}, raw.get("machine") or {}, raw.get("tools") or {}
    made = [{"@id": f"#tool-{quote(str(name))}", "@type": "SoftwareApplication", "name": name, "softwareVersion": str(version)}
            for name, version in tools.items()]  # fmt: skip
    return [
        {"@id": "#run", "@type": "CreateAction", "name": str(raw.get("command") or "longhaul run"),
         "startTime": raw.get("started"), "endTime": raw.get("ended"),
         "instrument": [{"@id": "#longhaul"}, {"@id": "#machine"}], "result": [{"@id": one["@id"]} for one in files]},
        {"@id": "#longhaul", "@type": "SoftwareApplication", "name": "longhaul", "version": str(code.get("version", "")),
         "identifier": str(code.get("revision", "")), "softwareRequirements": [{"@id": one["@id"]} for one in made]},
        {"@id": "#machine", "@type": "IndividualProduct", "name": str(machine.get("model", "")),
         "description": f"Linux {machine.get('kernel')}, {machine.get('cpus')} processors; links by {raw.get('link_backend')}"},
        *made,
    ]  # fmt: skip


def _settings(request: Request) -> list[dict[str, Any]]:
    raw = request.run.manifest.raw
    given = {**((raw.get("topology") or {}).get("settings") or {}), **(raw.get("settings") or {}), "seed": raw.get("seed")}
    return [{"@id": f"#setting-{quote(name)}", "@type": "PropertyValue", "name": name, "value": str(value)}
            for name, value in given.items() if value not in (None, "")]  # fmt: skip
