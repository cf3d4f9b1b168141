"""A run directory read with pandas, step by step. It needs a run and pandas, no lab and nothing of Longhaul's own.

    .venv/bin/python docs/walkthrough.py results/runs/edge-vs-origin/20261123T003000Z-ab12cd

Editors that know `# %%` show each step as a cell. What every file and column means stands in results/README.md.
"""

# %% The run: a folder of plain files.
import json
import sys
from pathlib import Path

import pandas as pd

run = Path(sys.argv[1])
manifest = json.loads((run / "manifest.json").read_text())
print(manifest["experiment"]["question"])
print("verdict:", (manifest.get("verdict") or {}).get("outcome", "not judged"))

# %% The trials: one row each, raw. A trial counts when it is no warm-up, its instruments were trustworthy, and it succeeded.
trials = pd.read_csv(run / "trials.csv")
counting = trials[(trials.warmup == 0) & (trials.valid == 1) & (trials.ok == 1)]
print(f"\n{len(trials)} trials, {int((trials.warmup == 1).sum())} of them warm-ups; {len(counting)} count")
for reason, rows in trials[(trials.warmup == 0) & ~trials.index.isin(counting.index)].groupby("reason"):
    print(f"  set aside: {len(rows)} ({reason})")

# %% The arms: what was compared. Their medians and spread, in the order in which the experiment names them.
factors = manifest["factors"]
for factor in factors:
    counting = counting.assign(**{factor: pd.Categorical(counting[factor], manifest["levels"][factor])})
metric = manifest["claims"][-1]["metric"]
spread = counting.groupby(factors, observed=True)[metric].describe(percentiles=[0.05, 0.5, 0.95])
print(f"\n{metric}: {manifest['columns'].get(metric, '')}")
print(spread[["count", "5%", "50%", "95%"]].round(2).to_string())

# %% The claims: each statistic beside the band that it had to keep. This is what the verdict is made of.
STATISTICS = {"median": pd.Series.median, "mean": pd.Series.mean, "min": pd.Series.min, "max": pd.Series.max}


def measured(claim, where):
    arm = counting
    for factor, level in where.items():
        arm = arm[arm[factor] == level]
    name = claim["statistic"]
    return STATISTICS[name](arm[claim["metric"]]) if name in STATISTICS else arm[claim["metric"]].quantile(int(name[1:]) / 100)


claims = pd.DataFrame(manifest["claims"])[["name", "low", "predicted", "high"]]
claims["measured"] = [measured(one, one["where"]) / (measured(one, one["over"]) if one.get("over") else 1)
                      for one in manifest["claims"]]  # fmt: skip
claims["inside"] = claims.measured.between(claims.low.fillna(-float("inf")), claims.high.fillna(float("inf")))
print("\n" + claims.round(3).to_string(index=False))

# %% Differences within a block: each repetition measured every arm once, so what drifts over a run touches all of them alike.
blocks = counting.pivot_table(index="repetition", columns=factors, values=metric, observed=True)
first, last = blocks.columns[0], blocks.columns[-1]
print(f"\n{first} - {last}, block by block: median {(blocks[first] - blocks[last]).median():.2f}")

# %% The links: as specified, and as they were measured before the first trial and after the last.
links = json.loads((run / "links.json").read_text())["links"]
rtts = pd.DataFrame([{"link": one["name"], "specified": one["specified"]["rtt_ms"],
                      **{when: ((one.get(when) or {}).get("rtt_ms") or {}).get("median") for when in ("before", "after")},
                      "ok": one["ok"]} for one in links])  # fmt: skip
print("\n" + rtts.to_string(index=False))

# %% Samples in time, where the experiment kept some: `series/NAME.csv`, with the trial's number in front.
for path in sorted((run / "series").glob("*.csv")):
    series = pd.read_csv(path)
    print(f"\n{path.name}: {len(series)} rows of {', '.join(series.columns[1:])}")
    print(series.groupby("trial").mean(numeric_only=True).head().round(3).to_string())
