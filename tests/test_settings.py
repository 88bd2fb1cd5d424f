"""The settings: their defaults, what each refuses, and where they come from."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from regulars.setting_rows import SETTINGS
from regulars.settings import FILE_NAME, Settings, SettingsError, load_settings
from regulars.values.contact import Channel

KEY = "k" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


def load(folder: Path, **given: str) -> Settings:
    environment = {f"REGULARS_{name}": value for name, value in given.items()}
    return load_settings({"REGULARS_DATA_DIR": str(folder), **environment})


def problems(folder: Path, **given: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(folder, **given)
    return caught.value.problems


def write(folder: Path, text: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / FILE_NAME).write_text(text, "utf-8")


def test_every_default(folder: Path) -> None:
    """With nothing set, the settings are those of the table in the README."""
    found = load(folder)
    assert {name: getattr(found, name) for name in DEFAULTS} == DEFAULTS
    assert found.data_dir == folder
    assert found.database_url == f"sqlite:///{folder}/regulars.sqlite3"
    assert len(found.secret_key) >= 43


DEFAULTS: dict[str, Any] = {
    "base_url": "http://127.0.0.1:8000",
    "trusted_proxies": 0,
    "shop_name": "Our shop",
    "shop_color": "",
    "shop_logo": "",
    "shop_x_username": "",
    "privacy_url": "",
    "channels": (
        Channel.X,
        Channel.EMAIL,
        Channel.SMS,
        Channel.PHONE,
        Channel.FACEBOOK,
    ),
    "default_country": "US",
    "invite_text": "So that we can reach you the way you like, most of all when something changes.",
    "languages": ("en", "es", "pt-BR", "fr", "de", "ar"),
    "confirmed_languages": ("en",),
    "x_mode": "format",
    "x_bearer_token": "",
    "x_api_url": "https://api.x.com",
    "x_timeout_s": 2.0,
    "x_retry_s": 5.0,
    "x_daily_lookups": 1000,
    "x_monthly_budget_usd": 10.0,
    "x_cache_found_s": 604_800,
    "x_cache_not_found_s": 3_600,
    "x_profile": "claimed",
    "x_refresh_days": 30,
    "retention_delivery_days": 30,
    "endpoint_allow": (),
    "delivery_threads": 32,
    "delivery_lease_s": 60.0,
    "ca_bundle": "",
    "allow_private_endpoints": False,
}


def test_the_table_has_every_setting() -> None:
    """What is documented is what is read: the table and the settings have the same names."""
    of_no_name = {"names_database"}
    assert {row.name.lower() for row in SETTINGS} == (
        set(Settings.__dataclass_fields__) - of_no_name
    )
    assert set(DEFAULTS) == {row.name.lower() for row in SETTINGS} - {
        "data_dir",
        "database_url",
        "secret_key",
    }
    assert all(row.purpose for row in SETTINGS)


GIVEN: dict[str, tuple[str, Any]] = {
    "BASE_URL": ("https://connect.shop.example/", "https://connect.shop.example"),
    "TRUSTED_PROXIES": ("2", 2),
    "SHOP_NAME": ("  Tony's  ", "Tony's"),
    "SHOP_COLOR": ("#0AF", "#00aaff"),
    "SHOP_X_USERNAME": ("@Tonys", "Tonys"),
    "PRIVACY_URL": ("https://shop.example/privacy", "https://shop.example/privacy"),
    "CHANNELS": ("email, x", (Channel.EMAIL, Channel.X)),
    "DEFAULT_COUNTRY": ("BR", "BR"),
    "INVITE_TEXT": ("Why not?", "Why not?"),
    "LANGUAGES": ("pt-br, en", ("pt-BR", "en")),
    "CONFIRMED_LANGUAGES": ("de,en", ("de", "en")),
    "X_MODE": ("off", "off"),
    "X_API_URL": ("http://127.0.0.1:9000", "http://127.0.0.1:9000"),
    "X_TIMEOUT_S": ("0.5", 0.5),
    "X_RETRY_S": ("60", 60.0),
    "X_PROFILE": ("never", "never"),
    "ENDPOINT_ALLOW": ("10.1.0.0/16, pos.local", ("10.1.0.0/16", "pos.local")),
    "DELIVERY_THREADS": ("8", 8),
    "DELIVERY_LEASE_S": ("2.5", 2.5),
    "RETENTION_DELIVERY_DAYS": ("7", 7),
    "CA_BUNDLE": (__file__, __file__),
    "ALLOW_PRIVATE_ENDPOINTS": ("1", True),
}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [(name, *rest) for name, rest in GIVEN.items()],
    ids=GIVEN,
)
def test_each_is_read(folder: Path, name: str, text: str, value: object) -> None:
    """What the operator writes is what is in force."""
    assert getattr(load(folder, **{name: text}), name.lower()) == value


WRONG = [
    ("BASE_URL", "connect.shop.example"),
    ("BASE_URL", "https://user:pw@shop.example"),
    ("BASE_URL", "https://shop.example/?x=1"),
    ("BASE_URL", "http://[::1"),
    ("TRUSTED_PROXIES", "-1"),
    ("TRUSTED_PROXIES", "one"),
    ("TRUSTED_PROXIES", ""),
    ("PRIVACY_URL", "javascript:alert(1)"),
    ("CHANNELS", ""),
    ("CHANNELS", "x,pigeon"),
    ("CHANNELS", "x,x"),
    ("DEFAULT_COUNTRY", "usa"),
    ("SHOP_X_USERNAME", "Tony's Pizza"),
    ("X_MODE", "sometimes"),
    ("X_TIMEOUT_S", "0"),
    ("X_TIMEOUT_S", "-1"),
    ("X_TIMEOUT_S", "nan"),
    ("X_TIMEOUT_S", "inf"),
    ("X_TIMEOUT_S", "2 seconds"),
    ("X_RETRY_S", "0"),
    ("X_PROFILE", "always"),
    ("X_API_URL", "api.x.com"),
    ("ENDPOINT_ALLOW", "10.0.0.0/99"),
    ("DELIVERY_THREADS", "0"),
    ("DELIVERY_THREADS", "129"),
    ("DELIVERY_LEASE_S", "0"),
    ("RETENTION_DELIVERY_DAYS", "a month"),
    ("CA_BUNDLE", "/nowhere/ca.pem"),
    ("SHOP_COLOR", "red"),
    ("SHOP_LOGO", "/nowhere/logo.png"),
    ("SHOP_LOGO", __file__),
    ("LANGUAGES", "en,klingon"),
    ("CONFIRMED_LANGUAGES", ","),
    ("ALLOW_PRIVATE_ENDPOINTS", "yes"),
    ("SECRET_KEY", "short"),
    ("DATABASE_URL", "regulars.sqlite3"),
    ("DATABASE_URL", "sqlite:///relative.sqlite3"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "mysql://shop.example/regulars"),
    ("X_BEARER_TOKEN", "AAAA…"),
    ("X_BEARER_TOKEN", "AAAA BBBB"),
]


@pytest.mark.parametrize(("name", "text"), WRONG)
def test_each_refuses_what_it_cannot_use(folder: Path, name: str, text: str) -> None:
    """A value that cannot be used is named in one sentence that says what would do, and not quoted."""
    given = {"SECRET_KEY": KEY, name: text} if name == "DATABASE_URL" else {name: text}
    (problem,) = problems(folder, **given)
    assert problem.startswith(f"REGULARS_{name} ")
    assert len(problem.split()) > 3


def test_all_problems_together(folder: Path) -> None:
    """One start names every mistake, those in the file and those between settings too."""
    write(folder, "SHOPNAME=Tony's\nX_RETRY_S=never\nno equals sign\n")
    found = "\n".join(
        problems(
            folder,
            X_TIMEOUT_S="soon",
            X_MODE="lookup",
            DATABASE_URL=f"sqlite:///{folder}/x.sqlite3",
        )
    )
    assert len(found.splitlines()) == 6
    for part in (
        "line 1: 'SHOPNAME'",
        "line 3: ",
        "REGULARS_X_RETRY_S must",
        "REGULARS_X_TIMEOUT_S must",
        "REGULARS_X_BEARER_TOKEN is required",
        "REGULARS_SECRET_KEY is required",
    ):
        assert part in found


def test_nothing_is_made_for_settings_that_cannot_be_used(tmp_path: Path) -> None:
    """A start that fails leaves no folder and no key, neither where it was told nor elsewhere."""
    environment = {"XDG_DATA_HOME": str(tmp_path), "REGULARS_DATA_DIR": "data"}
    with pytest.raises(SettingsError) as caught:
        load_settings(environment)
    assert caught.value.problems == ["REGULARS_DATA_DIR must be an absolute path"]
    problems(tmp_path / "data", X_MODE="sometimes")
    assert list(tmp_path.iterdir()) == []


def test_the_default_folder(tmp_path: Path) -> None:
    """Without DATA_DIR everything is below XDG_DATA_HOME, or the home's own place for data."""
    found = load_settings({"XDG_DATA_HOME": str(tmp_path)})
    assert found.data_dir == tmp_path / "regulars"
    assert not found.names_database
    home = {**os.environ, "HOME": str(tmp_path)}
    for name in list(home):
        if name.startswith(("XDG_", "REGULARS_")):
            del home[name]
    script = "from regulars.settings import load_settings as l; print(l().data_dir)"
    told = subprocess.run(
        [sys.executable, "-c", script], env=home, check=True, capture_output=True
    )
    assert told.stdout.decode().strip() == f"{tmp_path}/.local/share/regulars"


