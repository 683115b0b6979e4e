"""What was measured on photos and comes with Lookwho: int8 ranges and the calibration."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def measured() -> dict[str, Any]:
    """Return what `python -m bench calibrate` wrote: "ranges" and "calibration"."""
    text = files("lookwho.core").joinpath("measured.json").read_text(encoding="utf-8")
    return json.loads(text)
