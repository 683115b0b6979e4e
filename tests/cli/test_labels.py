"""Labels from the command line."""

import json

from tests.pictures import encode, four_corners
from tests.site import command


def coco(file):
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": file, "width": 400, "height": 300}],
            "categories": [{"id": 1, "name": "Anna"}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [40, 30, 80, 90]}],
        }
    )


def test_a_file_is_looked_at_and_taken_in(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "1.png").write_bytes(encode(four_corners(400, 300), "PNG"))
    home = tmp_path / "home"
    command(home, "import", photos)
    file = tmp_path / "labels.json"
    file.write_text(coco("photos/1.png"))

    looked = command(home, "labels", "import", file, "--dry-run")
    assert "1 to draw" in looked.stdout, looked.stderr
    done = command(home, "labels", "import", file)
    again = command(home, "labels", "import", file)

    assert "1 drawn" in done.stdout, done.stderr
    assert (again.returncode, "1 named so already" in again.stdout) == (4, True)


def test_what_cannot_be_read_or_found_is_said(tmp_path):
    file = tmp_path / "labels.json"
    file.write_text(coco("9.jpg"))
    unknown = command(tmp_path, "labels", "import", file, "--dry-run")
    file.write_text("<!DOCTYPE a><annotations/>")
    hostile = command(tmp_path, "labels", "import", file)
    missing = command(tmp_path, "labels", "import", tmp_path / "none.json")
    export = command(tmp_path, "labels", "export", "x")

    assert (unknown.returncode, "9.jpg: there is no such photo" in unknown.stderr) == (0, True)
    assert (hostile.returncode, "document type" in hostile.stderr) == (4, True)
    assert (missing.returncode, "file_missing" in missing.stderr) == (4, True)
    assert (export.returncode, "labels list" in export.stderr) == (4, True)
    assert command(tmp_path, "labels", "list").stdout == ""
