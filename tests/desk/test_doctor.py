"""The doctor: each trouble has its finding, and a well shop has none."""

import shutil
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, text
from tests.desk.conftest import OpenShop
from tests.fakes import Clock, FakeLookup
from tests.shops import EMAIL, HANDLE, ShopUnderTest, make_shop

from regulars.app import open_shop
from regulars.check.lookup import Reason
from regulars.doctor.examination import examine
from regulars.doctor.findings import Finding, Severity, has_problem, unusable_settings
from regulars.doctor.public import examine_public
from regulars.doctor.records import check_database, check_schema
from regulars.doctor.surroundings import check_folder, check_settings
from regulars.keep.challenges import LASTS, add_challenge, proof_of
from regulars.keep.db import Database
from regulars.keep.schema import newest_revision
from regulars.keep.sites import list_keys, revoke_key
from regulars.settings import Settings, load_settings
from regulars.tell.deliveries import hold_endpoint
from regulars.tell.endpoints import EndpointState
from regulars.values.instants import now_utc
from regulars.values.languages import LANGUAGES
from regulars.x_accounts.letting_go import purge_some

Serve = Callable[..., int]
CERTIFICATES = Path(__file__).parent / "certificates"
AUTHORITY = str(CERTIFICATES / "loopback.crt")


def severities(findings: Iterable[Finding]) -> dict[str, Severity]:
    return {finding.id: finding.severity for finding in findings}


def wrong(findings: Iterable[Finding]) -> dict[str, Severity]:
    """What is not as it should be."""
    found = severities(findings)
    return {name: how for name, how in found.items() if how is not Severity.OK}


def look(shop: ShopUnderTest, **changes: Any) -> list[Finding]:
    """The examination at the time of the database, which the tests' clock is not."""
    settings = replace(shop.house.settings, **changes)
    return examine(settings, shop.house.database, now_utc())


@pytest.fixture
def well(shop: ShopUnderTest) -> ShopUnderTest:
    """A shop as it should be, behind one proxy."""
    shop.add_endpoint()
    shop.house.settings.data_dir.chmod(0o700)
    return shop


def behind(shop: ShopUnderTest, **changes: Any) -> dict[str, Severity]:
    as_it_should_be = {"trusted_proxies": 1, "confirmed_languages": LANGUAGES}
    found = wrong(look(shop, **{**as_it_should_be, **changes}))
    # Where the tests' own folder is says nothing about the shop.
    return {name: how for name, how in found.items() if name != "folder.volatile"}


# --- from inside --------------------------------------------------------------------------


def test_a_well_shop_has_no_finding(well: ShopUnderTest) -> None:
    """Nothing is found where nothing is wrong, and each thing that was looked at is said."""
    assert behind(well) == {}
    findings = look(well, trusted_proxies=1)
    assert not has_problem(findings)
    assert len(findings) > 10


def test_every_trouble_has_advice(well: ShopUnderTest) -> None:
    """Each finding has a sentence, and what is not well has a hint."""
    for finding in look(well, base_url="http://shop.example", shop_name="Our shop"):
        assert finding.sentence.endswith((".", "!", "?"))
        assert bool(finding.hint) == (finding.severity is not Severity.OK)


@pytest.mark.sqlite_only("about settings")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"base_url": "http://127.0.0.1:8000"}, {"base_url.loopback": "warning"}),
        ({"base_url": "https://localhost"}, {"base_url.loopback": "warning"}),
        ({"base_url": "http://[::1]:80"}, {"base_url.loopback": "warning"}),
        ({"base_url": "http://shop.example"}, {"base_url.not_https": "problem"}),
        ({"base_url": "http://192.168.1.5"}, {"base_url.not_https": "problem"}),
        ({"trusted_proxies": 0}, {"proxies.none": "warning"}),
        ({"shop_name": "Our shop"}, {"shop_name.default": "warning"}),
        ({"privacy_url": ""}, {"privacy_url.missing": "warning"}),
        ({"confirmed_languages": ("en", "es")}, {"wordings.drafts": "warning"}),
        ({"confirmed_languages": ("de",), "languages": ("de",)}, {}),
        ({"x_mode": "format"}, {"x.no_lookup": "warning"}),
        ({"x_mode": "off"}, {}),
        ({"secret_key": "another key " * 4}, {"database.other_key": "problem"}),
    ],
)
def test_settings_are_looked_at(
    well: ShopUnderTest, changes: dict[str, Any], expected: dict[str, str]
) -> None:
    """A setting that works and is not what a shop wants is found, and nothing beside it."""
    well.sign_up(contact_email=EMAIL)
    with well.house.database.transaction() as connection:
        connection.execute(text("UPDATE delivery SET state='delivered', next_at=NULL"))
    assert behind(well, **changes) == expected


