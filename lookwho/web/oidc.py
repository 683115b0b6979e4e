"""Signing in by an OpenID provider: over there and back, and what is believed of what it says.

django-allauth brings the round trip: state, PKCE and the exchange of the code. It believes an
identity token without its signature, since it came straight from the provider, and asks for no
nonce. Here both are checked, and that all the provider says is of one person.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from typing import Any, cast

import jwt
from allauth.account.models import EmailAddress
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.adapter import get_adapter as get_social_adapter
from allauth.socialaccount.helpers import render_authentication_error
from allauth.socialaccount.models import SocialApp, SocialLogin, SocialToken
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.utils import generate_code_challenge
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView, OAuth2LoginView
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from requests import RequestException

from lookwho.core.errors import NotFound
from lookwho.library.models import User
from lookwho.services import entrants
from lookwho.web.address import absolute

_log = logging.getLogger(__name__)

# What a provider may sign with: with its own private key. Whoever knows the client's secret, or the
# public key, must not be able to.
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
_CLOCKS_DIFFER = 60  # seconds
Claims = dict[str, Any]


class Adapter(OpenIDConnectOAuth2Adapter):
    """The round trip, with all that OpenID Connect Core 1.0 (3.1.3.7, 5.3.2) wants checked."""

    _nonce = ""

    @property
    def openid_config(self) -> Claims:
        """What the provider says of itself, at the address where it must say so."""
        config = super().openid_config
        if str(config.get("issuer", "")).rstrip("/") != settings.PROVIDER.issuer:
            raise OAuth2Error(f"the provider says that it is {config.get('issuer')!r}")
        return config

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        """Return where the provider sends users back to."""
        return absolute(request, reverse("openid_connect_callback", args=[self.provider_id]))

    def get_access_token_data(
        self,
        request: HttpRequest,
        app: SocialApp,
        client: Any,
        pkce_code_verifier: str | None = None,
    ) -> Claims:
        """Exchange the code for tokens."""
        self._nonce = nonce_of(pkce_code_verifier or "")
        return super().get_access_token_data(request, app, client, pkce_code_verifier)

    def complete_login(
        self, request: HttpRequest, app: SocialApp, token: SocialToken, **kwargs: Any
    ) -> SocialLogin:
        """Return whom the provider signs in.

        Raises:
            OAuth2Error: what it says is not signed by it, for us, for this round trip, or of one.
        """
        claims = self._checked(app, kwargs["response"].get("id_token"))
        info: Claims = {}
        if "userinfo_endpoint" in self.openid_config:
            info = self._fetch_user_info(token.token)
            if info.get("sub") != claims["sub"]:
                raise OAuth2Error("the provider speaks of two people")
        if "email" in info:  # which an older address in the token, confirmed or not, is not
            claims.pop("email_verified", None)
        provider = cast(Provider, self.get_provider())
        return provider.sociallogin_from_response(request, {**claims, **info})

    def _checked(self, app: SocialApp, told: object) -> Claims:
        if not isinstance(told, str):
            raise OAuth2Error("the provider sent no identity token")
        try:
            claims = jwt.decode(
                told,
                self._key(told),
                algorithms=_ALGORITHMS,
                audience=app.client_id,
                issuer=self.openid_config["issuer"],
                leeway=_CLOCKS_DIFFER,
                options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
            raise OAuth2Error(f"the identity token is not valid: {error}") from error
        if claims["nonce"] != self._nonce:
            raise OAuth2Error("the identity token is of another round trip")
        if claims.get("azp", app.client_id) != app.client_id:
            raise OAuth2Error("the identity token is for somebody else")
        return claims

    def _key(self, told: str) -> jwt.PyJWK:
        with get_social_adapter().get_requests_session() as session:
            answer = session.get(self.openid_config["jwks_uri"])
            answer.raise_for_status()
        keys = jwt.PyJWKSet.from_dict(answer.json()).keys
        named = jwt.get_unverified_header(told).get("kid")
        fitting = [key for key in keys if named in (None, key.key_id)]
        if len(fitting) != 1:
            raise OAuth2Error(f"the provider has {len(fitting)} keys of the name {named!r}")
        return fitting[0]


class Entrance(SocialLogin):
    """Somebody whom the provider signs in, with all that it says of them."""

    claims: Claims


class Provider(OpenIDConnectProvider):
    """The provider that the settings name."""

    package = "allauth.socialaccount.providers.openid_connect"
    oauth2_adapter_class = Adapter

    def get_pkce_params(self) -> dict[str, str]:
        """Return what proves, at the end, that the round trip is the one that was begun."""
        told = generate_code_challenge()
        return {**told, "nonce": nonce_of(told["code_verifier"])}

    def redirect(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Send a user to the provider, by a page of ours.

        The answer to a form may lead nowhere but to us: so says our content security policy, and
        browsers hold every redirect that follows to it.
        """
        response = super().redirect(request, *args, **kwargs)
        if not isinstance(response, HttpResponseRedirect):
            return response
        return render(request, "lookwho/leaving.html", {"to": response.url, "provider": self.name})

    def sociallogin_from_response(self, request: HttpRequest, response: Claims) -> SocialLogin:
        """Return whom the provider signs in, with all that it says of them."""
        login = cast(Entrance, super().sociallogin_from_response(request, response))
        login.claims = response
        return login

    def extract_common_fields(self, data: Claims) -> Claims:
        """Return nothing that would be filled in unasked: `Entrants.save_user` reads the claims."""
        return {}

    def extract_extra_data(self, data: Claims) -> Claims:
        """Return what is kept of that: who they are over there, and nothing else."""
        return {"sub": data["sub"], "name": str(data.get("name") or "")[:150]}

    def extract_email_addresses(self, data: Claims) -> list[EmailAddress]:
        """Return the address, if the provider says that it is theirs."""
        email, verified = data.get("email"), data.get("email_verified")
        if not isinstance(email, str) or not (verified is True or verified == "true"):
            return []
        return [EmailAddress(email=email.lower(), verified=True, primary=True)]


