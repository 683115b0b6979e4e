"""Who may see or change what is not open to all, address by address.

A letter says that an address has something to show of the party (`tests.party`), or does what it is
there for, for one who asks; a small letter that they may know of it and are refused; "-" that it
has nothing to do with the party for anybody: it is open to all, or about nothing but who asks.
Every address of the site is here, or a test fails.
"""

import re

# Those who ask, by the letters of the table.
ASKERS = {
    "O": "the owner",
    "C": "a curator",
    "A": "an annotator",
    "M": "a member who was at the party",
    "F": "a former member",
    "X": "another member",
    "G": "a guest of another album",
    "T": "a token that is for something else",
    "N": "nobody",
}
# Whoever has the link of the party (/g/...) may come, whoever they are.
# What holds the time at which it was asked for.
DATED = {"api/v1/me/export", "privacy/export"}
_TABLE = """
/                                                     GET -
account                                               GET -
account/closed                                        GET -
account/confirm                                       GET -  POST -
account/connected/                                    GET -  POST -
account/connected/login/cancelled/                    GET -
account/connected/login/error/                        GET -
account/connected/signup/                             GET -  POST -
account/email                                         GET -  POST -
account/email/sent                                    GET -
account/password                                      GET -  POST -
account/password/reset                                GET -  POST -
account/password/reset/done                           GET -
account/password/reset/sent                           GET -
account/password/set                                  GET -  POST -
account/second-factor/                                GET -  POST -
account/second-factor/authenticate/                   GET -  POST -
account/second-factor/reauthenticate/                 GET -  POST -
account/second-factor/recovery-codes/                 GET -  POST -
account/second-factor/recovery-codes/download/        GET -  POST -
account/second-factor/recovery-codes/generate/        GET -  POST -
account/second-factor/totp/activate/                  GET -  POST -
account/second-factor/totp/deactivate/                GET -  POST -
account/second-factor/webauthn/                       GET -  POST -
account/second-factor/webauthn/add/                   GET -  POST -
account/second-factor/webauthn/keys/<int:pk>/edit/    GET -  POST -
account/second-factor/webauthn/keys/<int:pk>/remove/  GET -  POST -
account/second-factor/webauthn/reauthenticate/        GET -  POST -
account/sign-out                                      POST -
account/tokens                                        GET M  POST M
account/tokens/<uuid:uuid>/revoke                     POST M
albums                                                GET OCAM  POST OC
albums/<slug:slug>                                    GET OCAM
albums/<slug:slug>/cover                              POST OC
albums/<slug:slug>/download                           GET OCAM
albums/<slug:slug>/edit                               GET OC  POST OC
albums/<slug:slug>/links                              GET OC
albums/<slug:slug>/mine                               GET OCAM
albums/<slug:slug>/remove                             POST OC
albums/<slug:slug>/take-out                           POST -
albums/<slug:slug>/uploads                            GET OC  POST OC
albums/<slug:slug>/uploads/forget                     POST OC
albums/<slug:slug>/watches                            POST O
api/v1/                                               GET -
api/v1/albums                                         GET OCAM  POST OC
api/v1/albums/<slug>                                  GET OCAM  PATCH OC  DELETE OC
api/v1/albums/<slug>/photos                           GET OCAM  POST OC
api/v1/albums/<slug>/photos/remove                    POST OC
api/v1/faces/<uuid>/box                               PUT OCA
api/v1/faces/<uuid>/crop                              GET OCAM
api/v1/faces/<uuid>/suggestions                       GET OCA
api/v1/faces/confirm                                  POST OCA
api/v1/faces/name                                     POST OCA
api/v1/faces/not-a-face                               POST OCA
api/v1/faces/reject                                   POST OCA
api/v1/faces/split                                    POST OCA
api/v1/folders                                        POST O
api/v1/history                                        GET OCA
api/v1/invitations                                    POST O
api/v1/labelling/faces/<uuid>/decide                  POST OC
api/v1/labelling/faces/<uuid>/gold                    POST OC
api/v1/labelling/import                               POST OC
api/v1/labelling/labels/<uuid>                        POST OCA
api/v1/labelling/labels/<uuid>/skip                   POST A
api/v1/labelling/projects                             GET OCA  POST OC
api/v1/labelling/projects/<uuid>                      GET OC  PATCH OC
api/v1/labelling/projects/<uuid>/apply                POST OC
api/v1/labelling/projects/<uuid>/assign               POST OC
api/v1/labelling/projects/<uuid>/faces                GET OC
api/v1/labelling/projects/<uuid>/mine                 GET OCA
api/v1/labelling/projects/<uuid>/next                 POST OCA
api/v1/labelling/projects/<uuid>/releases             POST OC
api/v1/labelling/projects/<uuid>/releases/<version>   GET OC
api/v1/labelling/projects/<uuid>/undo                 POST oca
api/v1/links                                          GET OC  POST OC
api/v1/links/<uuidstr:uuid>                           GET OC  PATCH OC  DELETE OC
api/v1/me                                             GET -  PATCH -
api/v1/me/consents                                    GET M
api/v1/me/consents/<purpose>                          PUT -  DELETE M
api/v1/me/consents/cost                               GET -
api/v1/me/erasure                                     GET M  POST -
api/v1/me/export                                      GET M
api/v1/me/faces/<uuid>                                PUT -
api/v1/me/photos                                      GET M
api/v1/me/searches                                    GET M
api/v1/me/selfies                                     GET M  POST -
api/v1/me/selfies/<uuid>                              DELETE M
api/v1/me/selfies/<uuid>/picture                      GET M
api/v1/me/tokens                                      GET M  POST -
api/v1/me/tokens/<uuid>                               DELETE M
api/v1/me/undo                                        POST -
api/v1/members                                        GET O
api/v1/members/<uuid>/erasure                         GET O  POST O
api/v1/members/<uuidstr:uuid>                         GET O  PATCH O
api/v1/members/<uuidstr:uuid>/memberships             GET O  PUT O
api/v1/members/<uuidstr:uuid>/person                  PUT O
api/v1/members/invitations                            GET O  POST O
api/v1/members/invitations/<uuid>                     DELETE O
api/v1/members/list                                   PUT O
api/v1/montages                                       POST -
api/v1/montages/<uuid>                                GET -  DELETE -
api/v1/montages/<uuid>/file                           GET -
api/v1/names                                          GET OC
api/v1/names/accept                                   POST OC
api/v1/names/decline                                  POST OC
api/v1/openapi.json                                   GET -
api/v1/people                                         GET OCA
api/v1/people/<uuid>                                  GET OCA  PATCH OCA
api/v1/people/<uuid>/erasure                          GET O  POST O
api/v1/people/<uuid>/faces                            GET OCA
api/v1/people/<uuid>/merge                            POST OCA
api/v1/people/<uuid>/videos                           GET OCA
api/v1/photos                                         GET OCAM
api/v1/photos/<uuid>                                  GET OCAM
api/v1/photos/<uuid>/absent                           POST OCA
api/v1/photos/<uuid>/faces                            POST OCA
api/v1/photos/<uuid>/like                             GET OCAM  POST OCAM  DELETE OCAM
api/v1/photos/<uuidstr:uuid>/removal                  POST -
api/v1/photos/days                                    GET OCAM
api/v1/photos/liked                                   GET M
api/v1/photos/most-liked                              GET OCAM
api/v1/profiles                                       GET OCA
api/v1/profiles/<uuid>                                GET OCA  PUT OCA  DELETE O
api/v1/quality                                        GET OC
api/v1/quality/fits                                   GET OC
api/v1/quality/fits/<pk>/use                          POST OC
api/v1/quality/measure                                POST OC
api/v1/quality/threshold                              PUT OC
api/v1/requests                                       GET OC
api/v1/requests/<uuidstr:uuid>/decline                POST OC
api/v1/requests/<uuidstr:uuid>/hide                   POST OC
api/v1/requests/<uuidstr:uuid>/undo                   POST OC
api/v1/requests/mine                                  GET M
api/v1/requests/selfies                               GET OC
api/v1/requests/selfies/<uuidstr:uuid>/approve        POST OC
api/v1/requests/selfies/<uuidstr:uuid>/decline        POST OC
api/v1/review                                         GET OCA
api/v1/review/answers                                 POST OCA
api/v1/review/next                                    GET OCA
api/v1/review/release                                 POST OCA
api/v1/review/renew                                   POST OCA
api/v1/review/undo                                    POST OCA
api/v1/settings                                       GET O
api/v1/settings/members-list                          GET O  PUT O
api/v1/settings/options/<name>                        PUT O
api/v1/settings/retention                             GET O
api/v1/settings/searches                              GET O
api/v1/settings/texts/<purpose>                       GET O  POST O
api/v1/site-accounts                                  GET M
api/v1/site-accounts/<uuid>                           PUT M  DELETE M
api/v1/sites                                          GET O  POST O
api/v1/sites/<uuid>                                   GET O  DELETE O
api/v1/sites/<uuid>/import                            POST O
api/v1/sites/<uuid>/token                             PUT O
api/v1/teams                                          GET O  POST O
api/v1/teams/<uuid>                                   GET O  PATCH O  DELETE O
api/v1/tracks/move                                    POST OCA
api/v1/tracks/split                                   POST OCA
api/v1/undo                                           POST OCA
api/v1/uploads                                        POST OC  GET OC
api/v1/uploads/<uuid>                                 GET OC  PATCH OC  DELETE OC
api/v1/videos                                         GET OCAM  POST OC
api/v1/videos/<uuid>                                  GET OCAM
api/v1/videos/<uuid>/analysis                         DELETE OC
api/v1/videos/<uuid>/appearances.<kind>               GET OCAM
api/v1/videos/<uuid>/cancel                           POST OC
api/v1/videos/<uuid>/copy                             GET OCAM  POST OCAM  DELETE OCAM
api/v1/videos/<uuid>/copy/file                        GET ocam
api/v1/videos/<uuid>/file                             GET OCAM
api/v1/videos/<uuid>/move                             POST oc
api/v1/videos/<uuid>/people                           GET OCAM
api/v1/videos/<uuid>/profiles                         GET OCA
api/v1/videos/<uuid>/retry                            POST OC
api/v1/videos/<uuid>/status                           GET OCAM
api/v1/videos/status                                  GET OC
api/v1/videos/together                                GET OCA
api/v1/work                                           GET OC
api/v1/work/<uuid>/cancel                             POST OC
api/v1/work/<uuid>/retry                              POST OC
api/v1/work/failures                                  GET OC
api/v1/work/failures/<trouble>/<id>/retry             POST OC
api/v1/work/resume                                    POST OC
api/v1/work/retry                                     POST OC
d/<str:slip>                                          GET -
docs                                                  GET -  POST -
enter/<str:token>                                     GET -  POST -
faces/<uuid:uuid>/<int:side>.webp                     GET OCAM
g/<str:token>                                         GET OCAMFXGTN
g/<str:token>/download                                GET ocamfxgtn
g/<str:token>/forget                                  POST OCAMFXGTN
g/<str:token>/keep                                    POST ocamfxgtn
g/<str:token>/password                                POST OCAMFXGTN
g/<str:token>/photos/<uuid:uuid>                      GET OCAMFXGTN
g/<str:token>/photos/<uuid:uuid>/remove               POST OCAMFXGTN
g/<str:token>/selfie                                  GET OCAMFXGTN  POST OCAMFXGTN
g/as/<str:token>                                      GET -  POST -
history                                               GET OCA
join/<str:token>                                      GET -  POST -
labelling                                             GET OCA
labelling/<uuid:uuid>                                 GET OCA
labelling/<uuid:uuid>/apply                           POST OC
labelling/<uuid:uuid>/assign                          POST OC
labelling/<uuid:uuid>/close                           POST OC
labelling/<uuid:uuid>/disputed                        GET OC
labelling/<uuid:uuid>/freeze                          POST OC
labelling/<uuid:uuid>/import                          POST OC
labelling/<uuid:uuid>/label                           GET OCA
labelling/<uuid:uuid>/labellers                       POST OC
labelling/<uuid:uuid>/undo                            POST OCA
labelling/<uuid:uuid>/v<int:version>.<str:kind>       GET OC
labelling/faces/<uuid:uuid>                           POST OC
labelling/labels/<uuid:uuid>                          POST A
labelling/new                                         GET OC  POST OC
labelling/pictures/<uuid:uuid>/<int:side>.webp        GET A
links                                                 GET OC
links/<uuid:uuid>                                     GET OC
links/<uuid:uuid>/change                              POST OC
links/<uuid:uuid>/code.svg                            GET OC
links/<uuid:uuid>/revoke                              POST OC
links/new                                             POST OC
mail/stop/<str:token>                                 GET -  POST -
me                                                    GET M
me/download                                           GET M
me/mail                                               POST -
me/maybe                                              GET -
me/more                                               GET M
me/say                                                POST -
me/selfies                                            GET M  POST -
me/selfies/<uuid:uuid>                                GET M
me/selfies/<uuid:uuid>/remove                         POST M
me/undo/<uuid:batch>                                  POST O
me/waiting                                            GET M
members                                               GET O
members/<uuid:uuid>                                   POST O
members/<uuid:uuid>/erase                             GET O  POST O
members/<uuid:uuid>/let-in                            POST O
members/<uuid:uuid>/person                            POST O
members/<uuid:uuid>/times                             GET O
members/<uuid:uuid>/times/<int:pk>                    POST O
members/<uuid:uuid>/times/add                         POST O
members/invitations/<uuid:uuid>/revoke                POST O
members/invite                                        POST O
members/list                                          GET O  POST O
moments/<uuid:uuid>                                   GET -
moments/<uuid:uuid>/stop                              POST -
originals/<uuid:uuid>                                 GET OCAM
people                                                GET OCA
people/<uuid:uuid>                                    GET OCA
people/<uuid:uuid>/birth-date                         POST OCA
people/<uuid:uuid>/erase                              GET O  POST O
people/<uuid:uuid>/faces                              POST OCA
people/<uuid:uuid>/hide                               POST OCA
people/<uuid:uuid>/merge                              POST OCA
people/<uuid:uuid>/moments                            POST OCA
people/<uuid:uuid>/moments/<str:kind>                 GET OCA
people/<uuid:uuid>/name                               POST OCA
people/likely                                         GET OCA
people/merge                                          POST OCA
people/names                                          GET OCA
people/undo/<uuid:batch>                              POST OCa
photos                                                GET OCAM
photos/<uuid:uuid>                                    GET OCAM
photos/<uuid:uuid>/absent                             POST OCA
photos/<uuid:uuid>/again                              POST OC
photos/<uuid:uuid>/albums                             POST OC
photos/<uuid:uuid>/faces                              POST OCA
photos/<uuid:uuid>/faces/<uuid:face>                  POST OCA
photos/<uuid:uuid>/faces/<uuid:face>/box              POST OCA
photos/<uuid:uuid>/like                               POST OCAM
photos/<uuid:uuid>/remove                             POST OCAM
photos/album-titles                                   GET OC
photos/liked                                          GET M
photos/most-liked                                     GET OCAM
photos/narrow                                         GET OCAM
photos/tiles                                          GET -
pictures/<uuid:uuid>/<int:side>.webp                  GET OCAM
privacy                                               GET M
privacy/consents/<str:purpose>                        POST -
privacy/erase                                         GET M  POST -
privacy/export                                        GET M
privacy/receipts/<str:token>                          GET -
progress                                              GET OC
progress/<uuid:uuid>/cancel                           POST OC
progress/<uuid:uuid>/go-on                            POST OC
progress/retry                                        POST OC
progress/retry/<str:trouble>/<int:pk>                 POST OC
quality                                               GET OC
quality/fits/<int:pk>/use                             POST OC
quality/measure                                       POST OC
quality/shipped                                       POST OC
quality/threshold                                     POST OC
requests                                              GET OC
requests/<uuid:uuid>/answer                           POST OC
requests/<uuid:uuid>/picture.webp                     GET OC
requests/<uuid:uuid>/undo                             POST OC
requests/mine                                         GET M
requests/selfies/<uuid:uuid>                          POST OC
review                                                GET OCA
review/answer                                         POST OCA
review/next                                           GET OCA
review/release                                        POST OCA
review/renew                                          POST OCA
review/undo                                           POST -
settings                                              GET O
settings/options                                      POST O
settings/searches                                     GET O
settings/texts/<str:purpose>                          POST O
sign-in                                               GET -  POST -
sign-in/with/<str:provider_id>                        GET -  POST -
sign-in/with/<str:provider_id>/back                   GET -  POST -
sign-out                                              POST -
sign-up                                               GET -  POST -
sites                                                 GET O  POST O
sites/<uuid:uuid>                                     POST O
teams                                                 GET O  POST O
teams/<uuid:uuid>                                     POST O
uploads/<uuid:uuid>/cancel                            POST OC
videos                                                GET OCAM
videos/<uuid:uuid>                                    GET OCAM
videos/<uuid:uuid>/cancel                             POST OC
videos/<uuid:uuid>/copy                               POST OCAM
videos/<uuid:uuid>/copy/stop                          POST OCAM
videos/<uuid:uuid>/faces/<uuid:face>                  POST OCA
videos/<uuid:uuid>/file                               GET OCAM
videos/<uuid:uuid>/move                               POST oc
videos/<uuid:uuid>/paths                              GET OCAM
videos/<uuid:uuid>/retry                              POST OC
videos/<uuid:uuid>/so-far/<int:number>.jpg            GET oca
videos/<uuid:uuid>/split                              POST OCA
videos/together                                       GET OCA
watches/<int:pk>/remove                               POST O
welcome                                               GET OC
welcome/folder                                        POST O
welcome/names                                         POST OC
welcome/photos                                        POST OC
"""


def _read(line):
    route, *cells = line.split()
    letters = (each.replace("-", "") for each in cells[1::2])
    return route.removeprefix("/"), dict(zip(cells[::2], letters, strict=True))


TABLE = dict(_read(line) for line in _TABLE.strip().splitlines())


def is_ours(route):
    """Whether an address is one of a thing that there is; a few are about a key that was mailed."""
    return not re.search(r"[\^?]", route)


def part_of(route):
    """The part of the site that an address belongs to: those of one are asked in one test."""
    api, rest = ("api ", route[7:]) if route.startswith("api/v1/") else ("", route)
    return api + (rest.partition("/")[0] or "the front door")