def test_unusable_settings_are_findings() -> None:
    """Each sentence about the settings is a problem of its own."""
    findings = unusable_settings(["one thing", "another"])
    assert [finding.sentence for finding in findings] == ["one thing", "another"]
    assert has_problem(findings)


def test_the_defaults_are_found(tmp_path: Path) -> None:
    """Who has set nothing yet reads what to set."""
    settings = load_settings({"REGULARS_DATA_DIR": str(tmp_path)})
    assert wrong(check_settings(settings)) == {
        "base_url.loopback": Severity.WARNING,
        "shop_name.default": Severity.WARNING,
        "privacy_url.missing": Severity.WARNING,
        "wordings.drafts": Severity.WARNING,
    }


def test_drafts_are_named(tmp_path: Path) -> None:
    """What the shop has not confirmed is named by its language, and nothing else is."""
    given = {"REGULARS_DATA_DIR": str(tmp_path), "REGULARS_LANGUAGES": "en,fr,ar"}
    settings = load_settings({**given, "REGULARS_CONFIRMED_LANGUAGES": "en,fr"})
    (found,) = [it for it in check_settings(settings) if it.id == "wordings.drafts"]
    assert ": ar. " in found.sentence
    assert "REGULARS_CONFIRMED_LANGUAGES" in found.hint


@pytest.fixture
def at_home(tmp_path: Path) -> Settings:
    """The settings of a shop whose folder nobody else may look into."""
    folder = tmp_path / "shop"
    folder.mkdir(mode=0o700)
    (folder / "regulars.env").write_text("SHOP_NAME=Tony's\n")
    (folder / "regulars.env").chmod(0o600)
    return load_settings({"REGULARS_DATA_DIR": str(folder)})


@pytest.mark.parametrize(
    ("path", "mode", "expected"),
    [
        ("", 0o700, {}),
        ("", 0o750, {"folder.open": "warning"}),
        ("", 0o755, {"folder.open": "problem"}),
        ("", 0o701, {"folder.open": "problem"}),
        ("secret_key", 0o640, {"file.secret_key": "problem"}),
        ("secret_key", 0o604, {"file.secret_key": "problem"}),
        ("regulars.env", 0o644, {"file.regulars": "problem"}),
    ],
)
def test_open_files_are_found(
    at_home: Settings, path: str, mode: int, expected: dict[str, str], tmp_path: Path
) -> None:
    """Whoever else may read the data, the key or the settings is a finding."""
    (at_home.data_dir / path).chmod(mode)
    nowhere = tmp_path / "no mounts"
    assert wrong(check_folder(at_home, at_home.data_dir, nowhere)) == expected


def test_a_missing_folder_is_found(at_home: Settings, tmp_path: Path) -> None:
    """A folder that went away is the one finding about it."""
    found = wrong(check_folder(at_home, tmp_path / "gone"))
    assert found == {"folder.missing": Severity.PROBLEM}


