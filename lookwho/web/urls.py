"""Which page is where."""

from __future__ import annotations

from django.urls import path

from lookwho.web import accounts, front, me, people, photo, photos, pictures, progress, welcome

urlpatterns = [
    path("", front.door, name="front-door"),
    # Beginning, and work under way.
    path("welcome", welcome.welcome, name="welcome"),
    path("welcome/folder", welcome.folder, name="add-folder"),
    path("welcome/photos", welcome.uploads, name="add-photos"),
    path("welcome/names", welcome.names, name="names"),
    path("progress", progress.progress, name="progress"),
    path("progress/retry", progress.retry_all, name="retry-all"),
    path("progress/retry/<str:trouble>/<int:pk>", progress.retry, name="retry"),
    path("progress/<uuid:uuid>/cancel", progress.cancel, name="cancel"),
    path("progress/<uuid:uuid>/go-on", progress.go_on, name="go-on"),
    # People.
    path("people", people.people, name="people"),
    path("people/names", people.suggested, name="suggested-names"),
    path("people/undo/<uuid:batch>", people.undo, name="undo"),
    path("people/<uuid:uuid>", people.person, name="person"),
    path("people/<uuid:uuid>/name", people.name_person, name="name"),
    path("people/<uuid:uuid>/merge", people.merge, name="merge"),
    path("people/<uuid:uuid>/hide", people.hide, name="hide"),
    path("people/<uuid:uuid>/birth-date", people.birth_date, name="birth-date"),
    path("people/<uuid:uuid>/faces", people.faces, name="person-faces"),
    # Photos.
    path("photos", photos.photos, name="photos"),
    path("photos/tiles", photos.tiles, name="tiles"),
    path("photos/narrow", photos.narrow, name="narrow"),
    path("photos/<uuid:uuid>", photo.photo, name="photo"),
    path("photos/<uuid:uuid>/again", photo.look_again, name="look-again"),
    path("photos/<uuid:uuid>/faces/<uuid:face>", photo.say, name="say"),
    path("me", me.me, name="me"),
    path("me/selfies", me.add_selfie, name="add-selfie"),
    path("me/selfies/<uuid:uuid>", me.selfie, name="selfie"),
    path("me/selfies/<uuid:uuid>/remove", me.remove_selfie, name="remove-selfie"),
    path("pictures/<uuid:uuid>/<int:side>.webp", pictures.picture, name="picture"),
    path("faces/<uuid:uuid>/<int:side>.webp", pictures.face, name="face"),
    path("originals/<uuid:uuid>", pictures.original, name="original"),
    # Coming in and leaving.
    path("sign-in", accounts.SignIn.as_view(), name="sign-in"),
    path("sign-out", accounts.sign_out, name="sign-out"),
    path("enter/<str:token>", accounts.enter, name="enter"),
    path("join/<str:token>", accounts.join, name="join"),
]
