import pytest

from lookwho.core.xmp import field, items, orientation_in, parse, text, times_in

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"


def packet(inside):
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}" xmlns:a="urn:a" '
        'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" '
        f'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/">{inside}</rdf:RDF></x:xmpmeta>'
    ).encode()


@pytest.mark.parametrize(
    "written",
    (
        '<a:Top a:Name="Ann"/>',
        "<a:Top rdf:parseType='Resource'><a:Name>Ann</a:Name></a:Top>",
        "<a:Top><rdf:Description><a:Name> Ann\n</a:Name></rdf:Description></a:Top>",
        '<a:Top><rdf:Description a:Name="Ann"/></a:Top>',
        "<a:Top><a:Name><rdf:Alt><rdf:li>Ann</rdf:li><rdf:li>Anna</rdf:li></rdf:Alt></a:Name></a:Top>",
    ),
)
def test_a_field_is_found_in_every_form_of_rdf(written):
    root = parse(packet(f"<rdf:Description>{written}</rdf:Description>"))
    top = next(root.iter("{urn:a}Top"))

    assert text(field(top, "Name")) == "Ann"
    assert text(field(top, "{urn:a}Name")) == "Ann"
    assert field(top, "{urn:b}Name") is None
    assert field(top, "Other") is None


@pytest.mark.parametrize("kind", ("Bag", "Seq", "Alt"))
def test_lists_of_every_kind_have_items(kind):
    written = f"<a:Top><rdf:{kind}><rdf:li>1</rdf:li><rdf:li>2</rdf:li></rdf:{kind}></a:Top>"
    root = parse(packet(written))

    assert [text(item) for item in items(next(root.iter("{urn:a}Top")))] == ["1", "2"]


def test_times_come_the_best_first_in_whatever_order_they_stand():
    root = parse(
        packet(
            '<rdf:Description xmp:CreateDate="3" />'
            "<rdf:Description><photoshop:DateCreated>2</photoshop:DateCreated>"
            "<exif:DateTimeOriginal>1</exif:DateTimeOriginal></rdf:Description>"
        )
    )
    assert times_in(root) == ["1", "2", "3"]


@pytest.mark.parametrize("encoding", ("utf-8", "utf-8-sig", "utf-16"))
def test_packets_are_read_in_every_encoding_with_padding(encoding):
    data = packet("<a:Top>Zoë</a:Top>").decode().encode(encoding)
    if encoding != "utf-16":
        data = b"\n" + data + b"  \n\0"

    assert text(next(parse(data).iter("{urn:a}Top"))) == "Zoë"


@pytest.mark.parametrize(
    "hostile",
    (
        b"",
        b"no xml",
        b"<a><b></a>",
        b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b"<?xml version='1.0' encoding='no-such'?><a/>",
        b"<a>" + b"<b/>" * 200_000 + b"</a>",
        b"<a " + b"".join(b"b%d='' " % n for n in range(200_000)) + b"/>",
        b"<a>" + b" " * (16 << 20) + b"</a>",
    ),
)
def test_what_is_damaged_hostile_or_too_long_is_nothing(hostile):
    assert parse(hostile) is None


def test_an_orientation_is_found_as_attribute_and_as_element():
    assert orientation_in(b'<a tiff:Orientation="6"/>') == 6
    assert orientation_in(b"<tiff:Orientation>8</tiff:Orientation>") == 8
    assert orientation_in(b'<a tiff:Orientation="9"/>') is None
