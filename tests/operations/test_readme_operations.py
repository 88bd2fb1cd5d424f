"""The README's way from nothing to a shop, and back from yesterday's copy."""

from pathlib import Path

from tests.readme.page import block
from tests.readme.running import sh


def test_init_makes_a_shop_that_the_doctor_finds_whole(tmp_path: Path) -> None:
    """The flags answer all five questions; what is left to find is no problem."""
    done = sh(block("init"), tmp_path, tmp_path / "data")
    assert done.returncode == 0, done.stdout + done.stderr
    for told in ("sk_", "whsec_", "regulars serve"):
        assert told in done.stdout + done.stderr


def test_a_backup_comes_back(tmp_path: Path) -> None:
    """Both commands run as they stand, but for the folder that a test may not write to."""
    data = tmp_path / "data"
    made = sh("regulars db upgrade && regulars site add Shop", tmp_path, data)
    assert made.returncode == 0, made.stderr
    script = block("backup").replace("/var/backups", str(tmp_path))
    done = sh(script, tmp_path, data)
    assert done.returncode == 0, done.stderr
    assert "Shop" in sh("regulars site list", tmp_path, data).stdout
