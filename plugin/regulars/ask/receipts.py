"""The receipt between a check and the signup after it: given with a verdict, taken back with a form."""

import logging
from datetime import datetime

from regulars.check.errand import asked_at_of
from regulars.check.lookup import Answer, Found, NotFound, Suspended, verdict_of
from regulars.keep.sites import Site
from regulars.values.answer import Answer as Form
from regulars.values.contact import Kind
from regulars.values.handle import Handle
from regulars.values.verdict import Verdict
from regulars_webhooks.errors import ReceiptRefused
from regulars_webhooks.receipt import VERDICTS, Receipt, issue, verify

log = logging.getLogger(__name__)


def give_receipt(
    site: Site | None, handle: Handle, said: Answer, now: datetime
) -> str | None:
    """The token for what X *said* of *handle*; None where it said nothing, or for no site."""
    verdict = verdict_of(said).value
    if site is None or verdict not in VERDICTS:
        return None
    return issue(
        handle.text,
        verdict,
        id=said.user_id if isinstance(said, Found) else None,
        site=site.id,
        secret=site.receipt_secret,
        now=now,
        # What X was asked a week ago is no younger for being told again.
        asked=asked_at_of(said),
    )


def read_receipt(site: Site | None, form: Form, now: datetime) -> Answer | None:
    """What X said of the handle in *form*, by a receipt that *site* gave for it lately.

    None where there is no receipt that is to be believed.
    """
    address = form.address(Kind.X_ACCOUNT)
    if site is None or address is None or not form.receipt:
        return None
    try:
        receipt = verify(form.receipt, site.receipt_secret, now=now)
    except ReceiptRefused as refused:
        # The person came to leave an address: what is wrong with the receipt is not theirs.
        log.debug("receipt refused", extra={"code": refused.code.value})
        return None
    is_for_it = Handle(receipt.handle).key == Handle(address.value).key
    return _said(receipt) if is_for_it and receipt.site == site.id else None


def _said(receipt: Receipt) -> Answer | None:
    match Verdict(receipt.verdict), receipt.id:
        case Verdict.FOUND, str(user_id):
            return Found(user_id, receipt.handle, None, asked_at=receipt.asked)
        case Verdict.NOT_FOUND, None:
            return NotFound(asked_at=receipt.asked)
        case Verdict.SUSPENDED, None:
            return Suspended(asked_at=receipt.asked)
    return None
