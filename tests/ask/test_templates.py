"""The pages as a browser gets them: escaped, labelled, free of inline code, with honest words."""

import re
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from markupsafe import Markup
from werkzeug.datastructures import MultiDict

import regulars.ask
from regulars.ask.fields import Offer, SignupForm
from regulars.ask.links import link_urls
from regulars.values.contact import Channel
from regulars.values.verdict import Verdict
from regulars.values.wording import Wording, wording_ids

ASK = Path(regulars.ask.__file__).parent
XSS = "\"'><script>alert(1)</script>&{{7*7}}<img src=x onerror=alert(2)>"
CHANNELS = tuple(Channel)

environment = jinja2.Environment(
    loader=jinja2.FileSystemLoader(ASK / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)
environment.filters["link_urls"] = link_urls
# The English sentences stand in the templates themselves.
environment.add_extension("jinja2.ext.i18n")
environment.install_null_translations(newstyle=True)


class Page(HTMLParser):
    """The elements of one page, each as (tag, attributes), and its visible text."""

    def __init__(self, html):
        super().__init__()
        self.html = html
        self.elements = []
        self.text = ""
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def all(self, tag, **wanted):
        return [a for t, a in self.elements if t == tag and wanted.items() <= a.items()]


def render(template, **context):
    return Page(environment.get_template(f"regulars/{template}.html").render(**context))


def signup_page(data=None, *, channels=CHANNELS, word="Bar da Praia", **context):
    """The sign-up page; *data* is what was posted before, *word* stands in every string."""
    form = SignupForm(
        None if data is None else MultiDict(data),
        offer=Offer(channels=channels),
        is_known_wording=lambda wording_id, key: key == "3.en",
        may_send_external_id=False,
    )
    if data is not None:
        form.validate()
    texts = {
        name: Wording(name, "3.en", "en", f"{word}: text of {name}.")
        for name in wording_ids(channels)
    }
    defaults = {
        "shop_name": word,
        "shop_x_username": word,
        "privacy_url": "https://praia.example/privacy",
        "invite_text": word,
        "site": word,
        "form": form,
        "problems": form.problems(),
        "wordings": texts,
        "channels": list(channels),
        "language": "en",
        "direction": "ltr",
        "idempotency_key": word,
        "css_url": "/static/page.css",
        "js_url": "/static/signup.js",
        "action_url": "/signup",
    }
    return render("signup", **(defaults | context))


def thanks_page(word="Bar da Praia", **context):
    defaults = {
        "shop_name": word,
        "preferences_url": "https://r.example/p/t",
        "shop_x_username": "BarDaPraia",
        "show_follow": False,
        "verdict": None,
        "handle": None,
    }
    return render("thanks", **(defaults | context))


def preferences_page(word="Bar da Praia", **context):
    defaults = {
        "shop_name": word,
        "privacy_url": None,
        "state": "active",
        "given_at": word,
        "points": [(word, word)],
        "channels": [word],
        "purposes": [(word, "on"), (word, "waiting"), (word, "off")],
        "action_url": "/p/t",
        "css_url": "/static/page.css",
    }
    return render("preferences", **(defaults | context))


WRONG = {
    "x_handle": "a b",
    "contact_channel": ["sms", "pigeon"],
    "contact_email": "x",
    "contact_facebook": "a b",
    "given_name": "\x00",
    "surface": "?",
    "consent_x_link": "0.xx",
    "contact_wording": "0.xx",
    "consent_offers_email": "0.xx",
}
PAGES = {
    "signup": lambda word: signup_page(word=word),
    "signup with problems": lambda word: signup_page(
        dict.fromkeys(
            ("x_handle", "contact_email", "given_name", "contact_channel"), word
        )
        | {"locale": word},
        word=word,
    ),
    "signup all wrong": lambda word: signup_page(WRONG, word=word),
    "thanks": lambda word: thanks_page(
        word,
        verdict=Verdict.NOT_FOUND,
        handle=word,
        shop_x_username=word,
        show_follow=True,
    ),
    "preferences": lambda word: preferences_page(word),
    "preferences stopped": lambda word: preferences_page(word, state="stopped"),
    "preferences gone": lambda word: preferences_page(word, state="gone"),
    "gone": lambda word: render("gone", title=word, text=word),
}
every_page = pytest.mark.parametrize("page_of", PAGES.values(), ids=PAGES)


@every_page
def test_no_string_becomes_markup(page_of):
    """Whatever a shop or a customer writes is text."""
    page = page_of(XSS)
    assert page.all("img") == []
    assert all(s.get("src") == "/static/signup.js" for s in page.all("script"))
    assert "49" not in page.text


@every_page
def test_pages_fit_a_strict_policy(page_of):
    """No inline style, script or handler, and nothing from another host."""
    page = page_of("Praia")
    for tag, attributes in page.elements:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        if tag in {"link", "script", "img"}:
            assert (attributes.get("href") or attributes["src"]).startswith(
                ("/static/", "data:")
            )
    assert page.html.count("<script") == len(page.all("script"))


@every_page
def test_ids_are_unique_and_references_lead_somewhere(page_of):
    """Each label, description and inner link has its target on the page."""
    page = page_of("Praia")
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    wanted = set()
    for _, attributes in page.elements:
        wanted.update(attributes.get("aria-describedby", "").split())
        wanted.update(attributes.get("aria-labelledby", "").split())
        wanted.update({attributes["for"]} if "for" in attributes else ())
        if attributes.get("href", "").startswith("#"):
            wanted.add(attributes["href"][1:])
    assert wanted <= set(ids)


@every_page
def test_every_input_has_a_label_and_no_placeholder(page_of):
    """A placeholder is no label."""
    page = page_of("Praia")
    labelled = {a["for"] for a in page.all("label")}
    for attributes in page.all("input"):
        assert attributes.get("type") == "hidden" or attributes["id"] in labelled
        assert "placeholder" not in attributes


@every_page
def test_pages_name_their_language_and_one_heading(page_of):
    """Screen readers need both."""
    page = page_of("Praia")
    assert page.all("html") == [{"lang": "en", "dir": "ltr"}]
    assert len(page.all("h1")) == 1
    assert len(page.all("main")) == 1


def test_signup_posts_the_contract_and_nothing_else():
    """The names are those of the form; each address is there once."""
    names = [a["name"] for a in signup_page().all("input")]
    assert {n for n in names if names.count(n) > 1} == {"contact_channel"}
    offers = {f"consent_offers_{c.value}" for c in CHANNELS}
    assert set(names) == offers | {
        "site", "idempotency_key", "x_handle", "consent_x_link", "consent_conversation_x", "contact_channel",
        "contact_wording", "contact_email", "contact_phone", "contact_facebook", "given_name", "locale", "leave_empty",
    }  # fmt: skip


def test_nothing_is_chosen_or_required_beforehand():
    """No radio, no box: silence is no consent; and no hidden field may hold the form back."""
    page = signup_page()
    assert not [a for a in page.all("input") if "checked" in a or "required" in a]
    assert "novalidate" in page.all("form")[0]


def test_channels_stand_in_the_order_offered_and_declining_is_last():
    """The shop's order is kept; "don't" posts an empty value."""
    page = signup_page(channels=(Channel.SMS, Channel.X))
    assert [a["value"] for a in page.all("input", type="radio")] == ["sms", "x", ""]
    assert not page.all("input", name="contact_email")
    assert not page.all("input", name="consent_offers_email")


def test_fields_carry_the_tokens_that_autofill_reads():
    """A handle is a nickname, never the shop login; phones must not correct it."""
    page = signup_page()
    tokens = {
        a["name"]: a["autocomplete"] for a in page.all("input") if "autocomplete" in a
    }
    assert tokens == {
        "x_handle": "nickname",
        "contact_email": "email",
        "contact_phone": "tel",
        "contact_facebook": "off",
        "given_name": "given-name",
        "leave_empty": "off",
    }
    handle = page.all("input", name="x_handle")[0]
    assert (handle["autocapitalize"], handle["spellcheck"], handle["maxlength"]) == (
        "none",
        "false",
        "60",
    )


def test_wordings_stand_verbatim_beside_what_posts_their_key():
    """What a consent row proves is what was read."""
    texts = {
        name: Wording(
            name, f"7.{name}", "en", f"A & B <{name}> https://p.example/x?a=1&b=2."
        )
        for name in wording_ids(CHANNELS)
    }
    page = signup_page(wordings=texts)
    for name, wording in texts.items():
        assert wording.text in page.text
        field = name if name == "contact_wording" else f"consent_{name}"
        field = "contact_wording" if name == "contact_channel" else field
        assert page.all("input", name=field)[0]["value"] == wording.key
    described = page.all("input", name="x_handle")[0]["aria-describedby"]
    assert "x_handle-statement" in described.split()


def test_what_was_sent_comes_back_with_its_problem_beside_it():
    """The summary links to the field; the field says it is wrong and why."""
    page = signup_page(
        {
            "x_handle": "@a b",
            "contact_channel": "sms",
            "consent_offers_sms": "3.en",
            "given_name": "Ana",
        }
    )
    assert page.all("title")
    assert page.html.count("<title>Error: ") == 1
    assert [a["href"] for a in page.all("a") if a["href"].startswith("#")][:2] == [
        "#x_handle",
        "#contact_phone",
    ]
    handle = page.all("input", name="x_handle")[0]
    assert (handle["value"], handle["aria-invalid"]) == ("a b", "true")
    assert "x_handle-error" in handle["aria-describedby"].split()
    phone = page.all("input", name="contact_phone")[0]
    assert phone["aria-describedby"] == "contact_phone-hint contact_phone-error"
    assert "checked" in page.all("input", type="radio", value="sms")[0]
    assert "checked" in page.all("input", name="consent_offers_sms")[0]
    assert page.all("input", name="given_name")[0]["value"] == "Ana"


def test_declining_comes_back_as_declining():
    """An empty value that was chosen is a choice."""
    page = signup_page({"contact_channel": "", "x_handle": "a b"})
    assert "checked" in page.all("input", type="radio", value="")[0]


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        (Verdict.FOUND, "@AnaLima exists on X."),
        (Verdict.NOT_FOUND, "We could not find @AnaLima on X: check the spelling."),
        (Verdict.SUSPENDED, "We could not use that account"),
        (Verdict.PENDING, "We will check @AnaLima a little later."),
        (Verdict.UNCHECKED, None),
        (None, None),
    ],
)
def test_thanks_says_what_x_said_and_no_more(verdict, words):
    """The account exists; that it is the guest's, nobody has shown."""
    page = thanks_page(verdict=verdict, handle="AnaLima")
    assert ("AnaLima" in page.text) is (words is not None)
    assert words is None or words in page.text
    assert "yours" not in page.text


