import logging

import pytest
from django.test import RequestFactory

from lookwho.core import errors
from lookwho.core.errors import LookwhoError
from lookwho.web.errors import TITLES, page

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize(
    ("kind", "status"),
    (
        (errors.NotFound, 404),
        (errors.Forbidden, 403),
        (errors.Invalid, 422),
        (errors.LinkExpired, 410),
        (errors.Conflict, 409),
        (errors.RequestError, 400),
        (errors.BrokenImage, 422),
        (errors.StaleTicket, 409),
        (errors.StorageFull, 507),
        (errors.ModelMissing, 500),
    ),
)
def test_each_error_has_its_status(kind, status):
    assert kind("why").status == status


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_is_a_page_with_its_code_and_message(kind):
    request = RequestFactory().get("/")

    answer = page(request, kind("the dog ate <it>"))

    assert answer.status_code == kind.status
    shown = answer.content.decode()
    assert f"<code>{kind.code}</code>" in shown
    assert '<p class="soft">The dog ate &lt;it&gt;.</p>' in shown


@pytest.mark.parametrize("status", TITLES)
def test_a_script_is_answered_with_a_toast(status):
    request = RequestFactory().post("/", headers={"HX-Request": "true"})
    error = LookwhoError("the dog ate it")
    error.status = status

    answer = page(request, error)

    assert answer.status_code == status
    assert answer["HX-Retarget"] == "#toasts"
    assert "<html" not in answer.content.decode()
    assert "The dog ate it." in answer.content.decode()


@pytest.mark.django_db
def test_an_address_that_leads_nowhere_has_a_page_in_our_look(as_owner):
    answer = as_owner.get("/nowhere")

    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()
    assert 'aria-label="Main"' in answer.content.decode()


@pytest.mark.django_db
def test_a_mistake_of_ours_tells_no_secrets(client, owner, monkeypatch):
    client.force_login(owner)
    client.raise_request_exception = False
    monkeypatch.setattr("lookwho.web.front.work.pace", lambda scope: 1 / 0)
    monkeypatch.setattr(logging.getLogger("django.request"), "disabled", True)

    answer = client.get("/")

    assert answer.status_code == 500
    assert "Something went wrong" in answer.content.decode()
    assert "division" not in answer.content.decode()
