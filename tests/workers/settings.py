"""Settings of the processes that tests start: the real ones, with the database of the tests."""

import os

from lookwho.config import settings
from lookwho.config.settings import *  # noqa: F403

_real = settings.DATABASES["default"]
DATABASES = {"default": {**_real, "NAME": os.environ.get("LOOKWHO_TEST_NAME", _real["NAME"])}}
