"""Analyses files over all cores, remembering what was found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lookwho.core import batch
from lookwho.core.batch import Outcome
from lookwho.files.results import Results


def analyze_files(
    items: Iterable[str | os.PathLike[str] | Outcome],
    settings: Mapping[str, Any],
    *,
    processes: int | None = None,
    cache: Path | None = None,
    results: Results | None = None,
) -> Iterator[Outcome]:
    """Yield an outcome for each file, in order; files whose result is remembered cost nothing.

    Args:
        items: paths, or outcomes that are known already.
        settings: of the engine, as `packs.settings` makes them.
        processes: how many; None for one a core.
        cache: the folder of the model cache; None for this user's own.
        results: what is remembered; None to remember nothing.

    Raises:
        ModelError: the models cannot be loaded.
    """

    def unknown() -> Iterator[str | Outcome]:
        for item in items:
            if isinstance(item, Outcome):
                yield item
            else:
                path = os.fspath(item)
                yield (results and results.get(path)) or path

    try:
        for outcome in batch.run(unknown(), settings, processes=processes, cache=cache):
            if results:
                results.put(outcome)
            yield outcome
    finally:
        if results:
            results.commit()
