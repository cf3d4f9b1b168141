"""How a topology becomes a running lab: sandbox, links, routes, verification. It holds no topology."""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("pyroute2") is None:
    # Stock `mn` runs on the system's Python: what longhaul installed stands in its own environment.
    sys.path.extend(str(path) for path in (Path(__file__).parents[2] / ".venv").glob("lib/python3*/site-packages"))
