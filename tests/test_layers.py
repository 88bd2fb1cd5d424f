"""The house's walls: who may know whom, and what an import loads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import regulars_webhooks

ROOT = Path(__file__).parents[1]
HEAVY = {
    "alembic",
    "click",
    "flask",
    "flask_limiter",
    "granian",
    "requests",
    "sqlalchemy",
    "tweepy",
    "urllib3",
    "werkzeug",
}


def loaded_by(statement: str) -> set[str]:
    """The top-level modules that are loaded after *statement*, in a process of its own."""
    script = f"{statement}\nimport sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        check=True,
        capture_output=True,
        text=True,
    )
    return {name.partition(".")[0] for name in json.loads(done.stdout)}


@pytest.mark.slow
def test_the_layers_hold() -> None:
    """Every contract of pyproject.toml is kept, and every module has its place."""
    tool = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "0 broken" in done.stdout


def test_the_fields_load_wtforms_alone() -> None:
    """A shop that wants the fields in its own form gets no web framework, database or client of X."""
    loaded = loaded_by("import regulars.ask.fields")
    assert "wtforms" in loaded
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    "module", ["values.handle", "values.contact", "values.messages", "values.wording"]
)
def test_the_words_load_no_web(module: str) -> None:
    """The vocabulary stands below everything."""
    assert loaded_by(f"import regulars.{module}") & (HEAVY | {"wtforms"}) == set()


def test_the_package_itself_loads_nothing() -> None:
    """Asking for the version loads no wing of the house."""
    assert loaded_by("import regulars") & (HEAVY | {"wtforms"}) == set()


def test_the_wire_loads_the_standard_library_alone() -> None:
    """A shop that receives events needs nothing that is not with Python."""
    new = loaded_by("import regulars_webhooks") - loaded_by("")
    assert new <= sys.stdlib_module_names | {"regulars_webhooks"}


def test_the_wire_lives_in_a_shops_own_tree() -> None:
    """The folder can be copied under any name: inside it nothing is imported by its own name."""
    source = Path(regulars_webhooks.__file__).parent
    for file in source.glob("*.py"):
        text = file.read_text("utf-8")
        assert "import regulars_webhooks" not in text, file.name
        assert "from regulars_webhooks" not in text, file.name


def test_the_use_cases_load_no_web() -> None:
    """Signing up needs neither a web framework's request nor X's client to be imported."""
    # flask-sqlalchemy brings flask along; what must not be there is what talks to people and X.
    loaded = loaded_by("import regulars.signup")
    assert loaded & {"tweepy", "wtforms", "granian"} == set()
