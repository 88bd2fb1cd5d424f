"""The outbox of a database that was put back: whoever held a lease then is gone by now."""

from sqlalchemy import Connection

from regulars.keep.db import database_now
from regulars.tell.deliveries import DeliveryState, delivery_table


def put_back_undelivered(connection: Connection) -> int:
    """How many deliveries are due at once: all that waited or that somebody had taken up.

    Some may have arrived after the copy was made: the same id tells receivers so.
    """
    result = connection.execute(
        delivery_table.update()
        .where(delivery_table.c.next_at.is_not(None))
        .values(
            state=DeliveryState.PENDING.value,
            step=0,
            next_at=database_now(),
            lease_token=None,
        )
    )
    return result.rowcount