@pytest.mark.parametrize("name", ["DATA_DIR", "DATABASE_URL"])
def test_a_database_that_was_named(tmp_path: Path, name: str) -> None:
    """Whoever gives the folder or the URL has named the database."""
    value = {"DATA_DIR": str(tmp_path), "DATABASE_URL": f"sqlite:///{tmp_path}/x"}
    environment = {f"REGULARS_{name}": value[name], "REGULARS_SECRET_KEY": KEY}
    found = load_settings({"XDG_DATA_HOME": str(tmp_path), **environment})
    assert found.names_database


def test_the_file(folder: Path) -> None:
    """The file takes names with and without prefix, quotes, comments and blank lines."""
    write(
        folder,
        "# ours\n\nREGULARS_SHOP_NAME='Tony & Sons'\n  DEFAULT_COUNTRY = BR\nINVITE_TEXT=a=b # c\n",
    )
    found = load(folder)
    assert found.shop_name == "Tony & Sons"
    assert found.default_country == "BR"
    assert found.invite_text == "a=b # c"


def test_the_environment_wins(folder: Path) -> None:
    """What the environment says is in force, whatever the file says."""
    write(folder, "SHOP_NAME=File\nX_RETRY_S=7\n")
    found = load(folder, SHOP_NAME="Environment")
    assert (found.shop_name, found.x_retry_s) == ("Environment", 7.0)