def test_follow_link_is_shown_only_where_asked_for():
    """A plain link, for those who chose X."""
    link = "https://x.com/intent/follow?screen_name=BarDaPraia"
    assert not thanks_page().all("a", href=link)
    assert thanks_page(show_follow=True).all("a", href=link)
    assert not [
        a
        for a in thanks_page(show_follow=True, shop_x_username=None).all("a")
        if "x.com" in a["href"]
    ]


@pytest.mark.parametrize(
    ("state", "forms"), [("active", 1), ("stopped", 0), ("gone", 0)]
)
def test_preferences_change_only_by_a_post(state, forms):
    """Looking stops nothing; once stopped there is nothing left to press."""
    page = preferences_page(state=state)
    assert page.all("form") == [{"method": "post", "action": "/p/t"}] * forms
    assert ("Stop everything" in page.text) is bool(forms)


def test_a_link_that_leads_nowhere_shows_nothing():
    """A dead link keeps no memory of whom it belonged to."""
    assert (
        "Ana" not in preferences_page(state="gone", points=[("X handle", "Ana")]).text
    )


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("Privacy: https://p.example/a?b=1&c=2.", "https://p.example/a?b=1&c=2"),
        ("(see HTTP://p.example/)", "HTTP://p.example/"),
        ("no link", None),
        ("javascript:alert(1)", None),
        ("https://", None),
        ('https://p.example/"onmouseover="x', "https://p.example/"),
        ("<b>https://p.example</b>", "https://p.example"),
        ("https://p.example/<script>alert(1)</script>", "https://p.example/"),
        ("two https://a.example, https://b.example!", "https://a.example"),
    ],
)
def test_link_urls_keeps_the_words_and_escapes_them(text, href):
    """Addresses become links; the visible text stays the same to the letter."""
    linked = link_urls(text)
    page = Page(str(linked))
    assert linked.striptags() == text if "<" not in text else page.text == text
    assert [a["href"] for a in page.all("a")][:1] == ([href] if href else [])
    assert {tag for tag, _ in page.elements} <= {"a"}
    assert not [name for _, a in page.elements for name in a if name.startswith("on")]


def test_link_urls_escapes_markup_too():
    """A text from the database is never trusted for having been marked safe."""
    assert link_urls(Markup("<i>")) == Markup("&lt;i&gt;")


def test_static_files_name_no_other_host():
    """The pages work where only this host answers."""
    for path in (ASK / "static").iterdir():
        assert not re.search(r"https?://|@import|url\(", path.read_text("utf-8")), (
            path.name
        )
