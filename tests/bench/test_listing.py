import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bench.listing import APPEARANCES, PEOPLE, VIDEOS_EACH, fill
from lookwho.library.models import User
from lookwho.services import accounts

pytestmark = pytest.mark.django_db


def test_everybody_is_listed_with_their_videos_by_as_many_queries_as_one(client):
    fill()
    client.force_login(accounts.make_user("owner", User.Role.OWNER))
    client.get("/api/v1/profiles?limit=1")
    asked = {}
    for limit in (1, PEOPLE):
        with CaptureQueriesContext(connection) as queries:
            answer = client.get(f"/api/v1/profiles?limit={limit}").json()
        asked[limit] = len(queries)

    assert asked[1] == asked[PEOPLE]
    assert len(answer["profiles"]) == PEOPLE
    for each in answer["profiles"]:
        videos = {video["video"] for video in each["videos"]}
        assert len(videos) == VIDEOS_EACH
        assert {len(video["appearances"]) for video in each["videos"]} == {APPEARANCES}
