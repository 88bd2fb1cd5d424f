"""The fields in a Flask app that is not ours: ``regulars[fields]`` alone, from the wheel."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.shops_examples.fresh import ROOT, UV, need_package_index, run

from regulars.ask.asking import ask
from regulars.ask.questions import Sentence
from regulars.ask.widget.files import FOLDER, integrity, newest_version
from regulars.values.contact import Channel

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

# A shop of 2026 that knows WTForms and Flask and has its own checkout.
FOREIGN_APP = '''
import json

from flask import Flask, request
from wtforms import Form, StringField
from wtforms.validators import InputRequired

from regulars.ask.fields import RegularsFields
from regulars.ask.questions import Questions


class Checkout(RegularsFields, Form):
    """The shop's own form, with the fields in it."""

    regulars_questions = Questions.from_json(json.load(open("fields.json", encoding="utf-8")))
    name = StringField(validators=[InputRequired()])


app = Flask(__name__)


@app.post("/checkout")
def checkout():
    """Buy."""
    form = Checkout(request.form)
    valid = form.validate()
    errors = {name: [[getattr(e, "code", None), e] for e in found] for name, found in form.errors.items()}
    chosen = [channel.value for channel in form.contact_channel.chosen]
    handle = form.x_handle.address.value if form.x_handle.address else None
    return {"valid": valid, "errors": errors, "chosen": chosen, "handle": handle,
            "drawn": form.regulars_handle() + form.regulars_channels()}
'''
BUY = """
import json, sys
from shop import app
answer = app.test_client().post("/checkout", data=json.loads(sys.argv[1]))
print(json.dumps(answer.json))
"""
SERVED = """
import json, sys
import regulars
from regulars.app import open_shop
from regulars.settings import load_settings

assert regulars.__file__.startswith(sys.argv[1]), regulars.__file__
client = open_shop(load_settings({"REGULARS_DATA_DIR": sys.argv[1]})).app.test_client()
hashes = client.get("/w/integrity.json").json
sizes = {f"/w/{v}/{n}": len(client.get(f"/w/{v}/{n}").data) for v in hashes for n in hashes[v]}
print(json.dumps([hashes, sizes]))
"""
ALONE = """
import json, sys
import regulars.ask.fields
loaded = {name.partition(".")[0] for name in sys.modules}
print(json.dumps(sorted(loaded - sys.stdlib_module_names - {"__main__"})))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the sources without leaving anything in them."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    names = ["pyproject.toml", "README.md", "LICENSE", "plugin", "webhooks"]
    source.mkdir()
    subprocess.run(
        ["cp", "-r", *(str(ROOT / name) for name in names), source], check=True
    )
    built = run(
        sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index",
        "--no-build-isolation", "--wheel-dir", folder, source,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def fresh(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds ``regulars[fields]`` and nothing else."""
    folder = tmp_path_factory.mktemp("fresh")
    need_package_index(folder)
    made = run(sys.executable, "-m", "venv", "--without-pip", folder / "venv")
    assert made.returncode == 0, made.stderr
    python = folder / "venv" / "bin" / "python"
    install(python, f"regulars[fields] @ {wheel.as_uri()}")
    return python


def install(python: Path, requirement: str, *options: str | Path) -> None:
    """Install what the lock has of *requirement*, each file held against its hashes."""
    done = run(
        UV, "pip", "install", "--quiet", "--python", python, "--verify-hashes",
        "--constraint", ROOT / "requirements.txt", *options, requirement,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_wheel_is_whole(wheel: Path) -> None:
    """Templates, styles, migrations and schemas are in it; tests and examples are not."""
    names = zipfile.ZipFile(wheel).namelist()
    for part in (
        "regulars/ask/templates/regulars/signup.html",
        "regulars/ask/static/page.css",
        "regulars/ask/widget/integrity.json",
        f"regulars/ask/widget/{newest_version()}/fields.js",
        f"regulars/ask/widget/{newest_version()}/fields.css",
        "regulars/keep/migrations/versions/0001_first_tables.py",
        "regulars/keep/migrations/alembic.ini",
        "regulars/py.typed",
        "regulars_webhooks/py.typed",
        "regulars_webhooks/order_link.py",
        "regulars_webhooks/schemas/customer.created.json",
    ):
        assert part in names
    files = {name for name in names if name.startswith("regulars/ask/widget/")}
    assert [name for name in files if not name.endswith((".py", ".js", ".css", ".json"))] == []  # fmt: skip
    tops = {name.partition("/")[0].partition("-")[0] for name in names}
    assert tops == {"regulars", "regulars_webhooks"}


def test_the_widget_is_served_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    """Installed, the service has every file of every version, byte for byte."""
    zipfile.ZipFile(wheel).extractall(tmp_path)
    command = [sys.executable, "-W", "error", "-c", SERVED, tmp_path]
    done = run(*command, cwd=tmp_path, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr
    hashes, sizes = json.loads(done.stdout)
    assert hashes == integrity()
    assert sizes == {
        f"/w/{version}/{name}": (FOLDER / version / name).stat().st_size
        for version, names in integrity().items()
        for name in names
    }


def test_what_the_fields_bring_along(fresh: Path) -> None:
    """They import WTForms and the two parsers: no Flask, no SQLAlchemy, no client of X."""
    done = run(fresh, "-c", ALONE)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert {"regulars", "wtforms", "markupsafe"} <= loaded
    assert loaded <= {
        "regulars", "wtforms", "markupsafe", "email_validator", "dns", "idna", "phonenumbers",
    }  # fmt: skip
    listed = run(UV, "pip", "list", "--quiet", "--python", fresh, "--format", "json")
    held = {row["name"] for row in json.loads(listed.stdout)}
    assert held == {
        "regulars", "wtforms", "markupsafe", "email-validator", "dnspython", "idna", "phonenumbers",
    }  # fmt: skip


def test_a_checkout_that_is_not_ours(fresh: Path, tmp_path: Path) -> None:
    """In a Flask of the shop's own the mixin draws, reads and refuses as the service does."""
    # The shop has Flask of its own, beside what the fields brought.
    own = tmp_path / "own"
    install(fresh, "flask", "--target", own)
    (tmp_path / "shop.py").write_text(FOREIGN_APP, "utf-8")
    asked = ask(
        "pk_1",
        "en",
        endpoint="https://connect.tonys.example/v1/check",
        invite="",
        channels=(Channel.X, Channel.SMS, Channel.EMAIL),
        sentences=lambda name: Sentence("1.en", name),
    )
    (tmp_path / "fields.json").write_text(json.dumps(asked.as_json()), "utf-8")

    def buy(**typed: Any) -> Any:
        command = [fresh, "-W", "error", "-c", BUY, json.dumps(typed)]
        done = run(*command, cwd=tmp_path, PYTHONPATH=str(own))
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    good = buy(
        name="Ana",
        x_handle="https://x.com/AnaLima?s=20",
        contact_channel=["sms", "x"],
        contact_phone="(212) 456-7890",
    )
    assert (good["valid"], good["errors"]) == (True, {})
    assert (good["handle"], good["chosen"]) == ("AnaLima", ["sms", "x"])
    assert '<regulars-handle site="pk_1"' in good["drawn"]
    assert 'value="https://x.com/AnaLima?s=20"' in good["drawn"]
    assert 'value="sms" checked' in good["drawn"]
    bad = buy(name="", x_handle="ana@example.com", contact_channel="email")
    assert bad["valid"] is False
    assert {"name", "x_handle", "contact_email"} == set(bad["errors"])
    assert bad["errors"]["contact_email"][0][0] == "contact_email.required"
