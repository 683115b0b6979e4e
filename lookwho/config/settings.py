"""Django's settings. What can be chosen is chosen by the environment: see `environment`."""

from __future__ import annotations

import os
from typing import Any

from lookwho.config import environment

HOME = environment.home()
SECRET_KEY = environment.secret_key(HOME)
DEBUG = bool(environment.number("LOOKWHO_DEBUG", 0))
ALLOWED_HOSTS = environment.hosts()
SITE_URL = environment.site_url()  # "" if each request tells it
MAIL = environment.mail()
PROVIDER = environment.oidc()
BEHIND_PROXY = environment.flag("LOOKWHO_BEHIND_PROXY")

# What Lookwho itself asks for.
UPLOADS = HOME / "uploads"
SELFIES = HOME / "selfies"
LEDGER = environment.ledger(HOME)
PICTURES = HOME / "pictures"  # thumbnails and crops: a cache, made again whenever it is removed
PICTURES_BYTES = environment.number("LOOKWHO_CACHE_MB", 2048) << 20
PROXIES = HOME / "proxies"  # copies of videos that browsers play: made again when asked for
PROXIES_BYTES = environment.number("LOOKWHO_PROXIES_GB", 20) << 30
MONTAGES = HOME / "montages"  # of one person, for whoever asked; they go after some days
VIDEO_BYTES = environment.number("LOOKWHO_VIDEO_GB", 64) << 30
ACCEL = os.environ.get("LOOKWHO_ACCEL", "").strip()  # nginx sends files: see `services.originals`
PRESET = os.environ.get("LOOKWHO_PRESET", "").strip() or "balanced"
# A dotted name that is called with a job's kind after a job was committed, for carriers that must
# be woken. The pool looks for itself.
DOORBELL = ""
# How many requests to the API one user may send.
API_RATE = os.environ.get("LOOKWHO_API_RATE", "").strip() or "1200/m"

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django_htmx",
    "ninja",
    "lookwho.library",
    "lookwho.web",
    # After our own, whose templates stand in for theirs.
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
]
MIDDLEWARE = [
    "lookwho.web.security.content_security_policy",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "lookwho.web.errors.ErrorPages",
]
ROOT_URLCONF = "lookwho.config.urls"
ASGI_APPLICATION = "lookwho.config.asgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

DATABASES = {"default": environment.database(HOME)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "lookwho.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
    )
]
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",  # by e-mail, too
]
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "sign-in"

# Accounts. Nobody signs up by themselves: the adapters see to that.
ACCOUNT_ADAPTER = "lookwho.web.adapters.Accounts"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*"]
ACCOUNT_CHANGE_EMAIL = True  # one address each: a new one takes the old one's place
# An address need not be confirmed to sign in: it is confirmed when it is added.
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True  # of a changed password, and the like
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
# Whether somebody has an account with an address is told to nobody.
ACCOUNT_PREVENT_ENUMERATION = "strict"
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_RATE_LIMITS = {"login": None}  # what fails is counted instead: adapters.Accounts
MFA_ADAPTER = "lookwho.web.adapters.SecondFactor"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_TOTP_ISSUER = "Lookwho"
MFA_TOTP_TOLERANCE = 1  # a code of half a minute ago is good: phones' clocks are a little off
MFA_ALLOW_UNVERIFIED_EMAIL = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEBUG
SOCIALACCOUNT_ADAPTER = "lookwho.web.oidc.Entrants"
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True  # only by addresses that both sides confirmed: Entrants
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 10
SOCIALACCOUNT_PROVIDERS = {
    "openid_connect": {
        "provider_class": "lookwho.web.oidc.Provider",
        "APPS": [PROVIDER.app()] if PROVIDER else [],
    }
}
ALLAUTH_TRUSTED_PROXY_COUNT = int(BEHIND_PROXY)

# Mail.
EMAIL_BACKEND = f"django.core.mail.backends.{'smtp' if MAIL.host else 'dummy'}.EmailBackend"
EMAIL_HOST = MAIL.host
EMAIL_PORT = MAIL.port
EMAIL_HOST_USER = MAIL.user
EMAIL_HOST_PASSWORD = MAIL.password
EMAIL_USE_SSL = MAIL.ssl
EMAIL_USE_TLS = MAIL.starttls
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = SERVER_EMAIL = MAIL.sender or "lookwho@localhost"

# The web server is one process: what it counts and remembers for a while is in its memory.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        # When it is full it drops some at random, counted tries with them.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}

SESSION_COOKIE_AGE = 60 * 60 * 24 * 90
SESSION_COOKIE_HTTPONLY = True
# What signs in travels encrypted or not at all, where the site is reached by HTTPS.
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SITE_URL.startswith("https://") or (
    BEHIND_PROXY and not SITE_URL
)
CSRF_TRUSTED_ORIGINS = [SITE_URL] if SITE_URL else []
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
# Uploads are streamed to the disk; only what is no file counts here.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 << 20
DATA_UPLOAD_MAX_NUMBER_FILES = 1000
FILE_UPLOAD_MAX_MEMORY_SIZE = 1 << 20

STATIC_URL = "/static/"
# The package carries its own files: nothing has to be collected before the first start.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

LANGUAGE_CODE = "en"
USE_TZ = True
TIME_ZONE = "UTC"

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"discreet": {"()": "lookwho.web.discretion.Discreet"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": "line",
            "filters": ["discreet"],
        }
    },
    "root": {"handlers": ["console"], "level": "WARNING"},
}