@pytest.mark.parametrize(
    ("mounts", "is_found"),
    [
        ("overlay / overlay rw 0 0\n", True),
        ("overlay / overlay rw 0 0\n/dev/sda1 {shop} ext4 rw 0 0\n", False),
        ("/dev/sda1 / ext4 rw 0 0\ntmpfs {shop} tmpfs rw 0 0\n", True),
        ("/dev/sda1 / ext4 rw 0 0\ntmpfs {shop}x tmpfs rw 0 0\n", False),
        ("", False),
        ("nonsense\n\n", False),
    ],
)
def test_storage_that_goes_is_found(
    at_home: Settings, mounts: str, is_found: bool, tmp_path: Path
) -> None:
    """Data in a container's own layer or in memory does not outlive it."""
    file = tmp_path / "mounts"
    file.write_text(mounts.format(shop=at_home.data_dir.resolve()))
    found = wrong(check_folder(at_home, at_home.data_dir, file))
    assert found == ({"folder.volatile": Severity.WARNING} if is_found else {})


def test_no_database_ends_the_examination(tmp_path: Path, clock: Clock) -> None:
    """Without a database nothing in it is looked at, and none is made."""
    shop = open_shop(load_settings({"REGULARS_DATA_DIR": str(tmp_path)}))
    found = wrong(examine(shop.house.settings, shop.house.database, clock()))
    assert found["database.missing"] is Severity.PROBLEM
    assert not any(name.startswith(("sites", "x.", "endpoint")) for name in found)
    assert not (tmp_path / "regulars.sqlite3").exists()
    shop.house.database.engine.dispose()


def test_another_release_is_found(well: ShopUnderTest) -> None:
    """A database of an older release is named, and what to run."""
    set_revision = text("UPDATE alembic_version SET version_num = :number")
    database = well.house.database
    with database.transaction() as connection:
        connection.execute(set_revision, {"number": "0001"})
    try:
        finding = check_schema(database)
    finally:
        # On PostgreSQL the next test gets the same tables.
        with database.transaction() as connection:
            connection.execute(set_revision, {"number": newest_revision()})
    assert (finding.id, finding.severity) == ("database.other_release", "problem")
    assert "regulars db upgrade" in finding.hint


def test_a_file_that_is_no_database_is_found(tmp_path: Path) -> None:
    """Rubbish in the database's place is a finding and no crash."""
    (tmp_path / "regulars.sqlite3").write_bytes(b"rubbish" * 1000)
    shop = open_shop(load_settings({"REGULARS_DATA_DIR": str(tmp_path)}))
    assert check_schema(shop.house.database).id == "database.unreachable"
    shop.house.database.engine.dispose()


def test_clocks_that_differ_are_found(well: ShopUnderTest) -> None:
    """Two seconds between database and process are too many."""
    house = well.house

    def apart(seconds: float) -> bool:
        now = now_utc() + timedelta(seconds=seconds)
        findings = check_database(house.database, house.settings.secret_key, now)
        return "clock.apart" in severities(findings)

    assert [apart(seconds) for seconds in (-4, 0, 4)] == [True, False, True]


def test_a_read_only_database_is_found(empty_database: Path, tmp_path: Path) -> None:
    """A database that takes no writes is found before a customer finds it."""
    file = shutil.copy(empty_database, tmp_path)
    database = Database(create_engine(f"sqlite:///file:{file}?mode=ro&uri=true"))
    found = wrong(check_database(database, "k" * 40, now_utc()))
    database.engine.dispose()
    assert found == {"database.read_only": Severity.PROBLEM}


def test_looking_writes_nothing(well: ShopUnderTest) -> None:
    """The try whether the database takes writes leaves it as it was."""

    def kept() -> list[Any]:
        with well.house.database.reading() as connection:
            return list(connection.execute(text("SELECT * FROM installation")))

    before = kept(), well.rows()
    look(well)
    assert (kept(), well.rows()) == before


def test_a_shop_that_asks_nobody_is_found(
    open_under_test: OpenShop, lookup: FakeLookup
) -> None:
    """No site, no key, no endpoint: each is said."""
    shop = open_under_test(lookup)
    with shop.house.database.transaction() as connection:
        connection.execute(text("DELETE FROM site"))
        [key] = list_keys(connection)
        revoke_key(connection, key.id, shop.clock())
    found = behind(shop)
    assert found["sites.none"] is Severity.PROBLEM
    assert found["keys.none"] is Severity.WARNING
    assert found["endpoints.none"] is Severity.WARNING


