"""What django-allauth asks of this site: who may come, what is mailed, how often is tried."""

from __future__ import annotations

import threading
import time
from typing import Any, ClassVar, cast
from urllib.parse import urlsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.app_settings import REAUTHENTICATION_TIMEOUT
from allauth.account.authentication import get_authentication_records
from allauth.core import context
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from lookwho.core.errors import TooMany
from lookwho.library.models import User
from lookwho.services import mail, sealing, tries
from lookwho.web.address import absolute

# How often a password may be wrong in ten minutes: of one account, and from one address, behind
# which a whole house may be.
WITHIN = 600
MOST_OF_ACCOUNT = 10
MOST_FROM_ADDRESS = 50


class Accounts(DefaultAccountAdapter):
    """Nobody signs up by themselves, and passwords cannot be guessed."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": _("The name or the password is wrong."),
        "email_password_mismatch": _("The address or the password is wrong."),
        "enter_current_password": _("That is not your password."),
        "incorrect_password": _("That is not your password."),
        "too_many_login_attempts": _("That was tried too often: try again in 5 minutes."),
        "rate_limited": _("That was tried too often: try again in 5 minutes."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return no: one is invited, or signed in by the provider."""
        return False

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Count a try, and refuse it where there were too many, saying until when."""
        try:
            tries.count("sign-in", _account(credentials), most=MOST_OF_ACCOUNT, seconds=WITHIN)
            address = self.get_client_ip(request)
            tries.count("sign-in from", address, most=MOST_FROM_ADDRESS, seconds=WITHIN)
        except TooMany as error:
            raise ValidationError(f"{error.message.capitalize()}.", code=error.code) from error

    def authenticate(self, request: HttpRequest, **credentials: Any) -> AbstractBaseUser | None:
        """Return whose name and password these are; only what fails counts."""
        user = super().authenticate(request, **credentials)
        if user is not None:
            tries.forget("sign-in", _account(credentials))
            tries.take_back("sign-in from", self.get_client_ip(request))
        return user

    def is_reauthentication_required(self, *, app: str, **more: Any) -> bool:
        """Return whether a password or a code must be given again: not just after signing in."""
        request = _request()
        given = get_authentication_records(request, cast(User, request.user))
        recent = given and time.time() - given[-1]["at"] < REAUTHENTICATION_TIMEOUT
        return not recent and super().is_reauthentication_required(app=app, **more)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail, without having anybody wait for it."""
        if not mail.configured():
            return
        told = {"request": self.request, "email": email, **context}
        message = self.render_mail(template_prefix, email, told)
        # How long a page takes must not tell whether somebody has an account.
        threading.Thread(target=mail.deliver, args=[message]).start()

    def get_reset_password_from_key_url(self, key: str) -> str:
        """Return the link by which a password is set anew."""
        return _here(_request(), super().get_reset_password_from_key_url(key))

    def get_email_confirmation_url(self, request: HttpRequest, emailconfirmation: Any) -> str:
        """Return the link by which an address is confirmed."""
        return _here(request, super().get_email_confirmation_url(request, emailconfirmation))

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        """Return where one goes on after a password was set."""
        return reverse("account")

    def get_email_verification_redirect_url(self, email_address: Any) -> str:
        """Return where one goes on after an address was confirmed."""
        return reverse("account")


class SecondFactor(DefaultMFAAdapter):
    """What a second factor is checked with is stored sealed."""

    error_messages: ClassVar[dict[str, Any]] = {
        **DefaultMFAAdapter.error_messages,
        "incorrect_code": _("That code is wrong, or too old."),
    }

    def encrypt(self, text: str) -> str:
        """Seal a secret."""
        return sealing.seal(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Read a secret."""
        return sealing.unseal(encrypted_text)

    def build_totp_svg(self, url: str) -> str:
        """Return the picture to scan, to be put into a page."""
        return super().build_totp_svg(url).partition("?>")[2]

    def get_totp_label(self, user: AbstractBaseUser) -> str:
        """Return what an app calls the account."""
        return f"{user.get_username()} ({_request().get_host()})"


def _account(credentials: dict[str, Any]) -> str:
    return str(credentials.get("username") or credentials.get("email") or "").strip().casefold()


def _request() -> HttpRequest:
    return cast(HttpRequest, context.request)  # of the request that is being answered


def _here(request: HttpRequest, url: str) -> str:
    return absolute(request, urlsplit(url).path)