def test_the_environment_heals_the_file(folder: Path) -> None:
    """A wrong value in the file does not matter where the environment has a right one."""
    write(folder, "X_RETRY_S=never\n")
    assert load(folder, X_RETRY_S="7").x_retry_s == 7.0


def test_unknown_names_are_errors_in_the_file_alone(folder: Path) -> None:
    """A misspelt line is a mistake; the environment is full of other people's names."""
    assert load(folder, SHOPNAME="x", TEST_REQUIRE_ALL="1").shop_name == "Our shop"
    write(folder, "SHOPNAME=x\n")
    (problem,) = problems(folder)
    assert "line 1: 'SHOPNAME' is not a setting" in problem
    assert "did you mean SHOP_NAME?" in problem
    write(folder, "WEATHER=red\n")
    assert "TRUSTED_PROXIES" in problems(folder)[0]


def test_the_folder_cannot_be_set_in_the_file_that_it_holds(folder: Path) -> None:
    """DATA_DIR in the file would point away from the file."""
    write(folder, "DATA_DIR=/elsewhere\n")
    (problem,) = problems(folder)
    assert "'DATA_DIR' is not a setting" in problem
    assert "in the environment" in problem


def test_half_a_line_is_not_quoted(folder: Path) -> None:
    """What stands without a name may be the rest of a token, and errors reach logs."""
    write(folder, "X_BEARER_TOKEN=AAAA\nrest-of-it\n")
    (problem,) = problems(folder)
    assert "line 2: is not NAME=value" in problem
    assert "rest-of-it" not in problem


def test_a_file_that_cannot_be_read(folder: Path) -> None:
    """A file of another encoding is a problem like any other."""
    folder.mkdir()
    (folder / FILE_NAME).write_bytes(b"SHOP_NAME=Jos\xe9\n")
    (problem,) = problems(folder)
    assert str(folder / FILE_NAME) in problem
    assert "UTF-8" in problem


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """Where a file is in the way the operator is told so, and to name another folder."""
    (tmp_path / "data").write_text("a file")
    (problem,) = problems(tmp_path / "data")
    assert "REGULARS_DATA_DIR" in problem
    assert "name a folder" in problem


def test_the_mode_follows_the_token(folder: Path) -> None:
    """With a token X is asked unless the operator says otherwise."""
    assert load(folder, X_BEARER_TOKEN="t").x_mode == "lookup"
    assert load(folder, X_BEARER_TOKEN="t", X_MODE="off").x_mode == "off"
    assert load(folder).x_mode == "format"


def test_the_key_is_made_once(folder: Path) -> None:
    """The next start reads the key that the first one made, for its owner's eyes alone."""
    first = load(folder).secret_key
    assert load(folder).secret_key == first
    assert stat.S_IMODE((folder / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [file.name for file in folder.iterdir()] == ["secret_key"]


def test_a_key_of_the_operators_own(folder: Path) -> None:
    """A key that is given is used, and none is made."""
    assert load(folder, SECRET_KEY=KEY).secret_key == KEY
    assert not (folder / "secret_key").exists()


@pytest.mark.parametrize("kept", ["", "\n", "short"])
def test_a_key_file_that_was_damaged(folder: Path, kept: str) -> None:
    """An empty or cut key would sign links that anybody can make: refused, not used."""
    folder.mkdir()
    (folder / "secret_key").write_text(kept)
    (problem,) = problems(folder)
    assert str(folder / "secret_key") in problem
    assert (folder / "secret_key").read_text() == kept


@pytest.mark.slow
def test_two_first_starts_agree_on_one_key(folder: Path) -> None:
    """Whichever process comes first, all have the same key, and no draft is left."""
    script = (
        "import sys; from regulars.settings import load_settings;"
        "print('ready', flush=True); sys.stdin.readline(); print(load_settings().secret_key)"
    )
    environment = {**os.environ, "REGULARS_DATA_DIR": str(folder)}
    starts = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for start in starts:
        assert start.stdout is not None
        assert start.stdout.readline() == "ready\n"
    for start in starts:
        assert start.stdin is not None
        start.stdin.write("\n")
        start.stdin.flush()
    keys = {start.communicate()[0].strip() for start in starts}
    assert len(keys) == 1
    assert re.fullmatch(r"[\w-]{64}", keys.pop())
    assert [file.name for file in folder.iterdir()] == ["secret_key"]