def test_a_site_without_origin_is_found(well: ShopUnderTest) -> None:
    """Pages of the shop cannot post to a site that allows none."""
    with well.house.database.transaction() as connection:
        connection.execute(text("UPDATE site SET origins = '[]'"))
    assert behind(well) == {"site.no_origins": Severity.WARNING}


@pytest.mark.sqlite_only("about words")
@pytest.mark.parametrize(
    ("reason", "severity"),
    [
        (reason, Severity.PROBLEM if reason.needs_operator else Severity.WARNING)
        for reason in Reason
        # Too many of us at once is no trouble of X's.
        if reason is not Reason.BUSY
    ],
)
def test_trouble_with_x_is_found(
    well: ShopUnderTest, lookup: FakeLookup, reason: Reason, severity: Severity
) -> None:
    """What waiting will not heal is a problem, the rest a warning; both have words."""
    lookup.unavailable(HANDLE, reason)
    well.sign_up(x_handle=HANDLE, **well.consent())
    found = behind(well)
    assert found[f"x.{reason.value}"] is severity


@pytest.mark.parametrize("reason", [Reason.UNAUTHORIZED, Reason.FORBIDDEN])
def test_an_access_that_ended_is_found(
    well: ShopUnderTest, lookup: FakeLookup, reason: Reason
) -> None:
    """After a day of refusals what X said may not stay; once it is gone there is no finding."""
    well.clock.now = now_utc() - timedelta(hours=25)
    lookup.found("bea", "7").unavailable(HANDLE, reason)
    well.sign_up(x_handle="bea", **well.consent())
    well.sign_up(x_handle=HANDLE, **well.consent())
    [finding] = [one for one in look(well) if one.id == "x.access_ended"]
    assert finding.severity is Severity.PROBLEM
    assert "regulars x purge" in finding.hint
    purge_some(well.house.database, well.house.recorder, well.clock())
    assert "x.access_ended" not in behind(well)


def test_an_access_that_is_refused_for_hours_may_come_back(
    well: ShopUnderTest, lookup: FakeLookup
) -> None:
    """A token that was mistyped yesterday evening is no reason to drop anything."""
    well.clock.now = now_utc() - timedelta(hours=23)
    lookup.found("bea", "7").unavailable(HANDLE, Reason.UNAUTHORIZED)
    for handle in ("bea", HANDLE):
        well.sign_up(x_handle=handle, **well.consent())
    assert "x.access_ended" not in behind(well)


@pytest.mark.sqlite_only("about what X says")
@pytest.mark.parametrize(
    ("own", "answer", "expected"),
    [
        ("tonys", "found", ("x.answers", "ok")),
        ("", "found", ("x.answers", "ok")),
        ("tonys", "not_found", ("x.own_handle", "problem")),
        ("tonys", "suspended", ("x.own_handle", "problem")),
        ("tonys", "unavailable", ("x.unauthorized", "problem")),
    ],
)
def test_x_is_asked_only_when_told(
    well: ShopUnderTest,
    lookup: FakeLookup,
    own: str,
    answer: str,
    expected: tuple[str, str],
) -> None:
    """One account is asked for, the shop's own or X's, because each costs money."""
    name = own or "X"
    {
        "found": lambda: lookup.found(name, "1"),
        "not_found": lambda: lookup.not_found(name),
        "suspended": lambda: lookup.suspended(name),
        "unavailable": lambda: lookup.unavailable(name, Reason.UNAUTHORIZED),
    }[answer]()
    look(well)
    assert lookup.asked == []
    house = well.house
    settings = replace(house.settings, shop_x_username=own)
    findings = examine(settings, house.database, now_utc(), ask=house.gate)
    assert lookup.asked == [[name.lower()]]
    [finding] = [one for one in findings if one.id.startswith("x.")]
    assert (finding.id, finding.severity) == expected


