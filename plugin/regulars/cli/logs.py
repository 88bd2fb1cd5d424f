"""How the log looks: one event a line, its fields as key=value; ids, never personal data."""

import logging
import sys
from datetime import UTC, datetime

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
# tweepy and urllib3 write headers, and with them the token, when they are let.
_QUIET = (
    "tweepy",
    "urllib3",
    "sqlalchemy",
    "requests_oauthlib",
    "oauthlib",
    "alembic",
    # It names the visitor's address.
    "flask-limiter",
)


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat("T", "milliseconds")
        fields = "".join(
            f" {name}={value}"
            for name, value in vars(record).items()
            if name not in _STANDARD and value is not None
        )
        line = f"{record.levelname} {record.name}: {record.getMessage()}{fields}"
        # What somebody sent to us must not begin a line of its own.
        return f"{at} {' '.join(line.split())}"


def configure_logs() -> None:
    """Send our own log to standard error and keep the talkative libraries quiet."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
