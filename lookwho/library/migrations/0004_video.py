"""Videos: what their files say, segments, and tracks that belong to a face.

No video was read before, so no track is there that could be lost.
"""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("lookwho", "0003_members_and_events"),
    ]

    operations = [
        migrations.RemoveField(
            model_name="face",
            name="track",
        ),
        migrations.AlterField(
            model_name="job",
            name="kind",
            field=models.CharField(
                choices=[
                    ("import", "Import"),
                    ("analyse", "Analyse"),
                    ("reference", "Reference"),
                    ("group", "Group"),
                    ("embed", "Embed"),
                    ("learn", "Learn"),
                    ("unpack", "Unpack"),
                    ("site", "Site"),
                    ("mail", "Mail"),
                    ("erase", "Erase"),
                    ("names", "Names"),
                    ("video", "Video"),
                    ("segment", "Segment"),
                    ("join", "Join"),
                    ("proxy", "Proxy"),
                    ("montage", "Montage"),
                ],
                max_length=10,
            ),
        ),
        migrations.CreateModel(
            name="Video",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("container", models.CharField(blank=True, max_length=40)),
                ("codec", models.CharField(blank=True, max_length=40)),
                ("frame_rate", models.FloatField(default=0)),
                ("has_audio", models.BooleanField(default=False)),
                ("plays", models.BooleanField(default=False)),
                ("cuts", models.BinaryField(default=bytes)),
                ("warning", models.TextField(blank=True)),
                (
                    "proxy",
                    models.CharField(
                        choices=[
                            ("none", "None"),
                            ("waiting", "Waiting"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                        ],
                        default="none",
                        max_length=7,
                    ),
                ),
                ("proxy_error", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "media",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="video",
                        to="lookwho.media",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Segment",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("part", models.PositiveIntegerField()),
                ("start", models.FloatField()),
                ("end", models.FloatField()),
                (
                    "state",
                    models.CharField(
                        choices=[("waiting", "Waiting"), ("done", "Done"), ("failed", "Failed")],
                        default="waiting",
                        max_length=8,
                    ),
                ),
                ("reached", models.FloatField(default=0)),
                ("people", models.PositiveIntegerField(default=0)),
                ("result", models.BinaryField(default=bytes)),
                ("error_code", models.CharField(blank=True, max_length=40)),
                ("error", models.TextField(blank=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "pack",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="lookwho.pack",
                    ),
                ),
                (
                    "video",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="segments",
                        to="lookwho.video",
                    ),
                ),
            ],
        ),
        migrations.DeleteModel(
            name="Track",
        ),
        migrations.AddConstraint(
            model_name="segment",
            constraint=models.UniqueConstraint(
                fields=("video", "pack", "part"), name="segment_once"
            ),
        ),
        migrations.CreateModel(
            name="Track",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("start", models.FloatField()),
                ("end", models.FloatField()),
                ("time", models.FloatField()),
                ("x1", models.FloatField()),
                ("y1", models.FloatField()),
                ("x2", models.FloatField()),
                ("y2", models.FloatField()),
                ("quality", models.FloatField(default=0)),
                ("path", models.BinaryField(default=bytes)),
                (
                    "face",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tracks",
                        to="lookwho.face",
                    ),
                ),
                (
                    "media",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="tracks",
                        to="lookwho.media",
                    ),
                ),
                (
                    "pack",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="lookwho.pack",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["media", "start"], name="track_time")],
            },
        ),
        migrations.AddIndex(
            model_name="media",
            index=models.Index(fields=["kind", "-day", "-taken_at", "-id"], name="media_kinds"),
        ),
    ]
