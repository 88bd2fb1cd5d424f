"""The wire between Regulars and a shop's own system: Standard Webhooks, exactly.

A shop that receives needs ``Receiver`` (or ``verify`` alone) and the standard
library. Only ``transport`` (requests) and ``flask`` (flask) need more, and
nothing here imports them.
"""

from .errors import AddressRefused, MalformedSecret, VerificationError, WebhookError
from .events import API_VERSION, EVENT_TYPES, Event, parse_event, schema
from .receiver import MemorySeenIds, Received, Receiver, SeenIds
from .signing import generate_secret, sign, verify

__all__ = [
    "API_VERSION",
    "EVENT_TYPES",
    "AddressRefused",
    "Event",
    "MalformedSecret",
    "MemorySeenIds",
    "Received",
    "Receiver",
    "SeenIds",
    "VerificationError",
    "WebhookError",
    "generate_secret",
    "parse_event",
    "schema",
    "sign",
    "verify",
]
