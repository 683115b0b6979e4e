"""Label files of other tools: what is read, what is told, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookwho.core import labelfiles
from lookwho.core.errors import Invalid
from lookwho.core.labelfiles import Named, read

CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><name>party</name></task></meta>
  <image id="0" name="party/1.jpg" width="400" height="200">
    <box label="face" occluded="0" xtl="40.0" ytl="20.0" xbr="80.0" ybr="60.5">
      <attribute name="smiles">yes</attribute>
      <attribute name="Name"> Anna </attribute>
    </box>
    <box label="Ben" xtl="100" ytl="20" xbr="140" ybr="60"/>
    <box label="face" xtl="200" ytl="20" xbr="240" ybr="60"/>
    <polygon label="Ben" points="1,2;3,4;5,6"/>
    <tag label="indoors"/>
  </image>
  <image id="1" name="2.jpg" width="100" height="100"/>
</annotations>
"""


def coco(**more):
    return {
        "images": [{"id": 1, "file_name": "party/1.jpg", "width": 400, "height": 200}],
        "categories": [{"id": 1, "name": "Anna"}, {"id": 2, "name": "face"}],
        "annotations": [{"id": 7, "image_id": 1, "category_id": 1, "bbox": [40, 20, 40, 40.5]}],
        **more,
    }


def written(told):
    return json.dumps(told).encode()


def annotation(**more):
    return {"id": 7, "image_id": 1, "category_id": 1, "bbox": [40, 20, 40, 40], **more}


def test_cvat_names_by_attribute_or_by_class():
    found = read(CVAT.encode())

    assert found.kind == "CVAT for images"
    anna, ben = found.named
    assert anna == Named(
        "box 1 in party/1.jpg", "party/1.jpg", (400, 200), (40, 20, 80, 60.5), "Anna"
    )
    assert (ben.name, ben.box) == ("Ben", (100, 20, 140, 60))
    assert found.nameless == 1
    assert found.problems == ["polygon 4 in party/1.jpg: only boxes are read"]


def test_coco_names_by_attribute_or_by_category():
    rows = [annotation(), annotation(id=8, category_id=2, attributes={"name": "Ben", "x": 1})]

    found = read(written(coco(annotations=rows)))

    assert [each.name for each in found.named] == ["Anna", "Ben"]
    assert found.named[0].box == (40, 20, 80, 60)
    assert (found.nameless, found.problems) == (0, [])


def test_a_byte_order_mark_is_no_mistake():
    assert read(b"\xef\xbb\xbf" + CVAT.encode()).named
    assert read(b"\xef\xbb\xbf" + written(coco())).named


@pytest.mark.parametrize(
    ("more", "told"),
    (
        ({"bbox": [1, 2, 3]}, "four numbers"),
        ({"bbox": None}, "four numbers"),
        ({"bbox": [1, 2, 3, float("nan")]}, "four numbers"),
        ({"bbox": [1, 2, 3, 1e308]}, "four numbers"),
        ({"bbox": ["a", 2, 3, 4]}, "four numbers"),
        ({"bbox": [True, 2, 3, 4]}, "four numbers"),
        ({"bbox": [1, 2, 0, 4]}, "no inside"),
        ({"bbox": [1, 2, -3, 4]}, "no inside"),
        ({"bbox": [500, 2, 3, 4]}, "not in the image"),
        ({"image_id": 9}, "no image 9"),
        ({"image_id": [1]}, "no image"),
        ({"image_id": True}, "no image"),
        ({"attributes": {"name": "x" * 201}}, "201 characters"),
    ),
)
def test_one_label_that_cannot_be_is_told_and_the_rest_is_read(more, told):
    found = read(written(coco(annotations=[annotation(**more), annotation(id=8)])))

    assert len(found.named) == 1
    assert len(found.problems) == 1
    assert told in found.problems[0]
    assert "annotation 7" in found.problems[0]


def test_rows_that_are_no_objects_are_told():
    found = read(written(coco(annotations=[1, None, annotation()], images=[3, *coco()["images"]])))

    assert len(found.named) == 1
    assert len(found.problems) == 3


@pytest.mark.parametrize(
    ("data", "reason"),
    (
        (b"", "neither COCO"),
        (b"hello", "neither COCO"),
        (b"PK\x03\x04", "archive"),
        (b"{", "cannot be read"),
        (b"[1, 2]", "not COCO"),
        (b'{"a": 1}', "not COCO"),
        (b'{"images": {}, "annotations": []}', "images are no list"),
        (b'{"images": [], "annotations": 5}', "annotations are no list"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"images": [], "annotations": [' + b"1" * 5000 + b"]}", "cannot be read"),
        (b"{\xff}", "cannot be read"),
        (b"<svg/>", "begins with <svg>"),
        (b"<annotations>", "cannot be read"),
        (b"<annotations><track/></annotations>", "video"),
        (b'<?xml version="1.0" encoding="nonsense"?><annotations/>', "cannot be read"),
    ),
)
def test_what_is_no_label_file_is_refused_with_the_reason(data, reason):
    with pytest.raises(Invalid, match=reason):
        read(data)


@pytest.mark.parametrize(
    "doctype",
    (
        '<!DOCTYPE a [<!ENTITY x "y">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE a [<!ENTITY a "aa"><!ENTITY b "&a;&a;&a;&a;">]>',
    ),
)
def test_hostile_xml_is_refused(doctype):
    with pytest.raises(Invalid, match="entities or a document type"):
        read(f"<?xml version='1.0'?>{doctype}<annotations/>".encode())


def test_a_file_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(labelfiles, "MOST_BYTES", 10)

    with pytest.raises(Invalid, match="MB"):
        read(written(coco()))


def test_too_many_boxes_are_refused_and_many_mistakes_are_counted(monkeypatch):
    rows = [annotation(id=n, image_id=5) for n in range(labelfiles.MOST_PROBLEMS + 3)]
    found = read(written(coco(annotations=rows)))
    assert (len(found.problems), found.more) == (labelfiles.MOST_PROBLEMS, 3)

    monkeypatch.setattr(labelfiles, "MOST_BOXES", 1)
    with pytest.raises(Invalid, match="split it"):
        read(written(coco(annotations=[annotation(), annotation(id=8)])))


def test_halves_of_letters_can_be_shown():
    told = coco(images=[{"id": 1, "file_name": "\ud800.jpg"}])

    found = read(json.dumps(told).encode())

    assert found.named[0].file.encode() == b"?.jpg"
    assert found.named[0].size == (0, 0)


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["id", "bbox", "image_id", "name", "x"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_stands_in_a_coco_file_is_read_or_refused(anything):
    for key in ("images", "annotations", "categories"):
        try:
            read(written(coco(**{key: anything})))
        except Invalid:
            continue


@given(st.binary(max_size=60))
def test_whatever_bytes_come_are_read_or_refused(data):
    for start in (b"", b"{", b"<annotations>", b'{"images": ['):
        try:
            read(start + data)
        except Invalid:
            continue
