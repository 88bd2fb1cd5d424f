"""The wiring: the only place where the parts of a process are put together."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from flask import Flask
from flask_limiter import Limiter
from flask_migrate import Migrate, upgrade
from werkzeug.middleware.proxy_fix import ProxyFix

from regulars.ask.api import api_blueprint
from regulars.ask.check_api import check_blueprint
from regulars.ask.pages import pages_blueprint
from regulars.ask.snippet_api import snippet_blueprint
from regulars.ask.widget.routes import widget_blueprint
from regulars.check.gate import Gate
from regulars.check.lookup import AccountLookup, NoLookup
from regulars.check.terms import terms_of
from regulars.check.x_api import XLookup
from regulars.desk.customers import customers_blueprint
from regulars.desk.metrics import metrics_blueprint
from regulars.desk.ops import ops_blueprint
from regulars.desk.owner import owner_blueprint
from regulars.desk.owner_session import configure_sessions
from regulars.desk.self_check import self_check_blueprint
from regulars.keep.copies import keep_safety_copy, new_private_file
from regulars.keep.db import Database, db, engine_options
from regulars.keep.installation import claim_key
from regulars.keep.record import Recorder
from regulars.keep.schema import (
    MIGRATIONS,
    LaterDatabase,
    SchemaState,
    knows_revision,
    newest_revision,
    revision_of,
    state_of_schema,
)
from regulars.keep.suppressions import suppression_table
from regulars.keep.wordings import WordingBook
from regulars.recheck import SOMEBODY, Recheck
from regulars.retention import Retention
from regulars.settings import Settings
from regulars.signup import SignupDesk
from regulars.tell.changing import seal_plain_secrets
from regulars.tell.dispatcher import Dispatcher
from regulars.values.handle import Handle
from regulars.values.instants import now_utc
from regulars.web.headers import register_headers
from regulars.web.house import House
from regulars.web.languages import register_languages
from regulars.web.problems import register_problems
from regulars.web.visitors import visitor
from regulars.worker import Worker
from regulars.x_accounts.refresh import Refresh
from regulars_webhooks.transport import Transport

WEB_THREADS = 8
# Half of the threads may wait for X: the other half answers at once.
_WAITING_FOR_X = WEB_THREADS // 2
MAX_BODY_BYTES = 64 * 1024

# Imported for its table: migrations compare the database with all of them.
TABLES = (suppression_table,)


@dataclass(frozen=True, slots=True)
class Shop:
    """A wired process: the web application and the house behind it."""

    app: Flask
    house: House


def open_shop(
    settings: Settings,
    *,
    lookup: AccountLookup | None = None,
    clock: Callable[[], datetime] = now_utc,
) -> Shop:
    """Everything wired for *settings*; *lookup* and *clock* are for tests to pass theirs.

    Nothing is asked of the database or the network yet.
    """
    app = Flask("regulars", static_folder=None)
    # Else "//x" is redirected to an address that is made from the request's Host.
    app.url_map.merge_slashes = False
    app.config["SQLALCHEMY_DATABASE_URI"] = settings.database_url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(
        settings.database_url, threads=WEB_THREADS
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = MAX_BODY_BYTES
    db.init_app(app)
    Migrate(app, db, directory=str(MIGRATIONS), render_as_batch=True)
    with app.app_context():
        database = Database(db.engine, settings.secret_key)
    limiter = Limiter(visitor, app=app, storage_uri="memory://", headers_enabled=False)
    house = _house(settings, database, limiter, lookup or _lookup(settings), clock)
    if settings.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=settings.trusted_proxies, x_proto=0, x_host=0
        )
    configure_sessions(app, settings)
    register_headers(app, database)
    register_languages(app, settings.languages)
    register_problems(app, limiter)
    for make in (
        api_blueprint,
        check_blueprint,
        customers_blueprint,
        pages_blueprint,
        snippet_blueprint,
        ops_blueprint,
        metrics_blueprint,
        owner_blueprint,
        self_check_blueprint,
    ):
        app.register_blueprint(make(house))
    app.register_blueprint(widget_blueprint())
    return Shop(app, house)


def _lookup(settings: Settings) -> AccountLookup:
    if settings.x_mode == "lookup":
        return XLookup(
            settings.x_bearer_token,
            api_url=settings.x_api_url,
            wants_profile=settings.x_profile != "never",
        )
    return NoLookup()


def _house(
    settings: Settings,
    database: Database,
    limiter: Limiter,
    lookup: AccountLookup,
    clock: Callable[[], datetime],
) -> House:
    recorder = Recorder(
        channels=settings.channels,
        base_url=settings.base_url,
        secret_key=settings.secret_key,
    )
    gate = Gate(
        lookup,
        database,
        terms_of(settings),
        waiting=_WAITING_FOR_X,
        take_windows=lookup.take_windows if isinstance(lookup, XLookup) else dict,
    )
    book = WordingBook(database)
    desk = SignupDesk(
        database,
        # Where X is never asked there is no trouble to look up.
        gate if settings.x_mode == "lookup" else lookup,
        recorder,
        book,
        secret_key=settings.secret_key,
        x_timeout_s=settings.x_timeout_s,
        x_profile=settings.x_profile,
    )
    is_asked = settings.x_mode == "lookup"
    check_lookup = gate.for_public_check if is_asked else lookup
    return House(
        settings,
        database,
        gate,
        recorder,
        book,
        desk,
        limiter,
        clock,
        check_lookup,
    )


def upgrade_schema(shop: Shop, *, copy_first: bool = True) -> Path | None:
    """Bring the database of *shop* to this release's tables, making it if need be.

    The copy that was made of an SQLite database before it was changed, if it was. One of
    a later release that this one can use stays as it is.

    Raises:
        CopyFailed: no copy could be made, so nothing was changed.
        LaterDatabase: only a later release can use the database.
    """
    engine = shop.house.database.engine
    state = state_of_schema(engine)
    if state.is_usable:
        return None
    if state is SchemaState.OTHER and not knows_revision(revision_of(engine) or ""):
        raise LaterDatabase
    copy = None
    file = shop.house.database.file
    if file and state is SchemaState.MISSING:
        _make_private(file)
    if copy_first and file and state is SchemaState.OTHER:
        copy = keep_safety_copy(file, newest_revision())
    with shop.app.app_context():
        upgrade(directory=str(MIGRATIONS))
    return copy


def belong_to_key(house: House) -> None:
    """Let the database of *house* belong to its key, and seal by it what could be read.

    Raises:
        OtherKey: the database belongs to another key; nothing was changed.
    """
    database = house.database
    with database.transaction() as connection:
        claim_key(connection, house.settings.secret_key)
        count = seal_plain_secrets(connection, database.seal)
    if count:
        database.scrub()


def _make_private(file: Path) -> None:
    """Make the database *file*, which its owner alone may read: SQLite would ask the umask.

    Its log beside it gets the same mode from it.
    """
    # What is there, or cannot be made, is SQLite's to judge.
    with contextlib.suppress(OSError), new_private_file(file):
        pass


def make_transport(settings: Settings) -> Transport:
    """What deliveries go out by, with the address rules of *settings*."""
    return Transport(
        allow_private=settings.allow_private_endpoints,
        allow=settings.endpoint_allow,
        ca_bundle=settings.ca_bundle or None,
        pool_size=settings.delivery_threads,
    )


def make_worker(house: House) -> Worker:
    """The loops of one dispatcher process."""
    settings = house.settings
    recheck = None
    if settings.x_mode == "lookup":
        recheck = Recheck(
            house.database,
            house.gate,
            house.recorder,
            timeout_s=settings.x_timeout_s,
            retry_s=settings.x_retry_s,
            x_profile=settings.x_profile,
            own_handle=Handle(settings.shop_x_username or SOMEBODY.text),
        )
    refresh = make_refresh(house) if settings.x_mode == "lookup" else None
    dispatcher = Dispatcher(
        house.database,
        make_transport(settings),
        house.clock,
        threads=settings.delivery_threads,
        lease=timedelta(seconds=settings.delivery_lease_s),
    )
    return Worker(dispatcher, recheck, house.clock, refresh, make_retention(house))


def make_retention(house: House) -> Retention:
    """What lets go of what need not be kept any longer."""
    days = house.settings.retention_delivery_days
    return Retention(house.database, delivery_days=days)


def make_refresh(house: House) -> Refresh:
    """What asks again for the accounts that are known."""
    settings = house.settings
    return Refresh(
        house.database,
        house.gate,
        house.recorder,
        timeout_s=settings.x_timeout_s,
        x_profile=settings.x_profile,
        refresh_days=settings.x_refresh_days,
    )
