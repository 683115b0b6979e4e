"""Regions: where a face is, is told by a white square in a drawn picture, never by our own sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lookwho.core.image import read
from lookwho.core.inspect import inspect
from lookwho.core.regions import Region, merged, overlap, read_regions
from tests.exiftool import needs_exiftool, written
from tests.pictures import ORIENTATION, ROTATED

NAMESPACES = (
    'xmlns:x="adobe:ns:meta/" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:mwg-rs="http://www.metadataworkinggroup.com/schemas/regions/" '
    'xmlns:stDim="http://ns.adobe.com/xap/1.0/sType/Dimensions#" '
    'xmlns:stArea="http://ns.adobe.com/xmp/sType/Area#" '
    'xmlns:MP="http://ns.microsoft.com/photo/1.2/" '
    'xmlns:MPRI="http://ns.microsoft.com/photo/1.2/t/RegionInfo#" '
    'xmlns:MPReg="http://ns.microsoft.com/photo/1.2/t/Region#"'
)
SIZE = (400, 200)
BOX = (0.4, 0.3, 0.6, 0.7)
AREA = 'stArea:x="0.5" stArea:y="0.5" stArea:w="0.2" stArea:h="0.4"'
FACE = f'<rdf:li mwg-rs:Name="Ann" mwg-rs:Type="Face"><mwg-rs:Area {AREA}/></rdf:li>'


def packet(inside):
    description = f'<rdf:Description rdf:about="">{inside}</rdf:Description>'
    return f"<x:xmpmeta {NAMESPACES}><rdf:RDF>{description}</rdf:RDF></x:xmpmeta>".encode()


def mwg(items, dimensions="", *, kind="Bag"):
    return (
        f"<mwg-rs:Regions rdf:parseType='Resource'>{dimensions}<mwg-rs:RegionList>"
        f"<rdf:{kind}>{items}</rdf:{kind}></mwg-rs:RegionList></mwg-rs:Regions>"
    )


def microsoft(*people):
    items = "".join(
        f'<rdf:li MPReg:PersonDisplayName="{name}" MPReg:Rectangle="{rectangle}"/>'
        for name, rectangle in people
    )
    regions = f"<MPRI:Regions><rdf:Bag>{items}</rdf:Bag></MPRI:Regions>"
    return f"<MP:RegionInfo><rdf:Description>{regions}</rdf:Description></MP:RegionInfo>"


def applied(width, height, unit="pixel"):
    return f'<mwg-rs:AppliedToDimensions stDim:w="{width}" stDim:h="{height}" stDim:unit="{unit}"/>'


def face(name, x=0.5, y=0.5, w=0.2, h=0.4, extra=""):
    area = f'stArea:x="{x}" stArea:y="{y}" stArea:w="{w}" stArea:h="{h}" {extra}'
    return f'<rdf:li mwg-rs:Name="{name}"><mwg-rs:Area {area}/></rdf:li>'


def assert_is(regions, name="Ann", box=BOX, source="mwg"):
    assert [(region.name, region.source) for region in regions] == [(name, source)]
    assert regions[0].box == pytest.approx(box, abs=1e-6)


# --- all orientations, as exiftool writes them ---


def drawn(path, orientation):
    """A picture with a white square, turned; the square as stored, and as `core.image` shows it."""
    upright = np.zeros((320, 480, 3), np.uint8)
    upright[40:120, 300:400] = 255
    stored = Image.fromarray(upright)
    if ROTATED[orientation] is not None:
        stored = stored.transpose(ROTATED[orientation])
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    stored.save(path, exif=exif, quality=95)
    return stored.size, square(np.asarray(stored)), square(read(path).pixels)


def square(pixels):
    rows, columns = np.nonzero(pixels[..., 1] > 127)
    height, width = pixels.shape[:2]
    x1, y1, x2, y2 = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return float(x1 / width), float(y1 / height), float(x2 / width), float(y2 / height)


def by_exiftool(form, box, size):
    x1, y1, x2, y2 = box
    if form == "microsoft":
        rectangle = "|, ".join(map(str, (x1, y1, x2 - x1, y2 - y1)))
        return [f"-RegionInfoMP={{Regions=[{{PersonDisplayName=Ann,Rectangle={rectangle}}}]}}"]
    area = f"X={(x1 + x2) / 2},Y={(y1 + y2) / 2},W={x2 - x1},H={y2 - y1},Unit=normalized"
    dimensions = f"AppliedToDimensions={{W={size[0]},H={size[1]},Unit=pixel}}"
    region = f"RegionList=[{{Area={{{area}}},Name=Ann,Type=Face}}]"
    return [f"-RegionInfo={{{dimensions},{region}}}"]


@needs_exiftool
@pytest.mark.parametrize("orientation", ROTATED)
def test_a_face_lies_where_it_is_seen_whatever_the_orientation_and_the_form(tmp_path, orientation):
    path = tmp_path / "photo.jpg"
    size, stored, seen = drawn(path, orientation)
    edits = {form: by_exiftool(form, stored, size) for form in ("mwg", "microsoft")}
    # digiKam writes both; they are one face.
    edits["both"] = edits["mwg"] + edits["microsoft"]
    # The size of a smaller copy that was tagged has the same proportions.
    edits["smaller"] = by_exiftool("mwg", stored, (size[0] // 4, size[1] // 4))
    # Some write a stale Microsoft form, or one of the upright picture, beside the right one.
    edits["mixed"] = edits["mwg"] + by_exiftool("microsoft", seen, size)
    if orientation >= 5:  # where a program wrote what it showed, the size betrays it
        edits["upright"] = by_exiftool("mwg", seen, size[::-1])
    copies = written(path, edits)

    assert set(copies) == set(edits)
    for name, copy in copies.items():
        source = "microsoft" if name == "microsoft" else "mwg"
        assert_is(inspect(copy).regions, box=pytest.approx(seen, abs=0.02), source=source)


def test_the_faces_in_real_photos_are_where_the_analyzer_finds_them(media, analyzer):
    found = {}
    for name in ("portrait.jpg", "portrait-orientation-6.jpg"):
        path = media / "formats" / "metadata" / "faces" / name
        found[name] = marie, pierre = inspect(path).regions
        faces = analyzer(path)
        box = tuple(np.multiply(marie.box, (faces.width, faces.height) * 2))

        assert (marie.name, pierre.name) == ("Marie Curie", "Pierre Curie")
        assert max(overlap(box, tuple(face)) for face in faces.boxes) > 0.3
    # He stands in profile, and the detector overlooks him. But it is the same picture, turned.
    for upright, turned in zip(*found.values(), strict=True):
        assert turned.box == pytest.approx(upright.box, abs=1e-5)


# --- the forms of MWG ---


@pytest.mark.parametrize(
    "inside",
    (
        mwg(FACE),
        mwg(FACE, kind="Seq"),
        # Lightroom and Picasa: descriptions inside, attributes
        f"<mwg-rs:Regions><rdf:Description>{applied(400, 200)}<mwg-rs:RegionList><rdf:Bag><rdf:li>"
        f'<rdf:Description mwg-rs:Type="Face" mwg-rs:Name="Ann"><mwg-rs:Area {AREA}/>'
        "</rdf:Description></rdf:li></rdf:Bag></mwg-rs:RegionList></rdf:Description>"
        "</mwg-rs:Regions>",
        # exiftool and Apple: elements
        mwg(
            '<rdf:li rdf:parseType="Resource"><mwg-rs:Area rdf:parseType="Resource">'
            "<stArea:h>0.4</stArea:h><stArea:w>0.2</stArea:w><stArea:x>0.5</stArea:x>"
            "<stArea:y>0.5</stArea:y><stArea:unit>normalized</stArea:unit></mwg-rs:Area>"
            "<mwg-rs:Name>Ann</mwg-rs:Name><mwg-rs:Type>Face</mwg-rs:Type>"
            '<mwg-rs:Extensions rdf:parseType="Resource"><mwg-rs:Name>no</mwg-rs:Name>'
            "</mwg-rs:Extensions></rdf:li>"
        ),
        # in pixels of the size that is given, and of the photo's where none is
        mwg(face("Ann", 50, 25, 20, 20, 'stArea:unit="pixel"'), applied(100, 50)),
        mwg(face("Ann", 200, 100, 80, 80, 'stArea:unit="pixel"')),
    ),
)
def test_every_way_to_write_a_region_is_read(inside):
    assert_is(read_regions(packet(inside), 1, SIZE))


def test_only_faces_are_read_and_they_need_no_name():
    pet, focus = (
        f'<rdf:li mwg-rs:Name="Rex" mwg-rs:Type="{kind}"><mwg-rs:Area {AREA}/></rdf:li>'
        for kind in ("Pet", "Focus")
    )
    nameless = f'<rdf:li mwg-rs:Type="Face"><mwg-rs:Area {AREA}/></rdf:li>'

    assert_is(read_regions(packet(mwg(pet + focus + nameless)), 1, SIZE), name="")


@pytest.mark.parametrize(
    ("given_name", "name"),
    (
        ("  Ann \n", "Ann"),
        ("Zoe\u0308", "Zo\u00eb"),
        ("ffffffffffffffff", ""),
        ("A &amp; B", "A & B"),
        ("x" * 300, "x" * 200),
    ),
)
def test_names_are_tidied(given_name, name):
    for inside in (mwg(face(given_name)), microsoft((given_name, "0.4, 0.3, 0.2, 0.4"))):
        assert [region.name for region in read_regions(packet(inside), 1, SIZE)] == [name]


def test_a_box_is_clipped_to_the_picture():
    regions = read_regions(packet(mwg(face("Ann", 0.0, 1.0, 0.5, 0.5))), 1, SIZE)

    assert_is(regions, box=(0, 0.75, 0.25, 1))


@pytest.mark.parametrize(
    "region",
    (
        face("Ann", 2.0, 0.5),  # outside
        face("Ann", "nan"),
        face("Ann", "inf"),
        face("Ann", ""),
        face("Ann", "0,5"),
        face("Ann", w=0),
        face("Ann", w=-0.2),
        face("Ann", 0.5, 0.5, 1, 1),  # the whole picture, as some telephones write
        '<rdf:li mwg-rs:Name="Ann"/>',
    ),
)
def test_what_is_no_box_is_passed_over_and_the_others_stay(region):
    assert_is(read_regions(packet(mwg(region + face("Bob"))), 1, SIZE), name="Bob")


def test_pixels_of_a_picture_of_unknown_size_are_passed_over():
    inside = mwg(face("Ann", 50, 25, 20, 20, 'stArea:unit="pixel"'))

    assert read_regions(packet(inside), 1, (0, 0)) == []


def test_no_more_regions_are_read_than_anyone_marks():
    many = "".join(face(f"n{n}", 0.001 * n, w=0.0005) for n in range(1, 998))
    inside = mwg(many + "".join(face(f"m{n}", 0.3, w=0.001 * n) for n in range(1, 100)))

    assert len(read_regions(packet(inside), 1, SIZE)) == 1000


# --- Microsoft's form, and both together ---


def test_microsoft_s_form_is_read():
    inside = microsoft(("Ann", "0.4, 0.3, 0.2, 0.4"))

    assert_is(read_regions(packet(inside), 1, SIZE), source="microsoft")


@pytest.mark.parametrize("rectangle", ("", "0.4, 0.3, 0.2", "0,4, 0,3, 0,2, 0,4", "a, b, c, d"))
def test_a_person_without_a_rectangle_is_passed_over(rectangle):
    assert read_regions(packet(microsoft(("Ann", rectangle))), 1, SIZE) == []


@pytest.mark.parametrize("orientation", ROTATED)
def test_the_same_face_in_both_forms_counts_once(orientation):
    both = mwg(face("Ann") + face("", 0.1, 0.1, 0.1, 0.1)) + microsoft(
        ("Ann", "0.41, 0.31, 0.2, 0.4"),
        ("Bob", "0.05, 0.05, 0.1, 0.1"),
        ("Cy", "0.8, 0.8, 0.1, 0.1"),
    )
    regions = read_regions(packet(both), orientation, SIZE)

    # Bob's name comes from the one form, his box from the other.
    assert [(region.name, region.source) for region in regions] == [
        ("Ann", "mwg"),
        ("Bob", "mwg"),
        ("Cy", "microsoft"),
    ]


def test_where_both_forms_name_somebody_the_others_are_read_the_same_way_up():
    upside_down = mwg(face("Ann", 0.2, 0.2, 0.2, 0.2))  # in the upright picture at 0.8, 0.8
    upright = microsoft(("Ann", "0.7, 0.7, 0.2, 0.2"), ("Bob", "0.1, 0.6, 0.1, 0.1"))
    stored = microsoft(("Ann", "0.1, 0.1, 0.2, 0.2"), ("Bob", "0.8, 0.3, 0.1, 0.1"))
    for other in (upright, stored):
        ann, bob = read_regions(packet(upside_down + other), 3, SIZE)

        assert ann.box == pytest.approx((0.7, 0.7, 0.9, 0.9))
        assert bob.box == pytest.approx((0.1, 0.6, 0.2, 0.7))


def test_a_face_that_one_program_moved_counts_once():
    both = mwg(face("Ann", 0.2)) + microsoft(("Ann", "0.7, 0.3, 0.2, 0.4"))

    assert_is(read_regions(packet(both), 1, SIZE), box=(0.1, 0.3, 0.3, 0.7))


# --- merging ---


def region(name, *box):
    return Region(name, box or BOX, "mwg")


def test_merging_drops_the_same_face_and_keeps_others():
    ann, near, far = region("Ann"), region("Ann", 0.5, 0.5, 0.8, 0.8), region("Bob", 0, 0, 0.1, 0.1)

    assert merged([ann], [near, far]) == [ann, far]
    assert merged([], [ann, near]) == [ann, near]  # one photo may show a person twice
    assert merged([ann, ann], []) == [ann]


def test_merging_takes_a_missing_name_and_keeps_the_first_of_two():
    assert merged([region("")], [region("Ann")]) == [region("Ann")]
    assert merged([region("Ann")], [region("")]) == [region("Ann")]
    assert merged([region("Ann")], [region("Bob")]) == [region("Ann")]
    # Nameless faces that only touch are two.
    assert len(merged([region("")], [region("", 0.5, 0.3, 0.9, 0.7)])) == 2


def test_overlap_is_the_shared_part_of_the_area_covered():
    assert overlap((0, 0, 1, 1), (0, 0, 1, 1)) == 1
    assert overlap((0, 0, 0.5, 1), (0.25, 0, 0.75, 1)) == pytest.approx(1 / 3)
    assert overlap((0, 0, 0.5, 0.5), (0.5, 0, 1, 1)) == 0


# --- hostile ---


@given(st.binary(max_size=300), st.integers(1, 8))
def test_no_bytes_make_reading_regions_fail(data, orientation):
    assert read_regions(data, orientation, SIZE) == []


NUMBER = st.one_of(st.floats().map(str), st.text(max_size=5).filter(str.isalnum), st.just(""))


@given(st.lists(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), max_size=4), st.integers(1, 8))
def test_every_box_lies_in_the_picture_whatever_the_numbers(numbers, orientation):
    inside = mwg("".join(face("A", *four) for four in numbers)) + microsoft(
        *(("B", ", ".join(four)) for four in numbers)
    )
    for found in read_regions(packet(inside), orientation, SIZE):
        x1, y1, x2, y2 = found.box
        assert 0 <= x1 < x2 <= 1
        assert 0 <= y1 < y2 <= 1
