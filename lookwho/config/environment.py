"""What the environment says, read once and checked: every variable of Lookwho is here.

| variable | what | default |
|---|---|---|
| LOOKWHO_HOME | the folder of everything Lookwho stores | this user's data folder |
| LOOKWHO_DATABASE_URL | postgresql://user:password@host:port/name | SQLite in LOOKWHO_HOME |
| LOOKWHO_HOSTS | the names under which the site is reached, by commas | this machine alone |
| LOOKWHO_SECRET_KEY | signs sessions | a file in LOOKWHO_HOME, made once |
| LOOKWHO_LEDGER | the file that says what was erased: in no backup | erasures.jsonl in the home |
| LOOKWHO_CACHE_MB | the most that thumbnails may take on the disk | 2048 |
| LOOKWHO_PROXIES_GB | the most that copies of videos for browsers may take on the disk | 20 |
| LOOKWHO_VIDEO_GB | the most that one video may have that is uploaded | 64 |
| LOOKWHO_ACCEL | where nginx takes files from, as /internal/: see `services.originals` | none |
| LOOKWHO_PRESET | how hard to look for faces: fast, balanced, thorough | balanced |
| LOOKWHO_SITE_URL | where it is reached: https://photos.example.org | told by each request |
| LOOKWHO_BEHIND_PROXY | 1: a proxy of yours stands before the site and says who asks | 0 |
| LOOKWHO_MAIL_URL | smtp+starttls://user:password@host?from=photos@example.org | no mail is sent |
| LOOKWHO_OIDC_… | who else signs users in: see `oidc` | nobody |
| LOOKWHO_API_RATE | how many requests to the API one user may send, such as 1200/m | 1200/m |
| LOOKWHO_DEBUG | 1 shows tracebacks in the browser: for developers only | 0 |

The address of a mail server begins with smtp+starttls:// (port 587 if not told), smtps:// (465) or
smtp:// (25, nothing is encrypted: for a server on this machine).
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import platformdirs

from lookwho.core.errors import SettingInvalid

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
# What an address of a mail server begins with: its port if none is told, encrypted from the first
# byte, encrypted once it was greeted.
_MAIL = {
    "smtp": (25, False, False),
    "smtps": (465, True, False),
    "smtp+starttls": (587, False, True),
}


def home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of everything that Lookwho stores."""
    told = environment.get("LOOKWHO_HOME", "").strip()
    return (
        Path(told).expanduser().resolve() if told else Path(platformdirs.user_data_dir("lookwho"))
    )


