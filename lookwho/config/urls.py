"""Which address leads where."""

from __future__ import annotations

urlpatterns: list[object] = []
