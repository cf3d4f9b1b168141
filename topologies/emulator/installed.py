"""pyroute2, also under the system's own Python, where stock `mn` runs and longhaul's environment is not on the path.

Nothing else is imported from here; the relay's process must not come through it.
"""

import importlib.util
import sys
from pathlib import Path

if importlib.util.find_spec("pyroute2") is None:
    sys.path.extend(str(path) for path in (Path(__file__).parents[2] / ".venv").glob("lib/python3*/site-packages"))

from pyroute2 import IPRoute

__all__ = ["IPRoute"]
