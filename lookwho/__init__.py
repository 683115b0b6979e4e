"""Look who is in your photos and videos: finds every face, compares, finds a person, groups people.

>>> import lookwho
>>> analyze = lookwho.Analyzer()                                            # doctest: +SKIP
>>> for face in analyze("party.jpg"): print(face.box, face.score)           # doctest: +SKIP
>>> for match in lookwho.find(["me.jpg"], "~/Photos"): print(match.path)    # doctest: +SKIP
>>> for person in lookwho.video("party.mp4").people: print(person.appearances)  # doctest: +SKIP

Importing this costs nothing: each name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lookwho.core import errors
    from lookwho.core.batch import Outcome
    from lookwho.core.cast import Cast, VideoPerson
    from lookwho.core.errors import LookwhoError
    from lookwho.core.match import Comparison
    from lookwho.core.pipeline import Analyzer
    from lookwho.core.types import Face, Faces, Reason
    from lookwho.core.video_batch import VideoOutcome
    from lookwho.files.people import Grouped, Match, compare, find, group
    from lookwho.files.videos import video

__version__ = "0.1.0"

__all__ = [
    "Analyzer",
    "Cast",
    "Comparison",
    "Face",
    "Faces",
    "Grouped",
    "LookwhoError",
    "Match",
    "Outcome",
    "Reason",
    "VideoOutcome",
    "VideoPerson",
    "compare",
    "errors",
    "find",
    "group",
    "video",
]

_HOMES = {
    "Analyzer": "core.pipeline",
    "Cast": "core.cast",
    "Comparison": "core.match",
    "Face": "core.types",
    "Faces": "core.types",
    "Grouped": "files.people",
    "LookwhoError": "core.errors",
    "Match": "files.people",
    "Outcome": "core.batch",
    "Reason": "core.types",
    "VideoOutcome": "core.video_batch",
    "VideoPerson": "core.cast",
    "compare": "files.people",
    "find": "files.people",
    "group": "files.people",
    "video": "files.videos",
}


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("lookwho.core.errors")
    if name not in _HOMES:
        raise AttributeError(f"module 'lookwho' has no attribute {name!r}")
    return getattr(importlib.import_module(f"lookwho.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
