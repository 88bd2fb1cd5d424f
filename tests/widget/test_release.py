"""A version of the widget that shops have pinned never changes again."""

from tests.widget.release import (
    MARK,
    committed,
    complaints,
    is_released,
)

from regulars.ask.widget.files import FOLDER, SCRIPT, STYLE, integrity, versions


def test_every_file_is_what_was_committed() -> None:
    """integrity.json has the hash of each file of each version, and no file has changed since."""
    assert complaints(committed(), integrity()) == []


def test_a_change_of_a_released_version_is_told_with_the_way_out() -> None:
    """Whoever edits a released file reads why it fails and how a new version is made."""
    [told] = complaints(
        {"0.0.1": {SCRIPT: "sha384-a"}}, {"0.0.1": {SCRIPT: "sha384-b"}}
    )
    assert "0.0.1 is released" in told
    assert "make widget" in told
    assert MARK in told
    # A file that is gone is a change too, and so is one that came.
    assert len(complaints({"0.0.1": {SCRIPT: "sha384-a"}}, {})) == 1
    assert len(complaints({}, {"0.0.1": {SCRIPT: "sha384-a"}})) == 1


def test_only_the_newest_version_may_be_unreleased() -> None:
    """What came before is fixed: there is one version at most that still changes."""
    assert [v for v in versions()[:-1] if not is_released(v)] == []


def test_each_version_is_whole() -> None:
    """Script and style are in every version, in one folder named after it."""
    assert versions()
    for version in versions():
        names = {it.name for it in (FOLDER / version).iterdir()} - {MARK}
        assert {SCRIPT, STYLE} <= names == set(integrity()[version])
