"""Where the real media are, for tests that are parametrized over files before fixtures exist."""

import os
from pathlib import Path

_folder = Path(
    os.environ.get("LOOKWHO_MEDIA") or Path(__file__).resolve().parents[2] / "shared" / "media"
)
MEDIA: Path | None = _folder if _folder.is_dir() else None
