"""A backup: one tar file with the database, its key, the settings and the erasure journal.

``manifest.json`` comes first and says of each other member how long it is and what its
SHA-256 is, so that a file that was cut short or changed is known before it is used.
"""

import hashlib
import json
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import IO, Any

from regulars.keep.copies import (
    CopyFailed,
    copy_database,
    draft_of,
    make_durable,
    new_private_file,
)
from regulars.values.instants import to_rfc3339

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "regulars.sqlite3"
KEY = "secret_key"
SETTINGS_FILE = "regulars.env"
JOURNAL = "erasures.jsonl"
_KNOWN = frozenset({DATABASE, KEY, SETTINGS_FILE, JOURNAL})
_READ_BYTES = 1 << 20
# What reading a file ends in that only looks like a backup.
_UNREADABLE = (
    OSError,
    tarfile.TarError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)


class BadArchive(Exception):
    """The file is no backup, or not a whole one; the text says why."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says of itself; ``files`` has the SHA-256 of each member by name."""

    release: str
    made_at: datetime
    schema_revision: str
    files: Mapping[str, str]


def write_archive(
    target: Path,
    database: Path,
    texts: Mapping[str, bytes],
    *,
    release: str,
    schema_revision: str,
    now: datetime,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Make the backup *target* of the SQLite file *database*, which stays in use, and *texts*.

    *target* has mode 0600 and appears whole or not at all, in place of what was there.

    Raises:
        CopyFailed: nothing was made; the text says why.
    """
    with draft_of(target) as copy, draft_of(target) as draft:
        copy_database(database, copy, progress)
        try:
            described = {
                DATABASE: _describe_file(copy),
                **{name: _describe(text) for name, text in texts.items()},
            }
            manifest = {
                "format": FORMAT,
                "release": release,
                "made_at": to_rfc3339(now),
                "schema_revision": schema_revision,
                "files": described,
            }
            members = {MANIFEST: json.dumps(manifest, indent=1).encode(), **texts}
            _write_tar(draft, members, copy, now)
            draft.replace(target)
            make_durable(target)
        except OSError as error:
            raise CopyFailed(f"{target} could not be written: {error}") from error


def _write_tar(
    draft: Path, members: Mapping[str, bytes], copy: Path, now: datetime
) -> None:
    with (
        new_private_file(draft) as descriptor,
        open(descriptor, "wb", closefd=False) as file,
        tarfile.open(fileobj=file, mode="w") as tar,
        copy.open("rb") as pages,
    ):
        for name, text in members.items():
            tar.addfile(_entry(name, len(text), now), BytesIO(text))
        tar.addfile(_entry(DATABASE, copy.stat().st_size, now), pages)
    make_durable(draft)


def _entry(name: str, size: int, now: datetime) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = size, 0o600, int(now.timestamp())
    return entry


def _describe(text: bytes) -> dict[str, Any]:
    return {"size": len(text), "sha256": hashlib.sha256(text).hexdigest()}


def _describe_file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"size": path.stat().st_size, "sha256": digest}


class Archive:
    """A backup whose every member has been held against the manifest."""

    def __init__(self, tar: tarfile.TarFile, manifest: Manifest) -> None:
        self._tar = tar
        self.manifest = manifest

    def text(self, name: str) -> bytes | None:
        """The member *name*; None where the backup has none."""
        if name not in self.manifest.files:
            return None
        with _member(self._tar, name) as file:
            return file.read()

    def unpack_database(self, target: Path) -> None:
        """Write the database into the new file *target*, mode 0600.

        Raises:
            CopyFailed: there is no room.
        """
        try:
            with (
                new_private_file(target) as descriptor,
                open(descriptor, "wb", closefd=False) as file,
                _member(self._tar, DATABASE) as pages,
            ):
                shutil.copyfileobj(pages, file, _READ_BYTES)
        except OSError as error:
            raise CopyFailed(f"{target} could not be written: {error}") from error


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """The backup at *path*, checked from its first byte to its last.

    Raises:
        BadArchive: it cannot be read, is of a later form, or a checksum does not fit.
    """
    with ExitStack() as opened:
        try:
            tar = opened.enter_context(tarfile.open(path, "r:"))
        except OSError as error:
            raise BadArchive(f"{path} cannot be read: {error.strerror}") from error
        except tarfile.TarError as error:
            raise BadArchive(f"{path} is no backup: {error}") from error
        yield Archive(tar, _checked(tar, path))


def _checked(tar: tarfile.TarFile, path: Path) -> Manifest:
    try:
        with _member(tar, MANIFEST) as file:
            manifest = _read_manifest(json.loads(file.read()))
        for name, sha256 in manifest.files.items():
            with _member(tar, name) as file:
                # file_digest wants a real file; a member of a tar reads like one.
                digest = hashlib.sha256()
                while chunk := file.read(_READ_BYTES):
                    digest.update(chunk)
            if digest.hexdigest() != sha256:
                raise BadArchive(f"{path} is damaged: the checksum of {name} differs")
    except _UNREADABLE as error:
        raise BadArchive(f"{path} is damaged or no backup: {error}") from error
    return manifest


def _read_manifest(said: Any) -> Manifest:
    if said["format"] != FORMAT:
        raise ValueError(f"its form {said['format']} is of a later release")
    files = {str(name): str(of["sha256"]) for name, of in said["files"].items()}
    if not {DATABASE, KEY} <= set(files) <= _KNOWN:
        raise ValueError(f"it holds {', '.join(sorted(files))}")
    return Manifest(
        release=str(said["release"]),
        made_at=datetime.fromisoformat(said["made_at"]),
        schema_revision=str(said["schema_revision"]),
        files=files,
    )


def _member(tar: tarfile.TarFile, name: str) -> IO[bytes]:
    entry = tar.getmember(name)
    file = tar.extractfile(entry) if entry.isreg() and not entry.issparse() else None
    if file is None:
        # A link, or a sparse entry, which claims any size without having it.
        raise KeyError(name)
    return file
