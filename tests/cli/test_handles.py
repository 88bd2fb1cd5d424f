"""``regulars handle check``: one look-up from the shell."""

import pytest
from tests.cli.conftest import Commands


@pytest.mark.parametrize("mode", ["format", "off"])
def test_where_x_is_not_asked(cli: Commands, mode: str) -> None:
    """Without a look-up the handle is read and stays unchecked."""
    cli.environment["REGULARS_X_MODE"] = mode
    found = cli.json("handle", "check", "https://x.com/jack?s=20")
    assert found == {"handle": "jack", "verdict": "unchecked", "id": None}


def test_without_json(cli: Commands) -> None:
    """People get one line, and beside it which setting lets X be asked."""
    result = cli.run("handle", "check", "@jack")
    assert result.stdout == "@jack: unchecked\n"
    assert "REGULARS_X_BEARER_TOKEN" in result.stderr


def test_when_x_cannot_be_reached(cli: Commands) -> None:
    """No answer is no verdict: pending, with the reason on standard error."""
    # Nothing listens on the discard port of loopback.
    cli.environment |= {
        "REGULARS_X_BEARER_TOKEN": "t",
        "REGULARS_X_API_URL": "http://127.0.0.1:9",
    }
    result = cli.run("handle", "check", "jack", "--json")
    assert result.stdout == '{"handle": "jack", "verdict": "pending", "id": null}\n'
    assert "unreachable" in result.stderr


@pytest.mark.parametrize("text", ["a b", "ana@example.com", "", "x.com/i/user/12"])
def test_what_is_no_handle(cli: Commands, text: str) -> None:
    """Text that is no handle is a mistake in the call, named in a sentence."""
    assert cli.refused("handle", "check", text, status=2).strip()
