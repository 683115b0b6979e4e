"""Finds the people of videos over all cores, remembering what was found."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from lookwho.core import packs, video_batch
from lookwho.core.cast import Cast
from lookwho.core.video_batch import OnProgress, VideoOutcome
from lookwho.files.results import Results


def video(
    path: str | os.PathLike[str],
    *,
    on_progress: OnProgress | None = None,
    results: Results | None = None,
    processes: int | None = None,
    cache: Path | None = None,
    **settings: Any,
) -> Cast:
    """Find the people of one video, and when they appear.

    Args:
        path: of the video.
        on_progress: told now and then how far it is; see `analyze_videos`.
        results: what is remembered from earlier runs; None to remember nothing.
        processes: how many; None for one a core.
        cache: the folder of the model cache; None for this user's own.
        **settings: pack, preset and int8, as for `Analyzer`.

    Raises:
        FormatNotInstalled: the extra `video` is not installed.
        InputError: the video cannot be read.
    """
    (outcome,) = analyze_videos(
        [os.path.expanduser(path)],
        packs.settings(**settings),
        processes=processes,
        cache=cache,
        results=results,
        on_progress=on_progress,
    )
    if outcome.error:
        raise outcome.error
    assert outcome.cast is not None  # an outcome is one or the other
    return outcome.cast


def analyze_videos(
    items: Iterable[str | os.PathLike[str] | VideoOutcome],
    settings: Mapping[str, Any],
    *,
    processes: int | None = None,
    cache: Path | None = None,
    results: Results | None = None,
    on_progress: OnProgress | None = None,
) -> Iterator[VideoOutcome]:
    """Yield an outcome for each video, in order; videos whose result is remembered cost nothing.

    Args:
        items: paths, or outcomes that are known already.
        settings: of the engine, as `packs.settings` makes them.
        processes: how many; None for one a core.
        cache: the folder of the model cache; None for this user's own.
        results: what is remembered; None to remember nothing.
        on_progress: told now and then, from any thread, how far a video is.

    Raises:
        ModelError: the models cannot be loaded.
    """

    def unknown() -> Iterator[str | VideoOutcome]:
        for item in items:
            if isinstance(item, VideoOutcome):
                yield item
            else:
                path = os.fspath(item)
                yield (results and results.get_video(path)) or path

    try:
        for outcome in video_batch.analyze_videos(
            unknown(), settings, processes=processes, cache=cache, on_progress=on_progress
        ):
            if results:
                results.put_video(outcome)
                results.commit()  # it took long, and must not be lost
            yield outcome
    finally:
        if results:
            results.commit()
