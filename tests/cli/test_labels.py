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


def test_a_file_is_looked_at_and_taken_in(tmp_path, used_home):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "1.png").write_bytes(encode(four_corners(400, 300), "PNG"))
    command(used_home, "import", photos)
    file = tmp_path / "labels.json"
    file.write_text(coco("photos/1.png"))

    looked = command(used_home, "labels", "import", file, "--dry-run")
    assert "1 to draw" in looked.stdout, looked.stderr
    done = command(used_home, "labels", "import", file)
    again = command(used_home, "labels", "import", file)

    assert "1 drawn" in done.stdout, done.stderr
    assert (again.returncode, "1 named so already" in again.stdout) == (4, True)


def test_what_cannot_be_read_or_found_is_said(tmp_path, used_home):
    file = tmp_path / "labels.json"
    file.write_text(coco("9.jpg"))
    unknown = command(used_home, "labels", "import", file, "--dry-run")
    file.write_text("<!DOCTYPE a><annotations/>")
    hostile = command(used_home, "labels", "import", file)
    missing = command(used_home, "labels", "import", tmp_path / "none.json")
    export = command(used_home, "labels", "export", "x")

    assert (unknown.returncode, "9.jpg: there is no such photo" in unknown.stderr) == (0, True)
    assert (hostile.returncode, "document type" in hostile.stderr) == (4, True)
    assert (missing.returncode, "file_missing" in missing.stderr) == (4, True)
    assert (export.returncode, "labels list" in export.stderr) == (4, True)
    assert command(used_home, "labels", "list").stdout == ""
