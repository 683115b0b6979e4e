"""What the environment says, read once and checked: every variable of Lookwho is here.

| variable | what | default |
|---|---|---|
| LOOKWHO_HOME | the folder of everything Lookwho stores | this user's data folder |
| LOOKWHO_DATABASE_URL | postgresql://user:password@host:port/name | SQLite in LOOKWHO_HOME |
| LOOKWHO_HOSTS | the names under which the site is reached, by commas | this machine alone |
| LOOKWHO_SECRET_KEY | signs sessions | a file in LOOKWHO_HOME, made once |
| LOOKWHO_CACHE_MB | the most that thumbnails may take on the disk | 2048 |
| LOOKWHO_PRESET | how hard to look for faces: fast, balanced, thorough | balanced |
| LOOKWHO_DEBUG | 1 shows tracebacks in the browser: for developers only | 0 |
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import platformdirs

from lookwho.core.errors import SettingInvalid

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")


def home(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder of everything that Lookwho stores."""
    told = environment.get("LOOKWHO_HOME", "").strip()
    return (
        Path(told).expanduser().resolve() if told else Path(platformdirs.user_data_dir("lookwho"))
    )


def hosts(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names under which the site may be reached; this machine's own always."""
    told = environment.get("LOOKWHO_HOSTS", "").split(",")
    return [*LOOPBACK, *(name.strip() for name in told if name.strip())]


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


def number(name: str, default: int, environment: Mapping[str, str] = os.environ) -> int:
    """Return a variable that is a whole number, 0 or more.

    Raises:
        SettingInvalid: it is not.
    """
    told = environment.get(name, "").strip() or str(default)
    if not told.isdecimal():
        raise SettingInvalid(f"{name} must be a whole number, not {told!r}")
    return int(told)