def hosts(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names under which the site may be reached; this machine's own always."""
    told = environment.get("LOOKWHO_HOSTS", "").split(",")
    own = urlsplit(site_url(environment)).hostname
    named = [*(name.strip() for name in told if name.strip()), *filter(None, [own])]
    return [*LOOPBACK, *dict.fromkeys(named)]


def site_url(environment: Mapping[str, str] = os.environ) -> str:
    """Return where visitors reach the site, without a slash at its end; "" if that is not told.

    Raises:
        SettingInvalid: LOOKWHO_SITE_URL is no address of a site.
    """
    told = environment.get("LOOKWHO_SITE_URL", "").strip().rstrip("/")
    if not told:
        return ""
    parts = _split("LOOKWHO_SITE_URL", told)
    if parts.scheme not in {"http", "https"} or not parts.hostname or told != _origin(parts):
        raise SettingInvalid(
            "LOOKWHO_SITE_URL must be like https://photos.example.org: http or https, a name, "
            "perhaps a port, and nothing behind it"
        )
    return told


def flag(name: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Return a variable that is 1 or 0; not told is 0.

    Raises:
        SettingInvalid: it is neither.
    """
    told = environment.get(name, "").strip()
    if told not in {"", "0", "1"}:
        raise SettingInvalid(f"{name} must be 1 or 0, not {told!r}")
    return told == "1"


@dataclass(frozen=True)
class Mail:
    """The server that takes our mails."""

    host: str = ""  # none: no mail is sent
    port: int = 25
    user: str = ""
    password: str = ""
    ssl: bool = False  # encrypted from the first byte
    starttls: bool = False  # encrypted once it was greeted
    sender: str = ""


def mail(environment: Mapping[str, str] = os.environ) -> Mail:
    """Return the server that takes our mails.

    Raises:
        SettingInvalid: LOOKWHO_MAIL_URL cannot be read, or does not say who the mails are from.
    """
    told = environment.get("LOOKWHO_MAIL_URL", "").strip()
    if not told:
        return Mail()
    parts = _split("LOOKWHO_MAIL_URL", told)
    if parts.scheme not in _MAIL or not parts.hostname:
        raise SettingInvalid(
            "LOOKWHO_MAIL_URL must be like "
            "smtp+starttls://user:password@mail.example.org:587?from=photos@example.org "
            f"and begin with {', '.join(f'{kind}://' for kind in _MAIL)}"
        )
    sender = dict(parse_qsl(parts.query)).get("from", "").strip()
    if not _is_address(parseaddr(sender)[1]):
        raise SettingInvalid(
            "LOOKWHO_MAIL_URL must say who the mails are from: ?from=photos@example.org at its end"
        )
    port, ssl, starttls = _MAIL[parts.scheme]
    return Mail(
        host=unquote(parts.hostname),
        port=parts.port or port,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        ssl=ssl,
        starttls=starttls,
        sender=sender,
    )


@dataclass(frozen=True)
class Provider:
    """An OpenID provider: who else signs users in."""

    issuer: str
    client_id: str
    client_secret: str
    name: str  # as the sign-in page says it
    sign_up: bool  # whether somebody whom we do not know becomes a member
    id_claim: str  # the claim that holds what the list of members calls them; "" if none does
    memberships_claim: str  # the claim that says when they were members; "" if none does
    scopes: tuple[str, ...]

    def app(self) -> dict[str, Any]:
        """Return it as django-allauth's settings want it."""
        return {
            "provider_id": "provider",
            "name": self.name,
            "client_id": self.client_id,
            "secret": self.client_secret,
            "settings": {
                "server_url": self.issuer,
                "scope": list(self.scopes),
                "oauth_pkce_enabled": True,
            },
        }


def oidc(environment: Mapping[str, str] = os.environ) -> Provider | None:
    """Return who else signs users in, by OpenID Connect, or None.

    | variable | what | default |
    |---|---|---|
    | LOOKWHO_OIDC_ISSUER | the provider's address, below which its configuration is found | none |
    | LOOKWHO_OIDC_CLIENT_ID, LOOKWHO_OIDC_CLIENT_SECRET | what it knows this site by | |
    | LOOKWHO_OIDC_NAME | what users call it: “Sign in with …” | its host |
    | LOOKWHO_OIDC_SIGN_UP | 1: whoever it signs in becomes a member | 0 |
    | LOOKWHO_OIDC_EXTERNAL_ID_CLAIM | the claim with the number in the list of members | none |
    | LOOKWHO_OIDC_MEMBERSHIPS_CLAIM | the claim with the times of membership | none |
    | LOOKWHO_OIDC_SCOPES | what is asked for, by blanks | openid profile email |

    How the claim of membership may say it: `services.memberships.take_claim`.

    Raises:
        SettingInvalid: one of them cannot be, or is missing.
    """
    told = {name: environment.get(name, "").strip() for name in _OIDC}
    issuer = told["LOOKWHO_OIDC_ISSUER"].rstrip("/")
    if not issuer:
        if lonely := [name for name in _OIDC if told[name]]:
            raise SettingInvalid(f"{lonely[0]} is told without LOOKWHO_OIDC_ISSUER: tell both")
        return None
    parts = _split("LOOKWHO_OIDC_ISSUER", issuer)
    here = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not parts.hostname or parts.query or parts.fragment or parts.scheme not in {"https", "http"}:
        raise SettingInvalid("LOOKWHO_OIDC_ISSUER must be like https://sign-in.example.org")
    if parts.scheme != "https" and not here:
        raise SettingInvalid(
            "LOOKWHO_OIDC_ISSUER must begin with https://, unless it is on this machine"
        )
    for name in ("LOOKWHO_OIDC_CLIENT_ID", "LOOKWHO_OIDC_CLIENT_SECRET"):
        if not told[name]:
            raise SettingInvalid(f"{name} is missing: the provider tells it")
    scopes = told["LOOKWHO_OIDC_SCOPES"].split() or ["profile", "email"]
    return Provider(
        issuer=issuer,
        client_id=told["LOOKWHO_OIDC_CLIENT_ID"],
        client_secret=told["LOOKWHO_OIDC_CLIENT_SECRET"],
        name=told["LOOKWHO_OIDC_NAME"] or parts.hostname,
        sign_up=flag("LOOKWHO_OIDC_SIGN_UP", environment),
        id_claim=told["LOOKWHO_OIDC_EXTERNAL_ID_CLAIM"],
        memberships_claim=told["LOOKWHO_OIDC_MEMBERSHIPS_CLAIM"],
        scopes=tuple(dict.fromkeys(["openid", *scopes])),
    )


_OIDC = tuple(
    f"LOOKWHO_OIDC_{name}"
    for name in (
        "ISSUER",
        "CLIENT_ID",
        "CLIENT_SECRET",
        "NAME",
        "SIGN_UP",
        "EXTERNAL_ID_CLAIM",
        "MEMBERSHIPS_CLAIM",
        "SCOPES",
    )
)


def _split(name: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SettingInvalid(f"{name} cannot be read: {error}") from error
    return parts


def _origin(parts: SplitResult) -> str:
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _is_address(told: str) -> bool:
    name, at, host = told.rpartition("@")
    return bool(name and at and host) and not any(letter.isspace() for letter in told)


def database(folder: Path, environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the database as Django's settings want it.

    Raises:
        SettingInvalid: LOOKWHO_DATABASE_URL cannot be read.
    """
    url = environment.get("LOOKWHO_DATABASE_URL", "").strip()
    return _postgresql(url) if url else _sqlite(folder / "lookwho.sqlite3")


def _sqlite(path: Path) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            # A transaction that reads first and writes later would fail at once, without waiting,
            # when another has written in between. So each takes the right to write as it begins.
            "transaction_mode": "IMMEDIATE",
            "timeout": 30,
            "init_command": (
                "pragma journal_mode=wal; pragma synchronous=normal; pragma temp_store=memory; "
                "pragma mmap_size=268435456; pragma cache_size=-32000"
            ),
        },
    }


def _postgresql(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SettingInvalid(f"LOOKWHO_DATABASE_URL cannot be read: {error}") from error
    if parts.scheme not in {"postgresql", "postgres"} or not parts.path.strip("/"):
        raise SettingInvalid(
            "LOOKWHO_DATABASE_URL must be like postgresql://user:password@host:5432/name"
        )
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        # A socket's folder is told as ?host=/path: it fits in no host name.
        "HOST": unquote(parts.hostname or "") or dict(parse_qsl(parts.query)).get("host", ""),
        "PORT": port or "",
    }


def secret_key(folder: Path, environment: Mapping[str, str] = os.environ) -> str:
    """Return the key that signs sessions; on the first start it is made and kept in a file.

    Raises:
        SettingInvalid: the file cannot be made or read.
    """
    if told := environment.get("LOOKWHO_SECRET_KEY", ""):
        return told
    path = folder / "secret-key"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = folder / f"secret-key.{os.getpid()}.{secrets.token_hex(4)}"
        if not path.exists():
            with os.fdopen(
                os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w"
            ) as file:
                file.write(secrets.token_urlsafe(48))
            try:
                os.link(fresh, path)  # of two that start at once the first wins, for both
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        key = path.read_text("ascii").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise SettingInvalid(f"{folder} cannot be used for Lookwho's data: {reason}") from error
    if len(key) < 32:
        raise SettingInvalid(f"{path} is damaged: remove it, and everyone signs in again")
    return key


def ledger(folder: Path, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the file that says what was erased, for after a backup was restored."""
    told = environment.get("LOOKWHO_LEDGER", "").strip()
    return Path(told).expanduser().resolve() if told else folder / "erasures.jsonl"


def number(name: str, default: int, environment: Mapping[str, str] = os.environ) -> int:
    """Return a variable that is a whole number, 0 or more.

    Raises:
        SettingInvalid: it is not.
    """
    told = environment.get(name, "").strip() or str(default)
    if not told.isdecimal():
        raise SettingInvalid(f"{name} must be a whole number, not {told!r}")
    return int(told)
