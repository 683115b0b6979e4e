"""Lookwho as it stands in the sources: models and results that older sources made are not used."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bench import CACHE, ROOT
from bench.progress import shown
from lookwho.core import packs
from lookwho.core.types import Faces
from lookwho.files.analysis import analyze_files
from lookwho.files.results import Results

MEASURED = ROOT / "lookwho" / "core" / "measured.json"


def folder() -> Path:
    """Return the folder for what the present sources build, and drop those of older ones."""
    digest = hashlib.sha256(json.dumps(json.loads(MEASURED.read_text("utf-8"))["ranges"]).encode())
    for path in sorted((ROOT / "lookwho" / "core").glob("*.py")):
        digest.update(path.read_bytes())
    chosen = CACHE / f"engine-{digest.hexdigest()[:12]}"
    for other in CACHE.glob("engine-*"):
        if other != chosen:
            shutil.rmtree(other, ignore_errors=True)
    chosen.mkdir(parents=True, exist_ok=True)
    return chosen


def analyze(
    paths: Sequence[Path], what: str, *, processes: int | None = None, **settings: Any
) -> Iterator[Faces]:
    """Yield the faces of each photo, remembered where these sources have seen it before.

    Args:
        paths: the photos.
        what: is being done, for the bar.
        processes: how many; None for one a core.
        settings: pack, preset and int8, as for `Analyzer`.

    Raises:
        LookwhoError: a photo cannot be read.
    """
    chosen, cache = packs.settings(**settings), folder()
    results = Results(chosen, cache)
    try:
        outcomes = analyze_files(paths, chosen, processes=processes, cache=cache, results=results)
        for outcome in shown(outcomes, what, total=len(paths)):
            if outcome.error:
                raise outcome.error
            assert outcome.faces is not None  # an outcome is one or the other
            yield outcome.faces
    finally:
        results.close()
