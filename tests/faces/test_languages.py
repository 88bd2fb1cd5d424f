"""The pages and errors in the visitor's language: chosen, asked for, or that of the signup."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from tests.faces.test_pages import Form
from tests.fakes import FakeLookup
from tests.shops import EMAIL, HANDLE, ShopUnderTest

from regulars.values.languages import LANGUAGES, NAMES

pytestmark = pytest.mark.sqlite_only("about words")

HEADING = {
    "en": "Stay in touch",
    "es": "Sigamos en contacto",
    "pt-BR": "Vamos manter contato",
    "fr": "Restons en contact",
    "de": "Bleiben wir in Kontakt",
    "ar": "لنبقَ على تواصل",
}


def open_page(shop: ShopUnderTest, lang: str = "", accept: str = "") -> Any:
    query = {"site": shop.site.publishable_key, **({"lang": lang} if lang else {})}
    headers = {"Accept-Language": accept} if accept else {}
    answer = shop.client.get("/signup", query_string=query, headers=headers)
    assert answer.status_code == 200
    return answer


def language_of_page(answer: Any) -> str:
    """The language that the page and its header both name."""
    found = re.search(r'<html lang="([^"]+)" dir="(ltr|rtl)">', answer.text)
    assert found is not None
    assert answer.headers["Content-Language"] == found[1]
    assert found[2] == ("rtl" if found[1] == "ar" else "ltr")
    assert "Accept-Language" in answer.headers["Vary"]
    return found[1]


def press(shop: ShopUnderTest, page: Any, accept: str = "", **typed: Any) -> Any:
    form = Form(page.text)
    headers = {"Accept-Language": accept} if accept else {}
    return shop.client.post(
        form.action, data={**form.hidden(), **typed}, headers=headers
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_is_chosen_by_its_link(shop: ShopUnderTest, language: str) -> None:
    """Each language has a link on the page, named in its own words; what it leads to is in that language."""
    first = open_page(shop)
    (path,) = re.findall(
        rf'<a href="(\?[^"]*)" lang="{language}" hreflang="{language}"[^>]*>'
        rf"{re.escape(NAMES[language])}</a>",
        first.text,
    )
    page = shop.client.get("/signup" + path.replace("&amp;", "&"))
    assert language_of_page(page) == language
    assert HEADING[language] in page.text
    assert Form(page.text).value("site") == shop.site.publishable_key


ASKED = {
    # what the browser sends → what it gets
    "": "en",
    "de": "de",
    "de-AT,en;q=0.5": "de",
    "pt-PT,pt;q=0.9": "pt-BR",
    "tlh,fr;q=0.2,es;q=0.1": "fr",
    "en;q=0.1,ar-SA;q=0.9": "ar",
    "es;q=0,de;q=0.1": "de",
    "es;q=0": "en",
    "*": "en",
    "tlh": "en",
    ";;q=,x": "en",
}


@pytest.mark.parametrize(("accept", "language"), ASKED.items())
def test_a_language_is_asked_for_by_the_browser(
    shop: ShopUnderTest, accept: str, language: str
) -> None:
    """The visitor's first language that we have, whatever country it is of."""
    assert language_of_page(open_page(shop, accept=accept)) == language


@pytest.mark.parametrize(
    ("lang", "language"), [("fr", "fr"), ("FR-ca", "fr"), ("tlh", "de"), ("", "de")]
)
def test_a_choice_goes_before_what_the_browser_asks(
    shop: ShopUnderTest, lang: str, language: str
) -> None:
    """`lang` wins where it names one of ours, and is no error where it does not."""
    assert language_of_page(open_page(shop, lang, "de")) == language


