"""The provider's own process: its settings, its people, and what it can be asked to do wrong.

Of each person it says what `people.json` holds when it is asked. Claims whose names begin with
`wrong_` say nothing: they make it sign what it must not.
"""

import json
import sys
from pathlib import Path

import django
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings

from tests.provider import CLIENT_ID, CLIENT_SECRET

FOLDER = Path(sys.argv[1])


def a_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()


settings.configure(
    SECRET_KEY="of the provider alone",
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF="__main__",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "oauth2_provider",
    ],
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
    ],
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": FOLDER / "provider.sqlite3"}
    },
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    LOGIN_URL="/sign-in",
    # Of a name of its own: cookies know no ports, and in a browser both sites are on one host.
    SESSION_COOKIE_NAME="provider",
    CSRF_COOKIE_NAME="providercsrf",
    OAUTH2_PROVIDER={
        "OIDC_ENABLED": True,
        "OIDC_RSA_PRIVATE_KEY": a_key(),
        "PKCE_REQUIRED": True,
        "SCOPES": {"openid": "who", "profile": "what of them", "email": "their address"},
        "ALLOW_LOCALHOST_LOOPBACK": True,
    },
)
django.setup()

from django.contrib.auth import get_user_model, login  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.middleware.csrf import get_token  # noqa: E402
from django.shortcuts import redirect  # noqa: E402
from django.urls import include, path  # noqa: E402
from jwcrypto import jwk, jwt  # noqa: E402
from oauth2_provider.models import Application  # noqa: E402
from oauth2_provider.oauth2_validators import OAuth2Validator  # noqa: E402
from oauth2_provider.settings import oauth2_settings  # noqa: E402

STRANGER = jwk.JWK.generate(kty="RSA", size=2048)


class Validator(OAuth2Validator):
    """Says of people what the tests let it say."""

    oidc_claim_scope = None

    def told(self, request):
        return json.loads((FOLDER / "people.json").read_text("utf-8"))[request.user.username]

    def get_additional_claims(self, request):
        told = self.told(request)
        return {name: value for name, value in told.items() if not name.startswith("wrong_")}

    def get_id_token_dictionary(self, token, token_handler, request):
        claims, ends = super().get_id_token_dictionary(token, token_handler, request)
        return claims | self.told(request).get("wrong_token", {}), ends

    def get_userinfo_claims(self, request):
        return super().get_userinfo_claims(request) | self.told(request).get("wrong_info", {})

    def finalize_id_token(self, id_token, token, token_handler, request):
        signed = super().finalize_id_token(id_token, token, token_handler, request)
        signer = self.told(request).get("wrong_signer")
        if signer is None:
            return signed
        right = jwt.JWT(jwt=signed, key=request.client.jwk_key)
        header = json.loads(right.header)
        if signer == "stranger":
            key = STRANGER
        else:  # the client's secret, which whoever is the client knows as well
            key = jwk.JWK.from_password(CLIENT_SECRET * 3)
            header["alg"] = "HS256"
        forged = jwt.JWT(header=json.dumps(header), claims=right.claims)
        forged.make_signed_token(key)
        return forged.serialize()


def sign_in(request):
    if request.method == "POST":
        user, _ = get_user_model().objects.get_or_create(username=request.POST["name"])
        login(request, user)
        return redirect(request.GET["next"])
    return HttpResponse(
        "<title>The provider</title><h1>Here you sign in over there: sign in over there</h1>"
        '<form method="post"><input type="hidden" name="csrfmiddlewaretoken" '
        f'value="{get_token(request)}"><label>Name <input name="name"></label>'
        "<button>Sign in</button></form>"
    )


urlpatterns = [
    path("sign-in", sign_in),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
]


def main():
    from socketserver import ThreadingMixIn
    from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

    from django.core.wsgi import get_wsgi_application

    class Server(ThreadingMixIn, WSGIServer):
        daemon_threads = True

    class Quiet(WSGIRequestHandler):
        def log_message(self, *told):
            pass

    oauth2_settings.OAUTH2_VALIDATOR_CLASS = Validator
    call_command("migrate", verbosity=0)
    Application.objects.create(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        client_type=Application.CLIENT_CONFIDENTIAL,
        authorization_grant_type=Application.GRANT_AUTHORIZATION_CODE,
        algorithm=Application.RS256_ALGORITHM,
        redirect_uris=(
            "http://testserver/sign-in/with/provider/back "
            "http://localhost/sign-in/with/provider/back"
        ),
        skip_authorization=True,
    )
    server = make_server("127.0.0.1", 0, get_wsgi_application(), Server, Quiet)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
