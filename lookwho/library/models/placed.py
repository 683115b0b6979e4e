"""Placed: a face told so that it is found again, whatever becomes of its row."""

from __future__ import annotations

from django.db import models


class Placed(models.Model):
    """The photo by its payload, and the box in it, as fractions of the upright image."""

    payload_hash = models.BinaryField(max_length=32, db_index=True)
    x1 = models.FloatField()
    y1 = models.FloatField()
    x2 = models.FloatField()
    y2 = models.FloatField()
    time = models.FloatField(null=True, blank=True)  # in a video, in seconds

    class Meta:
        abstract = True
