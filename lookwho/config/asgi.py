"""The site as an ASGI application."""

from __future__ import annotations

import os
import warnings

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "lookwho.config.settings")

# WhiteNoise hands out style sheets and scripts by a plain iterator, which Django reads to its end
# before it sends them: they are small.
warnings.filterwarnings("ignore", "StreamingHttpResponse must consume synchronous iterators")

application = get_asgi_application()
