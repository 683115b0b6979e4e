"""A party that only some may know of, on a site where nothing else goes on.

All that is the party's has ids that are known before there is a party, so that the same addresses
can be asked with and without it.
"""

import datetime
import gzip
import shutil
from dataclasses import dataclass
from uuid import UUID, uuid5

import numpy as np
from django.conf import settings
from django.utils import timezone
from PIL import Image

from lookwho.library import vectors
from lookwho.library.models import (
    Album,
    AlbumItem,
    ApiToken,
    Collection,
    Consent,
    Decision,
    DecisionFace,
    Embedding,
    Face,
    Fit,
    Job,
    Label,
    Like,
    Location,
    Media,
    Membership,
    Person,
    Project,
    Reference,
    Release,
    Request,
    SearchLog,
    Share,
    SiteAccount,
    Task,
    Team,
    Upload,
    User,
    Video,
    Watch,
)
from lookwho.services import analysis, derived, sharing, tokens
from lookwho.services.sealing import seal
from tests.films import a_clip, seen

SPACE = UUID("4d2a3d39-8f4e-4a52-9a0c-7f8a34a0c1d2")
NUMBER = 987654  # of rows that are asked for by number
SLUG = "priscillas-party"
NAME, GROUP_NAME, TITLE = "Priscilla Kept-Secret", "", "Priscilla's Party"
DAY = datetime.date(2023, 5, 6)
NOW = timezone.now()


def uuid(what):
    """The id of something of the party, known before it is there."""
    return uuid5(SPACE, what)


def token(what):
    """The token of a link of the party."""
    return derived.token(sharing._SALT, uuid(what))


# What each address is about, by its route: the first that fits.
ADDRESSES = (
    (r"(api/v1/)?people/undo/<uuid:batch>", (uuid("batch"),)),
    (r"(api/v1/)?people/<[^>]+>.*", (uuid("person"), "sheet")),
    (r"videos/<[^>]+>/so-far/.*", (uuid("video"), 0)),
    (r"api/v1/videos/<[^>]+>/appearances.*", (uuid("video"), "csv")),
    (r"(api/v1/)?videos/<[^>]+>.*", (uuid("video"), uuid("filmed"))),
    (r"api/v1/profiles/<[^>]+>", (uuid("person"),)),
    (r"api/v1/montages/<[^>]+>.*", (uuid("moments"),)),
    (r"moments/<[^>]+>.*", (uuid("moments"),)),
    (
        r"(api/v1/)?photos/<[^>]+>(/[a-z-]+)?/faces/<[^>]+>.*",
        (uuid("photo"), uuid("face")),
    ),
    (r"(api/v1/)?photos/<[^>]+>.*", (uuid("photo"),)),
    (r"(api/v1/)?faces/<[^>]+>/<[^>]+>.webp", (uuid("face"), 160)),
    (r"(api/v1/)?pictures/<[^>]+>/<[^>]+>.webp", (uuid("photo"), 320)),
    (r"(api/v1/)?faces/<[^>]+>.*", (uuid("face"),)),
    (r"(api/v1/)?originals/<[^>]+>", (uuid("photo"),)),
    (r"(api/v1/)?labelling/labels/<[^>]+>.*", (uuid("label"),)),
    (r"(api/v1/)?labelling/faces/<[^>]+>.*", (uuid("task"),)),
    (r"labelling/pictures/<[^>]+>/<[^>]+>.webp", (uuid("label"), 320)),
    (
        r"(api/v1/)?labelling/(projects/)?<[^>]+>/v<[^>]+>.<str:\w+>",
        (uuid("project"), 1, "csv"),
    ),
    (
        r"api/v1/labelling/projects/<[^>]+>/releases/<int?:?\w+>.*",
        (uuid("project"), 1, "csv"),
    ),
    (r"(api/v1/)?labelling/(projects/)?<[^>]+>.*", (uuid("project"), 1, "csv")),
    (r"(api/v1/)?members/invitations/<[^>]+>.*", (uuid("invitation"),)),
    (r"(api/v1/)?members/<[^>]+>.*", (uuid("member"), NUMBER)),
    (r"(api/v1/)?teams/<[^>]+>.*", (uuid("team"), uuid("member"))),
    (
        r"(api/v1/me/consents|api/v1/settings/texts|privacy/consents|settings/texts)/<.*",
        ("find_me",),
    ),
    (r"api/v1/settings/options/<.*", ("consent_age",)),
    (r"privacy/receipts/<str:token>", ("x" * 43,)),
    (r"(api/v1/)?(sites|site-accounts)/<[^>]+>.*", (uuid("site"),)),
    (r"watches/<int:pk>/.*", (NUMBER,)),
    (r"(api/v1/)?me/faces/<[^>]+>.*", (uuid("face"),)),
    (r"(api/v1/)?progress/<[^>]+>.*", (uuid("job"),)),
    (r"progress/retry/<str:trouble>/<int:pk>", ("job", NUMBER)),
    (r"api/v1/work/failures/<\w+>/<\w+>/retry", ("job", NUMBER)),
    (r"api/v1/work/.*", (uuid("job"),)),
    (r"(api/v1/)?quality/fits/<.*", (NUMBER,)),
    (r"(api/v1/)?me/selfies/<[^>]+>.*", (uuid("selfie"),)),
    (r"(api/v1/)?(me/tokens|account/tokens|tokens)/<[^>]+>.*", (uuid("token"),)),
    (r"(api/v1/)?me/photos/<[^>]+>.*", (uuid("photo"),)),
    (r"(api/v1/)?albums/<(slug|str):\w+>.*", (SLUG, uuid("photo"))),
    (r"(api/v1/)?albums/<slug>.*", (SLUG, uuid("photo"))),
    (r"(api/v1/)?uploads/<[^>]+>.*", (uuid("upload"),)),
    (r"(api/v1/)?requests/selfies/<[^>]+>.*", (uuid("selfie"),)),
    (r"(api/v1/)?requests/<[^>]+>.*", (uuid("request"),)),
    (r"(api/v1/)?links/<[^>]+>.*", (uuid("link"),)),
    (r"me/undo/<uuid:batch>", (uuid("batch"),)),
    (r"g/as/<str:token>|(enter|join|mail/stop)/<str:token>|d/<str:slip>", ("x" * 43,)),
    (r"g/<str:token>.*", (token("link"), uuid("photo"))),
    (r"account/second-factor/webauthn/keys/<int:pk>/.*", (NUMBER,)),
    (r"sign-in/with/<str:provider_id>.*", ("oidc",)),
)


