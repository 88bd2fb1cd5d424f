"""The owner's session: a signed cookie for ``/desk`` alone, good for twelve hours at most.

It names the version under which the owner signed in. The version changes with the
password and with every signing out, so a cookie that somebody copied ends with them.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta

from flask import Flask, session

from regulars.keep.owner import end_sessions, find_owner
from regulars.settings import Settings
from regulars.web.house import House
from regulars.web.passwords import is_password

PATH = "/desk"
LASTS = timedelta(hours=12)


def configure_sessions(app: Flask, settings: Settings) -> None:
    """Set *app* up for the one cookie that there is; customers never get one."""
    is_secure = settings.base_url.startswith("https:")
    key = settings.secret_key.encode()
    app.secret_key = hmac.digest(key, b"the owner's session", hashlib.sha256)
    app.config.update(
        SESSION_COOKIE_NAME="__Secure-regulars" if is_secure else "regulars",
        SESSION_COOKIE_PATH=PATH,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_COOKIE_SECURE=is_secure,
        PERMANENT_SESSION_LIFETIME=LASTS,
        # It ends when it ends, however busy it was.
        SESSION_REFRESH_EACH_REQUEST=False,
    )


def sign_in(house: House, password: str) -> bool:
    """Whether *password* is the owner's; the browser then has a fresh session."""
    with house.database.reading() as connection:
        owner = find_owner(connection)
    # Nothing is in the session but what follows: whatever was there before is gone.
    session.clear()
    if not is_password(password, owner.password_hash if owner else None) or not owner:
        return False
    session.permanent = True
    session["id"] = secrets.token_urlsafe(16)
    session["version"] = owner.session_version
    session["since"] = house.clock().timestamp()
    return True


def is_signed_in(house: House) -> bool:
    """Whether the request comes with a session that stands."""
    version, since = session.get("version"), session.get("since")
    if not isinstance(version, str) or not isinstance(since, int | float):
        return False
    age = house.clock() - datetime.fromtimestamp(since, UTC)
    with house.database.reading() as connection:
        owner = find_owner(connection)
    is_current = owner is not None and hmac.compare_digest(
        version, owner.session_version
    )
    return is_current and age < LASTS


def sign_out(house: House) -> None:
    """End the owner's sessions, this one and those on other devices."""
    with house.database.transaction() as connection:
        end_sessions(connection)
    session.clear()
