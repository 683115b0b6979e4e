"""Where one comes in, leaves, and changes what one signs in with.

The names are those by which django-allauth finds its own pages.
"""

from __future__ import annotations

from allauth.account import views as allauth
from django.urls import include, path, re_path

from lookwho.web import accounts, oidc

sign_in = accounts.SignIn.as_view()
email = accounts.Email.as_view()
reset = accounts.Reset.as_view()

urlpatterns = [
    path("sign-in", sign_in, name="account_login"),
    path("sign-in", sign_in, name="sign-in"),
    path("sign-in/with/<str:provider_id>", oidc.sign_in, name="openid_connect_login"),
    path("sign-in/with/<str:provider_id>/back", oidc.came_back, name="openid_connect_callback"),
    path("sign-out", accounts.sign_out, name="account_logout"),
    path("sign-out", accounts.sign_out, name="sign-out"),
    path("sign-up", allauth.signup, name="account_signup"),
    path("enter/<str:token>", accounts.enter, name="enter"),
    path("join/<str:token>", accounts.join, name="join"),
    # One's account.
    path("account", accounts.account, name="account"),
    path("account/sign-out", accounts.sign_out_everywhere, name="sign-out-everywhere"),
    path("account/closed", allauth.account_inactive, name="account_inactive"),
    path("account/confirm", allauth.reauthenticate, name="account_reauthenticate"),
    path("account/second-factor/", include("allauth.mfa.urls")),
    path("account/connected/", include("allauth.socialaccount.urls")),
    path("account/email", email, name="account_email"),
    path(
        "account/email/sent",
        allauth.email_verification_sent,
        name="account_email_verification_sent",
    ),
    re_path(
        r"^account/email/(?P<key>[-:\w]+)$", allauth.confirm_email, name="account_confirm_email"
    ),
    path("account/password", allauth.password_change, name="account_change_password"),
    path("account/password/set", allauth.password_set, name="account_set_password"),
    path("account/password/reset", reset, name="account_reset_password"),
    path(
        "account/password/reset/sent",
        allauth.password_reset_done,
        name="account_reset_password_done",
    ),
    re_path(
        r"^account/password/reset/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
        allauth.password_reset_from_key,
        name="account_reset_password_from_key",
    ),
    path(
        "account/password/reset/done",
        allauth.password_reset_from_key_done,
        name="account_reset_password_from_key_done",
    ),
]
