"""The fields in a form of the shop's own, drawn from the same master as the snippet."""

import json
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict
from wtforms import Form

from regulars.ask.asking import ask
from regulars.ask.fields import Offer, RegularsFields
from regulars.ask.markup import (
    Said,
    channels_markup,
    handle_markup,
    site_field,
)
from regulars.ask.questions import Questions, Sentence
from regulars.values.contact import Channel


def questions(language: str = "en", *channels: Channel) -> Questions:
    return ask(
        "pk_1",
        language,
        endpoint="https://connect.tonys.example/v1/check",
        invite="Why",
        channels=channels or tuple(Channel),
        sentences=lambda name: Sentence(f"7.{language}", f"<{name}> & more"),
    )


class Checkout(RegularsFields, Form):
    """A shop's own form."""

    regulars_questions = questions()
    regulars_offer = Offer(channels=questions().offered)


def drawn(form: Any) -> str:
    return form.regulars_site() + form.regulars_handle() + form.regulars_channels()


def test_json_there_and_back() -> None:
    """What is printed as JSON is read back as it was, in every part."""
    for language in ("en", "ar"):
        asked = questions(language)
        assert Questions.from_json(json.loads(json.dumps(asked.as_json()))) == asked
    assert questions("en", Channel.SMS, Channel.X).offered == (Channel.SMS, Channel.X)


@pytest.mark.parametrize(
    "told",
    [
        {},
        [],
        None,
        {"site": "pk"},
        {**questions().as_json(), "handle": None},
        {**questions().as_json(), "channels": {"legend": "x"}},
        {**questions().as_json(), "texts": []},
    ],
)
def test_another_json_is_refused_by_name(told: Any) -> None:
    """Whatever is no such JSON is one error, which says where the right one comes from."""
    with pytest.raises(ValueError, match="site snippet NAME --json"):
        Questions.from_json(told)


def test_an_empty_form_is_the_snippet() -> None:
    """Nothing typed and nothing wrong: the very markup of the snippet."""
    asked = questions()
    snippet = site_field(asked) + handle_markup(asked) + channels_markup(asked)
    assert drawn(Checkout()) == snippet


def test_a_form_without_questions_says_what_to_do() -> None:
    """The sentences to agree to come from the service: without them nothing is drawn."""

    class Bare(RegularsFields, Form):
        """Without questions."""

    with pytest.raises(ValueError, match="regulars_questions"):
        Bare().regulars_handle()


def test_what_was_typed_is_there_again_with_what_was_wrong() -> None:
    """Values, choice and ticks come back, and each problem is tied to its field."""
    sent = {
        "x_handle": '"><b>a b',
        "contact_channel": "email",
        "contact_email": "nowhere",
        "consent_offers_email": "7.en",
        "consent_conversation_x": "7.en",
    }
    form = Checkout(MultiDict(sent))
    assert not form.validate()
    page = drawn(form)
    assert 'value="&#34;&gt;&lt;b&gt;a b"' in page
    assert '<p data-part="error" id="x_handle-error">' in page
    assert 'aria-describedby="x_handle-statement x_handle-status x_handle-error" aria-invalid="true"' in page  # fmt: skip
    assert 'maxlength="254" aria-describedby="contact_email-error" aria-invalid="true" value="nowhere"' in page  # fmt: skip
    assert 'name="contact_channel" value="email" checked>' in page
    assert 'name="consent_offers_email" value="7.en" checked>' in page
    assert 'name="consent_conversation_x" value="7.en" checked>' in page
    assert page.count(" checked") == 3


def test_no_contact_is_an_answer_too() -> None:
    """Who declined sees that again; who said nothing sees nothing chosen."""
    declined = Checkout(MultiDict({"contact_channel": ""}))
    assert 'value="" checked' in declined.regulars_channels()
    assert " checked" not in Checkout(MultiDict({"x": "y"})).regulars_channels()


def test_a_wrong_channel_is_told_at_the_question() -> None:
    """The fieldset is described by its problem."""
    form = Checkout(MultiDict({"contact_channel": "fax"}))
    form.validate()
    page = form.regulars_channels()
    assert 'aria-describedby="contact_wording-text contact_channel-error"' in page
    assert 'data-part="error" id="contact_channel-error"' in page


def test_several_may_be_chosen() -> None:
    """With `is_multiple` the radios are boxes, and to choose none is how to decline."""
    page = Checkout().regulars_channels(is_multiple=True)
    assert page.startswith("<regulars-channels multiple ")
    assert 'type="radio"' not in page
    assert page.count('name="contact_channel"') == len(Channel)


def test_two_on_a_page() -> None:
    """A prefix keeps ids apart and leaves the names, which are what is posted."""
    asked = questions()
    page = handle_markup(asked, prefix="b_") + channels_markup(
        asked, Said(), prefix="b_"
    )
    assert 'for="b_x_handle"' in page
    assert 'id="b_x_handle" name="x_handle"' in page
    assert 'aria-describedby="b_x_handle-statement b_x_handle-status"' in page
    assert 'id="b_contact_email" name="contact_email"' in page
    assert ' id="x_handle' not in page
    assert 'for="contact' not in page


def test_one_number_for_all_who_share_it() -> None:
    """The address stands after the last way that needs it, whatever stands between."""
    asked = questions("en", Channel.SMS, Channel.EMAIL, Channel.WHATSAPP)
    page = channels_markup(asked)
    assert page.count('name="contact_phone"') == 1
    order = [page.index(it) for it in ('value="sms"', 'value="email"', "contact_email", 'value="whatsapp"', "contact_phone", 'value=""')]  # fmt: skip
    assert order == sorted(order)


def test_wordings_are_text() -> None:
    """A sentence is shown to the letter, and is never markup."""
    page = drawn(Checkout())
    assert "&lt;x_link&gt; &amp; more" in page
    assert "<x_link>" not in page
