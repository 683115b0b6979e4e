"""Coming in: by password, by a link that works once, by an invitation; one's account; leaving."""

from __future__ import annotations

from typing import Any

from allauth.account import views as allauth_views
from allauth.account.forms import LoginForm
from allauth.account.models import EmailAddress
from allauth.account.utils import perform_login
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from lookwho.core.errors import Conflict, Invalid, LinkExpired
from lookwho.library.models import User
from lookwho.services import accounts, mail
from lookwho.web.access import signed_in, visitor
from lookwho.web.address import following

_with_form = require_http_methods(["GET", "HEAD", "POST"])


class SignInForm(LoginForm):
    """A name or an address, and the password."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        login = self.fields["login"]
        login.label = gettext_lazy("Name or e-mail")
        # With a name that is one already, the field says nothing else.
        login.widget.attrs = {
            "autocomplete": "username",
            "autocapitalize": "none",
            "spellcheck": "false",
            "autofocus": True,
        }
        del self.fields["password"].widget.attrs["placeholder"]


class SignIn(allauth_views.LoginView):
    """Sign in with a name or an address, and a password; or by who else signs users in."""

    form_class = SignInForm
    template_name = "lookwho/sign_in.html"

    def form_invalid(self, form: Any) -> HttpResponse:
        """Ask again; where it was tried too often, say so to programs, too."""
        response = super().form_invalid(form)
        if form.has_error("__all__", "too_many"):
            response.status_code = 429
        return response

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        """Return what the page shows."""
        told = {"provider": settings.PROVIDER, "mail": mail.configured()}
        return {**super().get_context_data(**more), **told}


class Email(allauth_views.EmailView):
    """One's address: a new one takes the old one's place once it is confirmed."""

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        """Return what the page shows."""
        return {**super().get_context_data(**more), "mail": mail.configured()}


class Reset(allauth_views.PasswordResetView):
    """Ask for a mail by which one's password is set anew."""

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        """Return what the page shows."""
        return {**super().get_context_data(**more), "mail": mail.configured()}


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out."""
    logout(request)
    return redirect("sign-in")


@_with_form
@never_cache
@csrf_protect
@sensitive_variables("token")
def enter(request: HttpRequest, token: str) -> HttpResponse:
    """Sign in by a link that works once.

    Only a POST uses it up, which the page sends by itself: programs that look at links in messages
    only GET them. Whoever has a second factor is asked for it: the link stands for the first.
    """
    if request.method != "POST":
        return render(request, "lookwho/enter.html")
    try:
        with following(request):
            user = accounts.enter(token)
    except LinkExpired:
        if request.user.is_authenticated:  # the same link, followed once more
            return redirect("front-door")
        raise
    return _come_in(request, user)


@_with_form
@never_cache
@csrf_protect
@sensitive_variables("token")
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Become a user, by an invitation: with the name that it is for, or another one."""
    with following(request):
        share = accounts.invitation(token)
    told = {
        "name": share.name,
        "invited": share.name,
        "role": share.role,
        "for_one": accounts.for_one(share),
    }
    if request.method != "POST":
        return render(request, "lookwho/join.html", told)
    name = request.POST.get("name", "")
    try:
        user = accounts.join(token, name)
    except (Invalid, Conflict) as error:
        told |= {"name": name or share.name, "error": error.message}
        return render(request, "lookwho/join.html", told, status=error.status)
    return _come_in(request, user)


@require_safe
@never_cache
@signed_in
def account(request: HttpRequest) -> HttpResponseBase:
    """Show what one signs in with, and let it be changed."""
    user = visitor(request)
    addresses = list(EmailAddress.objects.filter(user=user).order_by("-primary", "-verified", "pk"))
    address = addresses[0] if addresses else None
    kinds = Authenticator.objects.filter(user=user).values_list("type", flat=True)
    context = {
        "address": address.email if address else user.email,
        "confirmed": bool(address and address.verified),
        "mail": mail.configured(),
        "has_password": user.has_usable_password(),
        "second_factor": any(kind != Authenticator.Type.RECOVERY_CODES for kind in kinds),
        "provider": settings.PROVIDER,
        "connected": SocialAccount.objects.filter(user=user).exists(),
    }
    return render(request, "lookwho/account.html", context)


@require_POST
@signed_in
def sign_out_everywhere(request: HttpRequest) -> HttpResponseBase:
    """End whatever one is signed in with, here and in all other browsers."""
    accounts.sign_out_everywhere(visitor(request))
    logout(request)
    messages.success(request, _("You are signed out everywhere."))
    return redirect("sign-in")


def _come_in(request: HttpRequest, user: User) -> HttpResponse:
    if request.user.is_authenticated and request.user != user:
        logout(request)
    return perform_login(request, user, redirect_url=reverse("front-door"))
