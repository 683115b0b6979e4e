"""Settings: what the owner chose for this library, beside what the environment says."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models

from lookwho.library.models.accounts import User


class Setting(models.Model):
    """One choice, by its name; without a row the default holds."""

    name = models.CharField(max_length=60, primary_key=True)
    value: models.JSONField[Any] = models.JSONField()
    changed_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    changed_at: models.DateTimeField[datetime] = models.DateTimeField(auto_now=True)
