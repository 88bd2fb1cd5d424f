"""``regulars owner``: the password of the owner's page."""

from tests.cli.conftest import Commands
from tests.shops import ShopUnderTest

from regulars.keep.owner import find_owner
from regulars.web.passwords import is_password

PASSWORD = "four words of no sense"


def opens(shop: ShopUnderTest, password: str) -> bool:
    with shop.house.database.reading() as connection:
        owner = find_owner(connection)
    return is_password(password, owner.password_hash if owner else None)


def test_a_password_is_set(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """Asked for twice, never shown, in force at once."""
    result = cli.run("owner", "password", answer=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert "https://connect.tonys.example/desk" in result.stdout
    assert PASSWORD not in result.output
    assert opens(shop_at_hand, PASSWORD)
    assert not opens(shop_at_hand, PASSWORD + "!")


def test_a_slip_is_asked_again(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """Two that differ are no password."""
    answer = f"{PASSWORD}\nanother one here\n{PASSWORD}\n{PASSWORD}\n"
    assert cli.run("owner", "password", answer=answer).exit_code == 0
    assert opens(shop_at_hand, PASSWORD)


def test_a_program_sends_it_in(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """--stdin reads one line and asks nothing."""
    result = cli.run("owner", "password", "--stdin", answer=f"{PASSWORD}\r\nmore\n")
    assert (result.exit_code, result.stderr) == (0, "")
    assert opens(shop_at_hand, PASSWORD)


def test_a_short_one_is_refused(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """Eleven characters are too few, a thousand too many; the one before stays."""
    cli.run("owner", "password", "--stdin", answer=f"{PASSWORD}\n")
    for short in ("", "x" * 11, "x" * 1025):
        result = cli.run("owner", "password", "--stdin", answer=f"{short}\n")
        assert (result.exit_code, result.stdout) == (2, "")
        assert "Nothing was changed." in result.stderr
    assert opens(shop_at_hand, PASSWORD)


def test_one_password_however_it_is_typed(
    cli: Commands, shop_at_hand: ShopUnderTest
) -> None:
    """An accent is the same letter whether a keyboard sends one character or two."""
    cli.run("owner", "password", "--stdin", answer="un caf\u00e9 de trop\n")
    assert opens(shop_at_hand, "un cafe\u0301 de trop")


def test_no_password_in_the_file(cli: Commands, shop_at_hand: ShopUnderTest) -> None:
    """Nothing on disk can be read back."""
    cli.run("owner", "password", "--stdin", answer=f"{PASSWORD}\n")
    for file in cli.folder.iterdir():
        assert PASSWORD.encode() not in file.read_bytes()
