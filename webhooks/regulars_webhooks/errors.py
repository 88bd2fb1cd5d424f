"""What can be wrong with an event, a secret or an address, as stable codes.

Raised by the other modules of this package, caught by a receiver's web framework
and by the sender. The codes may be stored, logged and compared; the sentences may
change.
"""

from enum import StrEnum


class WebhookError(Exception):
    """The parent of each error that this package raises on purpose."""


class VerificationError(WebhookError):
    """A request that must not be believed; ``code`` says why."""

    class Code(StrEnum):
        """Why a request was refused."""

        MISSING_HEADER = "missing_header"
        MALFORMED_HEADER = "malformed_header"
        MALFORMED_TIMESTAMP = "malformed_timestamp"
        TOO_OLD = "too_old"
        TOO_NEW = "too_new"
        NO_MATCH = "no_match"
        NO_SECRET = "no_secret"  # noqa: S105 - a code, no password
        MALFORMED_BODY = "malformed_body"
        ID_MISMATCH = "id_mismatch"

    def __init__(self, code: Code, detail: str = "") -> None:
        """Keep *code*; *detail* is a sentence for a developer and quotes nothing secret."""
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code = code
        self.detail = detail


class AddressRefused(WebhookError):
    """An address that no request may go to; ``code`` says why."""

    class Code(StrEnum):
        """Why an address was refused."""

        MALFORMED_URL = "malformed_url"
        SCHEME = "scheme"
        USERINFO = "userinfo"
        FRAGMENT = "fragment"
        NO_HOST = "no_host"
        MALFORMED_HOST = "malformed_host"
        PORT = "port"
        PRIVATE_ADDRESS = "private_address"

    def __init__(self, code: Code, detail: str = "") -> None:
        """Keep *code*; *detail* is a sentence for the operator."""
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code = code
        self.detail = detail


class OrderLinkRefused(WebhookError):
    """An order in a link that must not be believed; ``code`` says why."""

    class Code(StrEnum):
        """Why the order was refused."""

        MALFORMED = "malformed"
        NO_MATCH = "no_match"
        EXPIRED = "expired"

    def __init__(self, code: Code) -> None:
        """Keep *code*."""
        super().__init__(str(code))
        self.code = code


class ReceiptRefused(WebhookError):
    """A receipt of a handle check that must not be believed; ``code`` says why."""

    class Code(StrEnum):
        """Why the receipt was refused."""

        MALFORMED = "malformed"
        FORGED = "forged"
        EXPIRED = "expired"
        NOT_YET_VALID = "not_yet_valid"

    def __init__(self, code: Code) -> None:
        """Keep *code*."""
        super().__init__(str(code))
        self.code = code


class MalformedSecret(WebhookError):
    """A signing secret that is empty or not base64. The secret is not quoted."""