@pytest.mark.parametrize(
    ("state", "severity"),
    [
        (EndpointState.PAUSED, Severity.WARNING),
        (EndpointState.DISABLED, Severity.PROBLEM),
    ],
)
def test_a_stopped_endpoint_is_found(
    well: ShopUnderTest, state: EndpointState, severity: Severity
) -> None:
    """Whoever is not told is named with the reason and the way back."""
    endpoint_id, _ = well.add_endpoint("https://crm.example/in")
    with well.house.database.transaction() as connection:
        hold_endpoint(connection, endpoint_id, state, "It answered 410.")
    findings = look(well, trusted_proxies=1)
    [finding] = [one for one in findings if one.id == f"endpoint.{state.value}"]
    assert finding.severity is severity
    assert "It answered 410." in finding.sentence
    assert f"regulars endpoint resume {endpoint_id}" in finding.hint


def test_an_address_that_is_not_allowed_any_more_is_found(well: ShopUnderTest) -> None:
    """An endpoint that was added under other rules is named before its first delivery."""
    well.add_endpoint("http://127.0.0.1:8080/in")
    assert behind(well) == {"endpoint.address": Severity.PROBLEM}
    assert behind(well, allow_private_endpoints=True) == {}


def test_a_queue_that_nobody_works_on_is_found(well: ShopUnderTest) -> None:
    """What is due for minutes says that no dispatcher runs, and who is behind."""
    well.sign_up(contact_email=EMAIL)
    now = now_utc()
    long_ago = round((now - timedelta(minutes=20)).timestamp() * 1000)
    with well.house.database.transaction() as connection:
        connection.execute(
            text("UPDATE delivery SET next_at = :at, created_at = :at"),
            {"at": long_ago},
        )
    assert behind(well) == {
        "dispatcher.stalled": Severity.PROBLEM,
        "endpoint.behind": Severity.WARNING,
    }


def test_what_was_given_up_is_found(well: ShopUnderTest) -> None:
    """Deliveries that nobody will try again are counted."""
    well.sign_up(contact_email=EMAIL)
    with well.house.database.transaction() as connection:
        connection.execute(
            text("UPDATE delivery SET state='dead', next_at=NULL, last_error='500'")
        )
    assert behind(well) == {"endpoint.given_up": Severity.WARNING}


def test_no_finding_names_a_customer(well: ShopUnderTest, lookup: FakeLookup) -> None:
    """What the doctor says can be sent to whoever helps: no address, no secret."""
    lookup.unavailable(HANDLE, Reason.UNAUTHORIZED)
    well.sign_up(x_handle=HANDLE, contact_email=EMAIL, **well.consent())
    told = " ".join(f"{one.sentence} {one.hint}" for one in look(well))
    settings = well.house.settings
    for secret in (HANDLE, EMAIL, settings.secret_key, settings.x_bearer_token):
        assert secret not in told


# --- from outside -------------------------------------------------------------------------


def proxied(app: Any) -> Any:
    """*app* behind a proxy that notes, as proxies do, whom it speaks for."""

    def call(environ: dict[str, Any], start: Any) -> Any:
        before = environ.get("HTTP_X_FORWARDED_FOR")
        address = environ["REMOTE_ADDR"]
        environ["HTTP_X_FORWARDED_FOR"] = f"{before}, {address}" if before else address
        return app(environ, start)

    return call


def outside(
    shop: ShopUnderTest, base_url: str, ca_file: str | None = None
) -> dict[str, Severity]:
    """What the doctor of *shop* finds at *base_url*."""
    house = shop.house
    settings = replace(house.settings, base_url=base_url)
    return severities(
        examine_public(settings, house.database, house.clock, ca_file=ca_file)
    )


WELL = {
    "public.reachable": Severity.OK,
    "public.headers": Severity.OK,
    "public.itself": Severity.OK,
    "public.hops": Severity.OK,
}