@dataclass
class Site:
    """Who is there, by their letters in `tests.permissions`."""

    users: dict[str, User]
    open_album: Album
    visitors_link: str
    tokens: dict[str, str]

    def let_in(self, client):
        """Let a guest in by their link, which opens another album."""
        client.get(f"/g/{self.visitors_link}")

    def small_token(self, noun):
        """A token of the owner that is good for something else than this noun."""
        return self.tokens["quality:read" if noun == "history" else "history:read"]


def a_quiet_site():
    """Everybody is there, and an album that has no photo of anybody."""
    roles = {"O": "owner", "C": "curator", "A": "annotator", "M": "member", "F": "member"}
    users = {
        letter: User.objects.create(
            username=f"{letter} {role}",
            role=role,
            uuid=uuid("member") if letter == "M" else uuid(f"user {letter}"),
        )
        for letter, role in {**roles, "X": "member"}.items()
    }
    Membership.objects.create(user=users["F"], since="2001-01-01", until="2002-01-01")
    for letter in "MX":
        Membership.objects.create(user=users[letter], since="2020-01-01")
    collection = Collection.objects.create(title="Uploads", root="/nowhere/open", kind="uploads")
    album = Album.objects.create(title="Spring", slug="spring", date="2024-03-20")
    media = Media.objects.create(
        payload_hash=b"o" * 32, width=40, height=30, taken_at=NOW, day="2024-03-20"
    )
    Location.objects.create(collection=collection, media=media, path="spring.jpg")
    AlbumItem.objects.create(album=album, media=media)
    film = Media.objects.create(
        payload_hash=b"f" * 32, kind="video", duration=2, taken_at=NOW, day="2024-03-20"
    )
    Video.objects.create(media=film, plays=True)
    Location.objects.create(collection=collection, media=film, path="spring.webm")
    AlbumItem.objects.create(album=album, media=film)
    pack = analysis.current_pack()
    for each in (media, film):
        analysis.Analysis.objects.create(media=each, pack=pack, state="done")
    _, link = sharing.share(users["O"], album=album)
    made = {
        scope: tokens.make_token(users["O"], scope, scopes=[scope])
        for scope in ("history:read", "quality:read")
    }
    return Site(users, album, link, made)


