import os
import threading
from datetime import timedelta

import pytest
from django.utils import timezone

from lookwho.core.errors import (
    Cancelled,
    FileMissing,
    Forbidden,
    NotAVideo,
    NotFound,
    StorageReadOnly,
)
from lookwho.core.video import probe
from lookwho.library.models import Album, AlbumItem, Job, Media, Video
from lookwho.services import proxies, work
from lookwho.services.proxies import run_proxy
from tests.films import a_video
from tests.people import a_user
from tests.videos import drawn, make_clip
from tests.work import claimed

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def folder(settings, tmp_path):
    settings.PROXIES = tmp_path / "proxies"
    return settings.PROXIES


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """What browsers do not play."""
    return make_clip(tmp_path_factory.mktemp("clips") / "clip.avi", codec="mpeg4", audio=True)


@pytest.fixture
def video(clip, tmp_path):
    path = tmp_path / "clip.avi"
    path.write_bytes(clip.read_bytes())
    return a_video(path=path, plays=False)


def nothing(done=None):
    pass


def how(media):
    return Video.objects.get(media=media).proxy


def made(media, by=None):
    """The copy of a video, once it is asked for and made."""
    proxies.ask(by or a_user(), media)
    job = claimed("proxy")
    run_proxy(job, beat=nothing)
    work.finish(job.pk, job.ticket)
    return proxies.path_of(media)


def test_who_asks_gets_a_copy_that_browsers_play(video, folder):
    assert proxies.needs(video.video)

    path = made(video)

    assert probe(path).plays
    assert path == folder / f"{bytes(video.payload_hash).hex()}.mp4"
    video.video.refresh_from_db()
    assert not proxies.needs(video.video)
    assert proxies.state(video).state == "ready"
    assert [each.name for each in folder.iterdir()] == [path.name]


def test_what_browsers_play_needs_no_copy():
    assert not proxies.needs(Video(plays=True))


def test_the_folder_is_for_this_user_alone(video, folder):
    path = made(video)

    assert folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600


def test_asking_twice_is_asking_once(video):
    first = proxies.ask(a_user(), video)
    assert proxies.ask(a_user(), video) == first

    job = claimed("proxy")
    assert proxies.ask(a_user(), video) == job == first
    assert Job.objects.count() == 1


def test_of_what_is_there_no_other_is_made(video):
    path = made(video)

    assert proxies.ask(a_user(), video) is None
    assert Job.objects.filter(state="waiting").count() == 0
    assert proxies.path_of(video) == path


def test_only_who_may_see_the_video_may_ask_and_cancel(video):
    member, stranger = a_user("member"), a_user("member")
    album = Album.objects.create(title="Film", slug="film", hidden=True)
    AlbumItem.objects.create(album=album, media=video)

    for act in (proxies.ask, proxies.cancel):
        with pytest.raises(NotFound):
            act(member, video)
    Album.objects.update(hidden=False)
    proxies.ask(member, video)

    with pytest.raises(Forbidden):
        proxies.cancel(stranger, video)
    proxies.cancel(member, video)
    assert how(video) == "none"


def test_a_visit_by_a_link_asks_once_and_not_again_after_it_failed(video):
    job = proxies.ask_for_link(video)
    assert job.payload == {"media": video.pk}
    assert proxies.ask_for_link(video) is None

    work.cancel(job.pk)
    Video.objects.update(proxy="failed")
    assert proxies.ask_for_link(video) is None
    assert Job.objects.count() == 1


def test_there_is_no_copy_of_a_photo():
    photo = a_video()
    Video.objects.all().delete()

    with pytest.raises(NotFound):
        proxies.ask(a_user(), photo)


def test_how_far_it_is_is_told_while_it_is_made(video):
    assert proxies.state(video).state == "none"
    proxies.ask(a_user(), video)
    assert (proxies.state(video).state, proxies.state(video).share) == ("waiting", 0)

    job = claimed("proxy")
    work.heartbeat(job.pk, job.ticket, done=250)

    assert proxies.state(video).share == 0.25


def test_it_is_told_to_whoever_waits_as_it_gets_on(video):
    proxies.ask(a_user(), video)
    told = []

    run_proxy(claimed("proxy"), beat=told.append)

    assert told == sorted(told)
    assert all(0 <= each <= proxies.PARTS for each in told)


def test_cancelling_leaves_nothing(video, folder):
    by = a_user()
    proxies.ask(by, video)
    job = claimed("proxy")

    def beat(done=None):
        proxies.cancel(by, video)
        raise Cancelled("it is to stop")

    with pytest.raises(Cancelled):
        run_proxy(job, beat=beat)
    work.give_back(job.pk, job.ticket)

    assert list(folder.iterdir()) == []
    assert how(video) == "none"
    assert proxies.state(video).state == "none"
    assert Job.objects.get().state == "cancelled"


def test_one_that_is_cancelled_where_all_work_is_shown_is_not_waited_for(video):
    job = proxies.ask(a_user(), video)

    work.cancel(job.pk)

    assert proxies.state(video).state == "none"
    assert proxies.ask(a_user(), video) != job
    assert proxies.state(video).state == "waiting"