@pytest.mark.sqlite_only("about proxies")
@pytest.mark.parametrize(
    ("proxies", "trusted", "expected"),
    [
        (0, 0, {}),
        (1, 1, {}),
        (2, 2, {}),
        (1, 0, {"public.hops": "problem"}),
        (2, 1, {"public.hops": "problem"}),
        (0, 1, {"public.forged": "problem"}),
        (1, 2, {"public.forged": "problem"}),
    ],
)
def test_proxies_are_counted(
    open_under_test: OpenShop,
    serve: Serve,
    proxies: int,
    trusted: int,
    expected: dict[str, str],
) -> None:
    """Too few trusted make one of all visitors, too many believe whatever they write."""
    shop = open_under_test(TRUSTED_PROXIES=str(trusted))
    app: Any = shop.shop.app
    for _ in range(proxies):
        app = proxied(app)
    found = outside(shop, f"http://127.0.0.1:{serve(app)}")
    well = {**WELL}
    if "public.forged" in expected:
        del well["public.hops"]
    assert found == {**well, **expected}


def test_another_installation_is_found_out(
    open_under_test: OpenShop, serve: Serve
) -> None:
    """Neither the same key nor the same kind of service makes it this installation."""
    key = "k" * 40
    mine, theirs = open_under_test(SECRET_KEY=key), open_under_test(SECRET_KEY=key)
    found = outside(mine, f"http://127.0.0.1:{serve(theirs.shop.app)}")
    assert found["public.another"] is Severity.PROBLEM
    assert "public.itself" not in found


@pytest.mark.sqlite_only("a second shop is made on its file")
def test_another_key_is_found_out(
    open_under_test: OpenShop, serve: Serve, clock: Clock
) -> None:
    """The same database under another key is not this installation either."""
    shop = open_under_test()
    folder = shop.house.settings.data_dir
    with shop.house.database.transaction() as connection:
        connection.execute(text("DELETE FROM site"))
    other = make_shop(folder, None, clock, SECRET_KEY="z" * 40)
    found = outside(shop, f"http://127.0.0.1:{serve(other.shop.app)}")
    assert found["public.another"] is Severity.PROBLEM
    other.house.database.engine.dispose()


def plain_answer(status: str, *headers: tuple[str, str], body: bytes = b"ok\n") -> Any:
    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        start(status, [("Content-Type", "text/plain"), *headers])
        return [body]

    return app


LIE = b'{"proof": "0", "visitor": "", "forwarded_for": 0}'


def liar(environ: dict[str, Any], start: Any) -> Any:
    """A service that looks well and makes its proof up."""
    is_health = environ["PATH_INFO"] == "/healthz"
    return plain_answer("200 OK", body=b"ok\n" if is_health else LIE)(environ, start)


@pytest.mark.sqlite_only("about what answers")
@pytest.mark.parametrize(
    ("app", "expected"),
    [
        (plain_answer("200 OK"), {"public.headers", "public.another"}),
        (liar, {"public.headers", "public.another"}),
        (plain_answer("502 Bad Gateway"), {"public.not_well"}),
        (plain_answer("200 OK", body=b"<html>"), {"public.not_well"}),
        (
            plain_answer("301 Moved", ("Location", "https://www.tonys.example/")),
            {"public.redirected"},
        ),
    ],
    ids=["somebody", "liar", "broken proxy", "another page", "redirect"],
)
def test_whatever_else_answers_is_found_out(
    shop: ShopUnderTest, serve: Serve, app: Any, expected: set[str]
) -> None:
    """Another service at the address is not taken for ours."""
    found = outside(shop, f"http://127.0.0.1:{serve(app)}")
    problems = {name for name, how in found.items() if how is Severity.PROBLEM}
    assert problems - {"public.headers"} == expected - {"public.headers"}
    assert "public.itself" not in found


def test_headers_that_a_proxy_takes_away_are_found(
    shop: ShopUnderTest, serve: Serve
) -> None:
    """A proxy that drops the guards of the pages is a problem."""

    def stripped(environ: dict[str, Any], start: Any) -> Any:
        def begin(status: str, headers: list[Any], info: Any = None) -> Any:
            kept = [one for one in headers if one[0] != "Content-Security-Policy"]
            return start(status, kept, info)

        return shop.shop.app(environ, begin)

    found = outside(shop, f"http://127.0.0.1:{serve(stripped)}")
    assert found == {**WELL, "public.headers": Severity.PROBLEM}


