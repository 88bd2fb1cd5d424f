"""Who works on a shop's folder: any number of services, or one restore and nobody else.

A lock on a file, given back by the system however its process ends. It speaks for one
host: dispatchers elsewhere, on PostgreSQL, are the operator's to stop.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = "regulars.lock"


class InUse(Exception):
    """Somebody works there whose work and ours exclude each other."""


@contextmanager
def working_on(folder: Path, *, alone: bool = False) -> Iterator[None]:
    """Be known to work on the shop in *folder*, with others or *alone*.

    Raises:
        InUse: another works alone, or we would and others are there.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        kind = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise InUse(folder) from error
        yield
    finally:
        os.close(descriptor)
