"""The files as they are shipped: their size, their types, their languages."""

import gzip
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import need
from tests.widget.conftest import Visit
from tests.widget.pages import SCRIPT, STYLE, WIDGET

from regulars.values.languages import LANGUAGES, SOURCE_LANGUAGE
from regulars.values.widget import widget_texts

HERE = Path(__file__).parent
TSC = HERE / "node_modules/typescript/bin/tsc"
OTHERS = [it for it in LANGUAGES if it != SOURCE_LANGUAGE]


def compressed(file: Path) -> int:
    return len(gzip.compress(file.read_bytes(), 9))


def test_sizes_keep_to_the_budget() -> None:
    """What a page loads, gzipped: the script under 5 kB, the sheet 1.2 kB, a language 0.6 kB."""
    assert compressed(SCRIPT) < 5000
    assert compressed(STYLE) <= 1200
    assert {it: compressed(WIDGET / f"fields.{it}.js") > 600 for it in OTHERS} == (
        dict.fromkeys(OTHERS, False)
    )


def test_types_hold() -> None:
    """`tsc --checkJs --strict` has nothing to say of any script."""
    need(shutil.which("node") is not None, "node")
    need(TSC.exists(), "the packages of tests/widget (npm ci --prefix tests/widget)")
    options = "--noEmit --allowJs --checkJs --strict --target es2022 --module esnext --moduleDetection force --lib es2022,dom,dom.iterable"
    files = sorted(str(it) for it in WIDGET.glob("*.js"))
    done = subprocess.run(
        ["node", str(TSC), *options.split(), *files],
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )
    assert done.stdout + done.stderr == ""


@pytest.mark.browser
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("order", ["before", "after"])
def test_language_files_say_what_the_catalogue_says(
    visit: Visit, language: str, order: str
) -> None:
    """Loaded before or after the script, each file brings the catalogue's own sentences."""
    url = f"{visit.service.url}/w/1.0.0/fields.{language}.js"
    texts = f'<script type="module" src="{url}"></script>'
    if language == SOURCE_LANGUAGE:
        texts = ""
    pair = [texts, visit.script]
    head = "".join(pair if order == "before" else reversed(pair))
    page = visit.show(visit.handle(), head=head, language=language)
    page.wait_for_selector("regulars-handle:defined")
    page.wait_for_load_state("networkidle")
    main = language.partition("-")[0]
    told = page.evaluate(f"customElements.get('regulars-handle').texts['{main}']")
    assert told == dict(widget_texts(language))


@pytest.mark.browser
def test_nearest_language_is_spoken(visit: Visit) -> None:
    """The markup's own `lang` decides, by its language alone: es-MX has the words of es."""
    text = visit.handle().replace('lang="en"', 'lang="es-MX"', 1)
    url = f"{visit.service.url}/w/1.0.0/fields.es.js"
    page = visit.show(
        text, head=f'{visit.script}<script type="module" src="{url}"></script>'
    )
    page.locator("#x_handle").fill("AnaLima")
    page.locator("#x_handle").blur()
    visit.verdict("found")
    wanted = widget_texts("es")["found"].replace("{handle}", "AnaLima")
    assert page.locator("[role=status]").inner_text() == wanted
