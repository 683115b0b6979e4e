"""Folders of drawn photos, and imports of them, done at once as a worker would do them."""

import subprocess

from PIL import Image

from lookwho.library.models import Face, Job, Person
from lookwho.services import intake
from tests.exiftool import EXIFTOOL
from tests.pictures import ORIENTATION


def draw(path, number=0, *, orientation=None, kind=None):
    """A picture of 48 x 32 at `path` that shows a number: a block of 8 x 8 for each of 24 bits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", (48, 32), (40, 60, 90))
    for bit in range(24):
        if number >> bit & 1:
            x, y = bit % 6 * 8, bit // 6 * 8
            picture.paste((240, 220, 200), (x, y, x + 8, y + 8))
    exif = Image.Exif()
    if orientation:
        exif[ORIENTATION] = orientation
    picture.save(path, kind, quality=95, exif=exif)
    return path


def draw_many(folder, count):
    """So many photos, no two alike, twenty in a folder."""
    return [draw(folder / f"{n // 20:03}" / f"{n:05}.jpg", n) for n in range(count)]


def imported(folder, **more):
    """Import a folder; return the job, done."""
    _, job = intake.add_folder(folder, by=None, **more)
    return carried_out(job)


def carried_out(job, beat=lambda done: None):
    intake.run_import(job, beat=beat)
    Job.objects.filter(pk=job.pk).update(state=Job.State.DONE)
    job.refresh_from_db()
    return job


def named_face(media, name="Anna", box=(0.1, 0.2, 0.3, 0.6), landmarks=()):
    """A face that somebody has confirmed."""
    person, _ = Person.objects.get_or_create(name=name)
    x1, y1, x2, y2 = box
    return Face.objects.create(
        media=media, person=person, landmarks=list(landmarks), x1=x1, y1=y1, x2=x2, y2=y2
    )


def tag(arguments, *paths):
    """Let exiftool write into files, in place."""
    command = [EXIFTOOL, "-q", "-q", "-m", "-overwrite_original", *arguments, *map(str, paths)]
    subprocess.run(command, check=True, capture_output=True)


def region(**names):
    """What exiftool writes so that a photo of 48 x 32 has faces: name=(x1, y1, x2, y2)."""
    faces = ",".join(
        f"{{Name={name.replace('_', ' ')},Type=Face,Area={{X={(x1 + x2) / 2:.4f},"
        f"Y={(y1 + y2) / 2:.4f},W={x2 - x1:.4f},H={y2 - y1:.4f},Unit=normalized}}}}"
        for name, (x1, y1, x2, y2) in names.items()
    )
    size = "AppliedToDimensions={W=48,H=32,Unit=pixel}"
    return [f"-RegionInfo={{{size},RegionList=[{faces}]}}"]