def test_a_worker_that_stops_leaves_it_to_another(video, folder):
    proxies.ask(a_user(), video)
    job = claimed("proxy")

    def beat(done=None):
        raise Cancelled("this worker ends")

    with pytest.raises(Cancelled):
        run_proxy(job, beat=beat)
    work.give_back(job.pk, job.ticket)

    assert proxies.state(video).state == "waiting"
    run_proxy(claimed("proxy"), beat=nothing)
    assert probe(proxies.path_of(video)).plays


def test_why_there_is_none_is_told_and_it_may_be_tried_again(video, tmp_path, clip):
    (tmp_path / "clip.avi").write_bytes(b"this was a video once")
    proxies.ask(a_user(), video)

    job = claimed("proxy")
    with pytest.raises(NotAVideo) as caught:
        run_proxy(job, beat=nothing)
    work.fail(job.pk, job.ticket, caught.value, retry_in=None)

    assert proxies.state(video).state == "failed"
    assert proxies.state(video).error == caught.value.message
    (tmp_path / "clip.avi").write_bytes(clip.read_bytes())
    assert made(video)
    assert proxies.state(video).error == ""


def test_a_file_that_is_gone_is_told(video, tmp_path):
    (tmp_path / "clip.avi").unlink()
    proxies.ask(a_user(), video)

    with pytest.raises(FileMissing):
        run_proxy(claimed("proxy"), beat=nothing)
    assert how(video) == "failed"


def test_a_folder_that_cannot_be_written_to_is_told(video, folder):
    folder.write_bytes(b"a file in its place")
    proxies.ask(a_user(), video)

    with pytest.raises(StorageReadOnly, match="proxies"):
        run_proxy(claimed("proxy"), beat=nothing)


def test_a_video_that_is_gone_meanwhile_ends_the_job(video, folder):
    proxies.ask(a_user(), video)
    job = claimed("proxy")
    Media.objects.all().delete()

    run_proxy(job, beat=nothing)

    assert not folder.exists()


def test_one_that_somebody_removed_is_asked_for_again(video):
    made(video).unlink()

    assert proxies.path_of(video) is None
    assert how(video) == "none"
    assert made(video).is_file()


def test_what_is_forgotten_is_gone_with_its_file(video, folder):
    made(video)

    proxies.forget(video)

    assert list(folder.iterdir()) == []
    assert how(video) == "none"
    assert proxies.path_of(video) is None


def test_one_that_is_forgotten_while_it_is_made_is_not_kept(video, folder):
    proxies.ask(a_user(), video)
    job = claimed("proxy")
    forgotten = threading.Event()

    def beat(done=None):
        if not forgotten.is_set():
            forgotten.set()
            proxies.forget(video)

    run_proxy(job, beat=beat)

    assert forgotten.is_set()
    assert list(folder.iterdir()) == []
    assert how(video) == "none"


def test_forgetting_what_was_never_made_does_no_harm(video):
    proxies.forget(video)

    assert how(video) == "none"


def aged(path, days):
    past = (timezone.now() - timedelta(days=days)).timestamp()
    os.utime(path, (past, past))


def before(days):
    return timezone.now() - timedelta(days=days)


def test_those_that_nobody_watched_go_and_come_when_asked_for(video, folder):
    path = made(video)
    aged(path, 31)

    assert proxies.go(before(30), True) == 1
    assert path.is_file()
    assert proxies.go(before(30), False) == 1

    assert list(folder.iterdir()) == []
    assert how(video) == "none"


def test_watching_keeps_them(video):
    aged(made(video), 31)

    path = proxies.path_of(video)

    assert proxies.go(before(30), False) == 0
    assert path.is_file()


def test_what_no_video_asks_for_goes_and_what_is_not_ours_stays(video, folder):
    path = made(video)
    for name in (f"{'ab' * 32}.mp4", "notes.txt", ".new-abandoned"):
        (folder / name).write_bytes(b"?")
    aged(folder / ".new-abandoned", 1)
    (folder / ".new-begun").write_bytes(b"it is being made")

    assert proxies.go(before(30), False) == 1

    left = {each.name for each in folder.iterdir()}
    assert left == {path.name, "notes.txt", ".new-begun"}


def test_those_that_were_unused_for_longest_make_room(settings, tmp_path):
    sizes = []
    videos = []
    for number in range(3):
        clip = make_clip(tmp_path / f"{number}.avi", drawn(10 + number), codec="mpeg4")
        media = a_video(path=clip, plays=False, payload_hash=bytes([number]) * 32)
        media.payload_hash = bytes([number]) * 32
        Media.objects.filter(pk=media.pk).update(payload_hash=media.payload_hash)
        videos.append(media)
        if number == 2:
            settings.PROXIES_BYTES = sum(sizes) + sizes[0] // 2
        path = made(media)
        if number < 2:
            sizes.append(path.stat().st_size)
            aged(path, 5 - number)

    assert [how(media) for media in videos] == ["none", "ready", "ready"]
    assert [proxies.path_of(media) is not None for media in videos] == [False, True, True]