def test_the_shop_says_which_languages_there_are(
    open_under_test: Callable[..., ShopUnderTest],
) -> None:
    """A language that is not offered is neither linked nor to be had; the first is for everybody else."""
    shop = open_under_test(LANGUAGES="es,en")
    page = open_page(shop, "de", "fr")
    assert language_of_page(page) == "es"
    assert set(re.findall(r'hreflang="([^"]+)"', page.text)) == {"es", "en"}
    refused = shop.sign_up(contact_email="x", headers={"Accept-Language": "de"})
    assert "correo" in refused.json["errors"][0]["message"]
    alone = open_under_test(LANGUAGES="en")
    assert "hreflang" not in open_page(alone).text


def test_the_page_posts_its_language_and_its_own_wordings(shop: ShopUnderTest) -> None:
    """The record's locale is the page's; what was agreed to is the sentence in that language."""
    page = open_page(shop, "pt-BR")
    press(shop, page, x_handle=HANDLE)
    customer = shop.last_customer()
    assert customer["locale"] == "pt-BR"
    (consent,) = customer["consents"]
    assert consent["wording"]["key"] == "1.pt-BR"
    text = shop.house.wordings("pt-BR")["x_link"].text
    assert "verifica com o X" in text
    assert " ".join(text.split()) in Form(page.text).text


def test_errors_are_in_the_language_of_the_page(shop: ShopUnderTest) -> None:
    """A form that comes back speaks the language in which it was filled in."""
    again = press(
        shop, open_page(shop, "es"), accept="fr", x_handle="a b", contact_channel="sms"
    )
    assert again.status_code == 422
    assert language_of_page(again) == "es"
    text = Form(again.text).text
    assert "Un usuario de X no lleva espacios." in text
    assert "Para recibir noticias por teléfono" in text
    assert "hreflang" not in again.text  # another language would lose what was typed


def test_errors_of_the_api_are_in_the_language_of_the_request(
    shop: ShopUnderTest,
) -> None:
    """`code` is the same for all, `message` is for the person at the shop's page."""
    told = {
        language: shop.sign_up(
            x_handle="a b", headers={"Accept-Language": language}
        ).json["errors"][0]
        for language in LANGUAGES
    }
    assert {error["code"] for error in told.values()} == {"handle.has_spaces"}
    assert len({error["message"] for error in told.values()}) == len(LANGUAGES)


def test_the_thanks_speak_the_language_of_the_page(
    shop: ShopUnderTest, lookup: FakeLookup
) -> None:
    """The page after the form is in its language, whether chosen or asked for."""
    lookup.found(HANDLE, "42")
    for lang, accept in (("de", "fr"), ("", "de")):
        page = open_page(shop, lang, accept)
        taken = press(shop, page, accept, x_handle=HANDLE)
        after = shop.client.get(taken.location, headers={"Accept-Language": accept})
        assert language_of_page(after) == "de"
        assert f"@{HANDLE} gibt es auf X." in Form(after.text).text


def own_page(shop: ShopUnderTest, lang: str, **typed: Any) -> str:
    """The path of the own page of somebody who signed up in *lang*."""
    taken = press(shop, open_page(shop, lang), **typed)
    token = taken.location.rpartition("/")[2].partition("?")[0]
    return f"/p/{token}"


def test_the_own_page_opens_in_the_language_of_the_signup(
    shop: ShopUnderTest,
) -> None:
    """Who signed up in French reads French from the receipt, whatever browser opens it."""
    path = own_page(shop, "fr", contact_channel="email", contact_email=EMAIL)
    opened = shop.client.get(path, headers={"Accept-Language": "de"})
    assert language_of_page(opened) == "fr"
    text = Form(opened.text).text
    assert "Vos choix" in text
    assert "E-mail" in text
    assert re.search(r"le \d{1,2} \w+ 2026", text)
    chosen = shop.client.get(f"{path}?lang=ar", headers={"Accept-Language": "de"})
    assert language_of_page(chosen) == "ar"
    assert "2026" in Form(chosen.text).text
    pressed = shop.client.post(f"{path}?lang=ar")
    assert pressed.location == f"{path}?lang=ar"
    assert "تم إيقاف كل شيء" in shop.client.get(pressed.location).text


