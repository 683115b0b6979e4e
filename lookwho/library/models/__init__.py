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
    VectorChange,
)
from lookwho.library.models.labelling import Label, Project, Release, Task
from lookwho.library.models.media import (
    Album,
    AlbumItem,
    Collection,
    Like,
    Location,
    Media,
    Upload,
    Watch,
)
from lookwho.library.models.members import (
    Consent,
    ConsentText,
    Erasure,
    Guest,
    Reference,
    Request,
    SearchLog,
    Share,
    SiteAccount,
)
from lookwho.library.models.people import Decision, DecisionFace, Person
from lookwho.library.models.review import Answer, Audit, Claim
from lookwho.library.models.settings import Setting
from lookwho.library.models.videos import Segment, Track, Video
from lookwho.library.models.work import Job, Worker

__all__ = [
    "Album",
    "AlbumItem",
    "Analysis",
    "Answer",
    "ApiToken",
    "Audit",
    "Claim",
    "Collection",
    "Consent",
    "ConsentText",
    "Decision",
    "DecisionFace",
    "Embedding",
    "EntryLink",
    "Erasure",
    "Face",
    "Fit",
    "Guest",
    "Job",
    "Label",
    "Like",
    "Location",
    "Media",
    "Membership",
    "Pack",
    "Person",
    "Project",
    "Reference",
    "Region",
    "Release",
    "Request",
    "SearchLog",
    "Segment",
    "Setting",
    "Share",
    "SiteAccount",
    "Suppression",
    "Task",
    "Team",
    "Track",
    "Upload",
    "User",
    "VectorChange",
    "Video",
    "Watch",
    "Worker",
]
