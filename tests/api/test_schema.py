"""The API against its own documentation: whatever that allows is asked, by everybody.

Schemathesis draws what is sent from the OpenAPI document alone; ids are mostly those of things that
there are (`tests.party`). No answer is a failure of the server, and each is one that the document
names, of the type and the shape that it says.
"""

import copy
import re
from contextlib import suppress

import pytest
import requests
import schemathesis
from django.core.cache import cache
from django.db import transaction
from django.test import Client
from django.urls import get_resolver
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.specs.openapi import checks

from lookwho.api.app import api
from tests.party import ADDRESSES, a_party, a_quiet_site, uuid
from tests.permissions import ASKERS

ADDRESS = "http://testserver"
CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
FEW, MANY = 3, 25
THINGS = ("photo", "person", "group", "face", "other", "selfie", "job", "team", "member", "batch")
NOT_SENT = ("Content-Type", "Authorization", "Cookie")  # these say who asks, and are not drawn
WHO = "OCAMXTN"  # a guest has no API

# Whatever is of this format is mostly the id of something.
schemathesis.openapi.format(
    "uuid", st.sampled_from([str(uuid(what)) for what in THINGS]) | st.uuids().map(str)
)


def operations():
    """All that the API can do, as its document says."""
    assert get_resolver().url_patterns  # which brings all nouns together
    document = schemathesis.openapi.from_dict(api.get_openapi_schema())
    return [found.ok() for found in document.get_all_operations()]


OPERATIONS = operations()
NOUNS = sorted({operation.tags[0] for operation in OPERATIONS})


def known_parts(operation):
    """The parts of an operation's address that vary, as they are of something of the party."""
    names = re.findall(r"{(\w+)}", operation.path)
    route = re.sub(r"{(\w+)}", r"<\1>", operation.path.lstrip("/"))
    values = next((values for told, values in ADDRESSES if re.fullmatch(told, route)), ())
    return dict(zip(names, values, strict=False))


def requests_for(operation, mode):
    """What may be asked of an operation: mostly of what there is."""
    anything = operation.as_strategy(mode)
    known = known_parts(operation)
    return anything | operation.as_strategy(mode, path_parameters=known) if known else anything


class Asking:
    """Those who ask, each with a client of the site with the party."""

    def __init__(self, folder):
        self.site = a_quiet_site()
        a_party(self.site, folder)
        self.clients = {letter: Client() for letter in WHO}
        for letter, user in self.site.users.items():
            if letter in WHO:
                self.clients[letter].force_login(user)

    def ask(self, letter, case):
        """Send what was drawn, so that nothing of it lasts; return the answer."""
        sent = requests.Request(**case.as_transport_kwargs(base_url=ADDRESS)).prepare()
        headers = {name: value for name, value in sent.headers.items() if name not in NOT_SENT}
        if letter == "T":
            noun = case.operation.tags[0]
            headers["Authorization"] = f"Bearer {self.site.small_token(noun)}"
        client = self.clients[letter]
        kept = copy.deepcopy(client.cookies)
        cache.clear()  # how often somebody has tried something
        body = sent.body.encode() if isinstance(sent.body, str) else sent.body or b""
        with transaction.atomic():
            answer = client.generic(
                sent.method,
                sent.url.removeprefix(ADDRESS),
                body,
                sent.headers.get("Content-Type", ""),
                headers=headers,
            )
            content = b"".join(answer) if answer.streaming else answer.content
            transaction.set_rollback(True)
        client.cookies = kept
        told = {name.lower(): [value] for name, value in answer.items()}
        return Response(answer.status_code, told, content, sent, 0.0, verify=False)


def trouble_of(asking, operation, *, examples, mode=GenerationMode.POSITIVE):
    """Ask an operation so often, each time as everybody; return what was wrong."""
    wrong = {}

    @settings(
        max_examples=examples,
        phases=[Phase.generate],
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(requests_for(operation, mode))
    def ask(case):
        for letter in WHO:
            where = f"{operation.label} as {ASKERS[letter]}"
            sent = f"{case.path_parameters} {case.query} {case.body}"
            answer = asking.ask(letter, case)
            try:
                assert answer.status_code < 500, answer.text
                case.validate_response(answer, checks=CHECKS)
            except (AssertionError, FailureGroup) as error:
                wrong.setdefault(str(error)[:80], f"{where}, {sent}: {error}")

    with suppress(Unsatisfiable):  # an operation that takes nothing can be sent nothing wrong
        ask()
    return list(wrong.values())


@pytest.mark.django_db
@pytest.mark.parametrize("noun", NOUNS)
def test_every_answer_is_one_that_the_document_names(noun, tmp_path):
    asking = Asking(tmp_path)

    wrong = []
    for operation in OPERATIONS:
        if operation.tags[0] == noun:
            wrong += trouble_of(asking, operation, examples=FEW)

    assert not wrong, "\n\n".join(wrong)


@pytest.mark.long
@pytest.mark.django_db
@pytest.mark.parametrize("mode", list(GenerationMode), ids=("allowed", "not-allowed"))
@pytest.mark.parametrize("noun", NOUNS)
def test_no_answer_is_another_however_much_is_asked(noun, mode, tmp_path):
    asking = Asking(tmp_path)

    wrong = []
    for operation in OPERATIONS:
        if operation.tags[0] == noun:
            wrong += trouble_of(asking, operation, examples=MANY, mode=mode)

    assert not wrong, "\n\n".join(wrong)
