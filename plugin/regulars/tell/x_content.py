"""What X said goes: from the record, from every stored body, from what receivers answered.

X wants its content to follow X: an account that was suspended, deleted or protected, an
access that ended, a person who asks. What the customer typed is theirs and stays.
https://docs.x.com/developer-terms/policy ("Content compliance")
"""

from collections.abc import Iterable

from sqlalchemy import Connection

from regulars.keep.contact_points import (
    ContactRow,
    contact_points_of,
    drop_profile,
)
from regulars.keep.in_step import forget_accounts, label_as_typed
from regulars.tell.deliveries import blank_answers_of_receivers
from regulars.tell.events import rewrite_unlinked, rewrite_without_profile
from regulars.values.contact import Kind


def x_accounts_of(connection: Connection, customer_id: str) -> list[ContactRow]:
    """The customer's X accounts, oldest first."""
    points = contact_points_of(connection, customer_id)
    return [point for point in points if point.kind == Kind.X_ACCOUNT.value]


def drop_x_content(connection: Connection, customer_id: str) -> bool:
    """Whether anything of X's was held: profiles, X's spelling, handles of before.

    Numeric ids and verdicts stay.
    """
    points = x_accounts_of(connection, customer_id)
    return any([drop_content_of(connection, point) for point in points])


def drop_content_of(connection: Connection, point: ContactRow) -> bool:
    """As ``drop_x_content``, of one account of the customer."""
    is_shown = drop_profile(connection, point.id)
    is_relabelled = label_as_typed(connection, point)
    held = is_shown or is_relabelled
    if held:
        _withdraw_from_bodies(connection, point.customer_id)
    return held


def _withdraw_from_bodies(connection: Connection, customer_id: str) -> None:
    """Take what X said out of what was and will be sent, and out of what came back."""
    rewrite_without_profile(connection, customer_id)
    # Some receivers repeat what they were sent.
    blank_answers_of_receivers(connection, customer_id)


def forget_x_account(connection: Connection, customer_id: str) -> bool:
    """Whether there was anything to forget: X's content, and numeric id and verdict too."""
    held = drop_x_content(connection, customer_id)
    held = forget_accounts(connection, customer_id) or held
    if held:
        rewrite_unlinked(connection, customer_id)
        blank_answers_of_receivers(connection, customer_id)
    return held


def accounts_in(points: Iterable[ContactRow]) -> tuple[list[str], list[str]]:
    """The handles, typed and of now, and the numeric ids of the X accounts among *points*."""
    rows = [point for point in points if point.kind == Kind.X_ACCOUNT.value]
    handles = {text.lower() for row in rows for text in (row.value, row.normalized)}
    ids = {row.platform_user_id for row in rows if row.platform_user_id}
    return sorted(handles), sorted(ids)
