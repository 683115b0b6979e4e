"""The tables, by noun. DESIGN in one sentence each: ARCHITECTURE.md."""

from lookwho.library.models.accounts import ApiToken, EntryLink, Membership, Team, User
from lookwho.library.models.faces import (
    Analysis,
    Embedding,
    Face,
    Fit,
    Pack,
    Region,
    Suppression,
    Track,
    VectorChange,
)
from lookwho.library.models.media import Album, AlbumItem, Collection, Location, Media
from lookwho.library.models.members import Consent, Reference, SearchLog, Share
from lookwho.library.models.people import Decision, DecisionFace, Person
from lookwho.library.models.work import Job, Worker

__all__ = [
    "Album",
    "AlbumItem",
    "Analysis",
    "ApiToken",
    "Collection",
    "Consent",
    "Decision",
    "DecisionFace",
    "Embedding",
    "EntryLink",
    "Face",
    "Fit",
    "Job",
    "Location",
    "Media",
    "Membership",
    "Pack",
    "Person",
    "Reference",
    "Region",
    "SearchLog",
    "Share",
    "Suppression",
    "Team",
    "Track",
    "User",
    "VectorChange",
    "Worker",
]