def test_a_signup_that_agreed_to_nothing_has_no_language(shop: ShopUnderTest) -> None:
    """Where no sentence was agreed to, the browser is asked."""
    path = own_page(shop, "fr", contact_email=EMAIL)
    opened = shop.client.get(path, headers={"Accept-Language": "de"})
    assert language_of_page(opened) == "de"


def test_a_language_that_is_no_longer_offered(
    open_under_test: Callable[..., ShopUnderTest],
) -> None:
    """A signup made in a language that the shop gave up opens in what the browser asks for."""
    shop = open_under_test(LANGUAGES="en,es")
    keys = {
        "contact_wording": shop.house.wordings("de")["contact_channel"].key,
        "contact_channel": "email",
        "contact_email": EMAIL,
    }
    url = shop.sign_up(**keys).json["preferences_url"]
    path = url.removeprefix("https://connect.tonys.example")
    opened = shop.client.get(path, headers={"Accept-Language": "es"})
    assert language_of_page(opened) == "es"


def test_what_is_not_confirmed_yet_says_so(shop: ShopUnderTest) -> None:
    """Offers that wait for proof of the address read neither yes nor no."""
    box = shop.house.wordings("en")["offers_email"].key
    path = own_page(
        shop,
        "en",
        contact_channel="email",
        contact_email=EMAIL,
        consent_offers_email=box,
    )
    text = Form(shop.client.get(path).text).text
    assert "Offers (E-mail) Waiting for your confirmation" in text
    assert "Important news (E-mail) Yes" in text
    shop.client.post(path)
    text = Form(shop.client.get(path).text).text
    assert "Offers (E-mail) No" in text


@pytest.mark.parametrize(
    ("path", "method", "words"),
    [
        ("/signup?site=none&lang=de", "GET", "Bitten Sie das Geschäft"),
        ("/signup/thanks/none?lang=de", "GET", "Hinter diesem Link ist nichts mehr."),
        ("/p/none?lang=de", "GET", "Hier ist nichts gespeichert"),
        ("/p/none?lang=de", "POST", "Hier ist nichts gespeichert"),
        ("/signup/nowhere?lang=de", "GET", "Unter dieser Adresse ist nichts."),
    ],
)
def test_pages_that_lead_nowhere_are_in_the_visitors_language(
    shop: ShopUnderTest, path: str, method: str, words: str
) -> None:
    """A dead end is readable too."""
    answer = shop.client.open(path, method=method)
    assert answer.status_code == 404
    assert language_of_page(answer) == "de"
    assert words in answer.text


def test_the_first_page_keeps_the_choice(shop: ShopUnderTest) -> None:
    """The bare address hands the chosen language on, and so does an empty form."""
    site = shop.site.publishable_key
    assert shop.client.get("/?lang=fr").location == f"/signup?site={site}&lang=fr"
    again = press(shop, open_page(shop, "fr"))
    assert again.location == f"/signup?site={site}&lang=fr"


def test_the_reason_is_translated_unless_it_is_the_shops_own(
    open_under_test: Callable[..., ShopUnderTest],
) -> None:
    """The sentence we ship is ours to translate; one of the shop's is shown as it is."""
    assert "Damit wir Sie so erreichen" in open_page(open_under_test(), "de").text
    own = open_under_test(INVITE_TEXT="For the day the oven breaks.")
    assert "For the day the oven breaks." in open_page(own, "de").text


@pytest.mark.parametrize(
    "query", ["_external=1", "_anchor=x", "_scheme=https", "_method=POST", "lang=%00"]
)
def test_the_language_links_are_made_of_what_we_know(
    shop: ShopUnderTest, query: str
) -> None:
    """Nothing that a visitor writes into the address comes out in a link."""
    site = shop.site.publishable_key
    page = shop.client.get(f"/signup?site={site}&{query}&evil=1")
    links = re.findall(r'<a href="([^"]*)" lang=', page.text)
    assert links == [f"?site={site}&amp;lang={language}" for language in LANGUAGES]