def test_nobody_there_is_found(shop: ShopUnderTest) -> None:
    """An address where nothing listens is one finding."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        found = outside(shop, f"http://127.0.0.1:{held.getsockname()[1]}")
    assert found == {"public.unreachable": Severity.PROBLEM}


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(AUTHORITY, CERTIFICATES / "loopback.key")
    return context


def test_the_certificate_is_looked_at(shop: ShopUnderTest, serve: Serve) -> None:
    """A good certificate is said to be one, with the days that it has left."""
    url = f"https://127.0.0.1:{serve(shop.shop.app, tls())}"
    assert outside(shop, url, AUTHORITY) == {
        **WELL,
        "public.certificate": Severity.OK,
    }


def test_a_certificate_that_ends_soon_is_found(
    shop: ShopUnderTest, serve: Serve
) -> None:
    """Two weeks before its end a certificate should long have been renewed."""
    port = serve(shop.shop.app, tls())
    decoded = ssl._ssl._test_decode_cert(AUTHORITY)  # type: ignore[attr-defined]
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(decoded["notAfter"]), UTC)
    settings = replace(shop.house.settings, base_url=f"https://127.0.0.1:{port}")

    def found(days: int) -> bool:
        shop.clock.now = ends_at - timedelta(days=days)
        findings = examine_public(
            settings, shop.house.database, shop.clock, ca_file=AUTHORITY
        )
        return "public.certificate_ends" in wrong(findings)

    assert [found(days) for days in (15, 13)] == [False, True]


def test_a_certificate_of_nobody_is_found(shop: ShopUnderTest, serve: Serve) -> None:
    """What browsers would refuse is a problem."""
    url = f"https://127.0.0.1:{serve(shop.shop.app, tls())}"
    assert outside(shop, url) == {"public.certificate": Severity.PROBLEM}


# --- the address that the doctor asks -----------------------------------------------------


def ask(shop: ShopUnderTest, nonce: str | None) -> Any:
    query = {} if nonce is None else {"nonce": nonce}
    return shop.client.get("/.well-known/regulars", query_string=query)


def new_nonce(shop: ShopUnderTest) -> str:
    with shop.house.database.transaction() as connection:
        return add_challenge(connection, shop.clock())


@pytest.mark.parametrize("nonce", [None, "", "x", "\0", "🍕", "challenge:", "a" * 5000])
def test_strangers_learn_nothing(shop: ShopUnderTest, nonce: str | None) -> None:
    """Without a question of the doctor's there is nothing at the address, as at any other."""
    new_nonce(shop)
    answer, other = ask(shop, nonce), shop.client.get("/.well-known/other")
    assert (answer.status_code, answer.data) == (404, other.data)


def test_a_question_is_answered_once(shop: ShopUnderTest) -> None:
    """Whoever reads the question in a log gets no second answer."""
    nonce = new_nonce(shop)
    told = ask(shop, nonce).get_json()
    assert told == {
        "proof": proof_of(shop.house.settings.secret_key, nonce),
        "visitor": "127.0.0.1",
        "forwarded_for": 0,
    }
    assert ask(shop, nonce).status_code == 404


def test_a_question_does_not_stand_for_long(shop: ShopUnderTest) -> None:
    """After a minute it is answered no more, and the next question clears it away."""
    nonce = new_nonce(shop)
    shop.clock.advance(LASTS.total_seconds())
    assert ask(shop, nonce).status_code == 404
    before = shop.rows()["installation"]
    new_nonce(shop)
    assert shop.rows()["installation"] == before


def test_the_answer_is_not_stored(shop: ShopUnderTest, serve: Serve) -> None:
    """No cache between doctor and service keeps the answer."""
    nonce = new_nonce(shop)
    url = f"http://127.0.0.1:{serve(shop.shop.app)}/.well-known/regulars"
    answer = requests.get(url, params={"nonce": nonce}, timeout=5)
    assert answer.headers["Cache-Control"] == "no-store"