def a_party(site, folder):
    """The party: an album for a team, a photo of its member and of somebody nobody knows.

    Args:
        site: where.
        folder: an empty one, for what must be files.
    """
    owner, member = site.users["O"], site.users["M"]
    team = Team.objects.create(uuid=uuid("team"), title="Priscilla's team")
    team.users.add(member, site.users["F"])
    collection = Collection.objects.create(
        uuid=uuid("collection"), title="Priscilla's photos", root=str(folder), policy="own"
    )
    album = Album.objects.create(
        uuid=uuid("album"), title=TITLE, slug=SLUG, date=DAY, created_by=owner
    )
    album.teams.add(team)
    photo = Media.objects.create(
        uuid=uuid("photo"),
        payload_hash=b"p" * 32,
        format="JPEG",
        width=400,
        height=300,
        taken_at=datetime.datetime(2023, 5, 6, 20, tzinfo=datetime.UTC),
        day=DAY,
    )
    file = folder / "priscilla.jpg"
    Image.new("RGB", (400, 300), "navy").save(file)
    found = file.stat()
    Location.objects.create(
        collection=collection,
        media=photo,
        path=file.name,
        size=found.st_size,
        mtime_ns=found.st_mtime_ns,
    )
    AlbumItem.objects.create(album=album, media=photo)
    Album.objects.filter(pk=album.pk).update(cover=photo)
    pack = analysis.current_pack()
    analysis.Analysis.objects.create(media=photo, pack=pack, state="done")
    person = Person.objects.create(uuid=uuid("person"), name=NAME, user=member)
    _a_film(folder, collection, album, person)
    group = Person.objects.create(uuid=uuid("group"))
    face, other = (
        Face.objects.create(
            uuid=uuid(what),
            media=photo,
            x1=0.1 + at,
            y1=0.2,
            x2=0.3 + at,
            y2=0.5,
            quality=0.9,
            **whose,
        )
        for what, at, whose in (
            ("face", 0.0, {"person": person}),
            ("other", 0.4, {"guess": group, "probability": 0.9}),
        )
    )
    Person.objects.filter(pk=person.pk).update(cover=face)
    rows = []
    for number, each in enumerate((face, other)):
        vector = np.eye(pack.dim, dtype=np.float32)[number]
        Embedding.objects.create(face=each, pack=pack, vector=vector.tobytes())
        rows.append((each.pk, pack.pk, vector))
    vectors.added(rows)
    settings.SELFIES.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, settings.SELFIES / "priscilla.jpeg")
    selfie = Reference.objects.create(
        uuid=uuid("selfie"), user=member, file="priscilla.jpeg", state=Reference.State.DONE
    )
    Embedding.objects.create(
        reference=selfie, pack=pack, vector=np.eye(pack.dim, dtype=np.float32)[0].tobytes()
    )
    Consent.objects.create(user=member, purpose="find_me", version="1")
    SearchLog.objects.create(user=owner, purpose="name", person=person)
    said = Decision.objects.create(actor=owner, verb="confirm", person=person, batch=uuid("batch"))
    place = {"payload_hash": photo.payload_hash, "x1": 0.1, "y1": 0.2, "x2": 0.3, "y2": 0.5}
    DecisionFace.objects.create(decision=said, face=face, **place)
    project = Project.objects.create(uuid=uuid("project"), title="Priscilla's faces")
    project.annotators.add(site.users["A"])
    task = Task.objects.create(uuid=uuid("task"), project=project, face=other, **place)
    Label.objects.create(uuid=uuid("label"), task=task, user=site.users["A"])
    Release.objects.create(
        uuid=uuid("release"), project=project, version=1, content=_gzipped(b""), digest=b"d" * 32
    )
    Fit.objects.create(pk=NUMBER, pack=pack)
    Job.objects.create(pk=NUMBER, uuid=uuid("job"), kind="import", state="failed", error="no disk")
    Like.objects.create(user=member, media=photo)
    Watch.objects.create(pk=NUMBER, collection=collection, album=album)
    elsewhere = Collection.objects.create(
        uuid=uuid("site"), title="Priscilla's club", root="http://127.0.0.1:9", kind="site"
    )
    Location.objects.create(collection=elsewhere, media=photo, path="party/1")
    SiteAccount.objects.create(collection=elsewhere, token=seal("a token"))
    Request.objects.create(uuid=uuid("request"), media=photo, user=member, message="please")
    Upload.objects.create(
        uuid=uuid("upload"), user=owner, album=album, name="party.zip", size=10, state="receiving"
    )
    ApiToken.objects.create(
        uuid=uuid("token"), user=member, title="Priscilla's frame", token_hash=b"t" * 32
    )
    Membership.objects.create(pk=NUMBER, user=member, since="2015-01-01", until="2016-01-01")
    for what, kind, more in (
        ("link", "album", {"album": album, "download_side": 0}),
        ("invitation", "invitation", {"name": NAME}),
    ):
        Share.objects.create(
            uuid=uuid(what),
            kind=kind,
            token_hash=derived.hashed(token(what)),
            expires_at=NOW + datetime.timedelta(days=30),
            created_by=owner,
            **more,
        )


def _a_film(folder, collection, album, person):
    """A video of the party, in which its member appears."""
    film = a_clip(folder / "priscilla.webm", seconds=2)
    media = Media.objects.create(
        uuid=uuid("video"),
        payload_hash=b"v" * 32,
        kind="video",
        format="WEBM",
        width=320,
        height=180,
        duration=2,
        taken_at=datetime.datetime(2023, 5, 6, 21, tzinfo=datetime.UTC),
        day=DAY,
    )
    Video.objects.create(media=media, container="webm", codec="vp9", plays=True)
    Location.objects.create(
        collection=collection, media=media, path=film.name, size=film.stat().st_size
    )
    AlbumItem.objects.create(album=album, media=media)
    analysis.Analysis.objects.create(media=media, pack=analysis.current_pack(), state="done")
    seen(media, (0.2, 0.9), (1.2, 1.8), uuid=uuid("filmed"), person=person)


def _gzipped(content):
    return gzip.compress(content)


SECRET = (NAME, TITLE, "Priscilla", *(str(uuid(what)) for what in ("photo", "person", "album")))
