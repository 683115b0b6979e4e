"""Who gets what: every address of the site, against everybody who may ask.

The site is asked twice by everyone, without and with a party in it that only some may know of. To
whom an address has nothing to show (the table says so) both answers are the same, to the letter: no
id, no count, no picture. And nothing is changed.
"""

import copy
import re
from functools import lru_cache

import pytest
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.urls import URLResolver, get_resolver

from lookwho.api import app as api
from tests.party import ADDRESSES, SECRET, a_party, a_quiet_site
from tests.permissions import ASKERS, DATED, TABLE, is_ours, part_of

API = "api/v1/"
UNKNOWN_METHOD = 405
REFUSED = (401, 403, 404, UNKNOWN_METHOD, 410)
# They may know of everything, and a menu may tell them so where they are refused something else.
TOLD_ANYWAY = "OC"
WRITING = re.compile(r'\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+"?(\w+)', re.IGNORECASE)
# That somebody was here, and not what they did.
QUIET = {"django_session", "lookwho_apitoken", "lookwho_entrylink"}


def routes():
    """Every address, as the table of URLs has it, and the methods it knows if it tells."""

    def walk(patterns, before=""):
        for each in patterns:
            route = before + str(each.pattern)
            if isinstance(each, URLResolver):
                yield from walk(each.url_patterns, route)
            else:
                yield route

    return sorted({route for route in walk(get_resolver().url_patterns) if is_ours(route)})


def test_the_table_names_every_address_and_no_other():
    assert sorted(TABLE) == routes()


@lru_cache
def address(route):
    """An address of the party: each part that varies is that of the party's own things."""
    for pattern, values in ADDRESSES:
        if re.fullmatch(pattern, route):
            filled = route
            for value in values:
                filled = re.sub(r"<[^>]+>", str(value), filled, count=1)
            break
    else:
        filled = route
    assert "<" not in filled, f"tests/party.py does not say whose {route} is"
    return "/" + filled


class Asking:
    """Those who ask, each with a client."""

    def __init__(self, site):
        self.site = site
        self.clients = {letter: Client(raise_request_exception=False) for letter in ASKERS}
        for letter, user in site.users.items():
            self.clients[letter].force_login(user)
        site.let_in(self.clients["G"])

    def ask(self, letter, method, route):
        """Ask once, so that nothing of it lasts.

        Returns:
            What was answered, and the tables that were written to.
        """
        client, headers = self.clients[letter], {}
        if letter == "T":
            noun = api.noun_of_path(route.removeprefix(API)) if route.startswith(API) else ""
            headers = {"Authorization": f"Bearer {self.site.small_token(noun)}"}
        kept, written = copy.deepcopy(client.cookies), set()

        def watch(execute, sql, params, many, context):
            if found := WRITING.match(sql):
                written.add(found[1])
            return execute(sql, params, many, context)

        cache.clear()  # how often somebody has tried something
        with transaction.atomic(), connection.execute_wrapper(watch):
            answer = client.generic(
                method, address(route), b"", "application/json", headers=headers
            )
            body = b"".join(answer) if answer.streaming else answer.content
            transaction.set_rollback(True)
        client.cookies = kept
        told = answer.status_code, answer.get("Location", ""), plain(body)
        return told, written - QUIET

    def ask_all(self, routes):
        """Ask for all of them as everybody, by all methods that they know."""
        return {
            (route, method, letter): self.ask(letter, method, route)
            for route in routes
            for method in methods_of(route)
            if self.ask("N", method, route)[0][0] != UNKNOWN_METHOD
            for letter in ASKERS
        }


def methods_of(route):
    """The methods that an address is asked by: on pages both, whether or not it knows them."""
    return TABLE[route] if route.startswith(API) else {"GET": "", "POST": "", **TABLE[route]}


def same(route, told, before):
    """Whether two answers are the same; of those that hold a time, whether they begin so."""
    return told[:2] == before[:2] if route in DATED else told == before


def to_sign_in(told):
    """Whether an answer leads to the page where one signs in."""
    return told[0] == 302 and told[1].startswith("/sign-in")


def plain(body):
    """What somebody reads: without the tokens against forged forms, which differ each time."""
    return re.sub(rb"[A-Za-z0-9]{64}", b"-", body)


PARTS = sorted({part_of(route) for route in TABLE})


@pytest.mark.django_db
@pytest.mark.parametrize("part", PARTS)
def test_nobody_gets_or_changes_what_is_not_theirs(part, tmp_path):
    site = a_quiet_site()
    asking = Asking(site)
    asked = [route for route in TABLE if part_of(route) == part]

    quiet = asking.ask_all(asked)
    a_party(site, tmp_path)
    loud = asking.ask_all(asked)

    wrong = []
    for (route, method, letter), (told, written) in loud.items():
        who, letters = ASKERS[letter], methods_of(route)[method]
        may, knows = letter in letters, letter in letters.upper() or letter in TOLD_ANYWAY
        before, _ = quiet[route, method, letter]
        refused = told[0] in REFUSED or to_sign_in(told)
        if told[0] >= 500:
            wrong.append(f"{method} {route} fails for {who}: {told[0]}")
        elif may and refused:
            wrong.append(f"{method} {route} refuses {who}: {told[0]}")
        elif not knows and not same(route, told, before):
            wrong.append(f"{method} {route} tells {who} of the party: {before[0]}, {told[0]}")
        if not knows and any(secret.encode() in told[2] for secret in SECRET):
            wrong.append(f"{method} {route} shows {who} the party")
        if not knows and refused and written:
            wrong.append(f"{method} {route} refuses {who} and writes to {sorted(written)}")
    assert not wrong, "\n".join(wrong)
