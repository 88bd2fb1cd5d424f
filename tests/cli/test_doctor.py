"""``regulars doctor``: its findings as people and as programs read them."""

from tests.cli.conftest import Commands
from tests.shops import ShopUnderTest


def test_findings_are_an_array(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """One JSON array; status 0 while nothing is a problem."""
    cli.folder.chmod(0o700)
    (cli.folder / "secret_key").chmod(0o600)
    findings = cli.json("doctor")
    assert all(set(one) == {"id", "severity", "sentence", "hint"} for one in findings)
    by_id = {one["id"]: one["severity"] for one in findings}
    assert by_id["database.current"] == "ok"
    assert by_id["endpoints.none"] == "warning"
    assert "problem" not in by_id.values()


def test_a_problem_is_status_1(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """Whatever must be put right makes the command fail."""
    cli.folder.chmod(0o755)
    result = cli.run("doctor")
    assert result.exit_code == 1
    assert "PROBLEM" in result.stdout
    assert f"chmod 700 {cli.folder}" in result.stdout
    assert "Problems: 1." in result.stdout


def test_settings_that_cannot_be_used_are_findings(cli: Commands) -> None:
    """All of them at once, and status 1: the doctor's work is to say what is wrong."""
    cli.environment["REGULARS_X_RETRY_S"] = "soon"
    cli.environment["REGULARS_CHANNELS"] = "pigeon"
    findings = cli.json("doctor", status=1)
    assert [one["id"] for one in findings] == ["settings.unusable"] * 2


def test_without_a_database_the_public_address_is_not_asked(cli: Commands) -> None:
    """Nothing can be proven without a database, so nothing is sent."""
    (cli.folder / "regulars.sqlite3").unlink()
    findings = cli.json("doctor", "--public", status=1)
    assert findings[-1]["id"] == "public.not_asked"
    assert not (cli.folder / "regulars.sqlite3").exists()


def test_the_public_address_is_asked_when_told(
    cli: Commands, shop_at_hand: ShopUnderTest
) -> None:
    """Where nothing listens, --public says so and the plain command does not ask."""
    cli.environment["REGULARS_BASE_URL"] = "http://127.0.0.1:1"
    ids = [one["id"] for one in cli.json("doctor", "--public", status=1)]
    assert "public.unreachable" in ids
    assert "public.unreachable" not in cli.run("doctor", "--json").stdout