class Entrants(DefaultSocialAccountAdapter):
    """Who may come in from over there, and who they are here."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        """Return whether somebody whom we do not know becomes a member: the owner says so."""
        return settings.PROVIDER.sign_up

    def authenticate_by_email(self, sociallogin: SocialLogin) -> tuple[User, str] | None:
        """Return who here has confirmed an address that the provider says is theirs."""
        for address in sociallogin.email_addresses:
            user = entrants.by_confirmed_address(address.email) if address.verified else None
            if user is not None:
                return user, address.email
        return None

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """Find who they are, and note what the provider says of them."""
        if sociallogin.state.get("process") == AuthProcess.CONNECT:
            return
        known = sociallogin.is_existing
        if not known and (user := entrants.by_external_id(_external_id(sociallogin))) is not None:
            sociallogin.connect(request, user)
            known = True
        if known:
            _recognise(sociallogin)

    def save_user(
        self, request: HttpRequest, sociallogin: SocialLogin, form: object = None
    ) -> User:
        """Make a member of somebody whom we do not know."""
        told = cast(Entrance, sociallogin).claims
        email = next((address.email for address in sociallogin.email_addresses), "")
        names = [str(told.get(name) or "") for name in ("name", "preferred_username", "given_name")]
        user = entrants.new_member(names, email=email, external_id=_external_id(sociallogin))
        sociallogin.user = user
        sociallogin.save(request)
        _recognise(sociallogin)
        return user

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: object,
        error: object = None,
        exception: object = None,
        extra_context: object = None,
    ) -> None:
        """Write down why somebody could not sign in: they are told only that they could not."""
        if exception is not None:
            _log.warning("%s: signing in failed: %s", settings.PROVIDER.issuer, exception)

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: object) -> str:
        """Return where one goes on after another way to sign in was connected."""
        return reverse("account")


@never_cache
def sign_in(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Go to the provider; a click does, not a link."""
    return _round_trip(request, provider_id, OAuth2LoginView)


@never_cache
def came_back(request: HttpRequest, provider_id: str) -> HttpResponse:
    """Come back from the provider."""
    return _round_trip(request, provider_id, OAuth2CallbackView)


def _round_trip(request: HttpRequest, provider_id: str, view: Any) -> HttpResponse:
    adapter = Adapter(request, provider_id)
    try:
        provider = adapter.get_provider()
    except SocialApp.DoesNotExist as error:
        raise NotFound("nobody else signs users in here") from error
    try:
        return view.adapter_view(adapter)(request)
    except (OAuth2Error, RequestException, LookupError, ValueError) as error:
        # It cannot be reached, or answers what is no OpenID Connect.
        return render_authentication_error(request, provider, exception=error)


def nonce_of(verifier: str) -> str:
    """Return what an identity token must repeat: it follows from what only this browser began."""
    digest = hashlib.sha256(b"nonce\0" + verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _external_id(login: SocialLogin) -> object:
    claim = settings.PROVIDER.id_claim
    return cast(Entrance, login).claims.get(claim) if claim else ""


def _recognise(login: SocialLogin) -> None:
    user = cast(User, login.user)
    entrants.recognise(user, _external_id(login))
    if claim := settings.PROVIDER.memberships_claim:
        entrants.take_membership(user, cast(Entrance, login).claims.get(claim))
