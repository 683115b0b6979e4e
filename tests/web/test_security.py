import contextlib
import re
from pathlib import Path

import pytest
from django.http import HttpResponse

import lookwho.web
from lookwho.web.security import guarded

TEMPLATES = sorted(Path(lookwho.web.__file__).parent.glob("templates/**/*.html"))


@pytest.mark.django_db
@pytest.mark.parametrize("path", ("/sign-in", "/nowhere", "/people", "/static/lookwho/lookwho.css"))
def test_every_answer_says_what_a_browser_may_load(as_owner, path):
    with contextlib.closing(as_owner.get(path)) as answer:
        policy = answer["Content-Security-Policy"]

    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_a_view_that_says_more_is_not_overruled():
    answer = HttpResponse(headers={"Content-Security-Policy": "sandbox"})

    assert guarded(answer)["Content-Security-Policy"] == "sandbox"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_page_holds_what_the_policy_forbids(template):
    source = template.read_text("utf-8")

    assert not re.search(r"\s(style|on\w+)\s*=", source)
    assert not re.search(r"<script(?![^>]*\bsrc=)", source)
    assert not re.search(r"(src|href)=\"(https?:)?//", source)
