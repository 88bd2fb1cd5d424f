"""What stands around the service: its settings, its folder and the files in it, the proxy."""

import ipaddress
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from regulars.doctor.findings import Finding, fine, problem, warning
from regulars.setting_rows import SETTINGS
from regulars.settings import FILE_NAME, KEY_NAME, Settings

_LITTLE_BYTES, _TOO_LITTLE_BYTES = 1_000_000_000, 100_000_000
# What is on these goes when the machine or the container does.
_VOLATILE = frozenset({"overlay", "tmpfs", "ramfs", "aufs"})
_MOUNTS = Path("/proc/self/mounts")


def check_settings(settings: Settings) -> Iterator[Finding]:
    """Settings that can be used and still are not what a shop wants."""
    yield fine("settings.usable", "The settings can be used.")
    yield from _check_base_url(settings)
    yield from _check_proxies(settings)
    defaults = {row.name: row.default for row in SETTINGS}
    if settings.shop_name == defaults["SHOP_NAME"]:
        yield warning(
            "shop_name.default",
            f"Customers read {settings.shop_name!r} where the shop's name belongs.",
            "Set REGULARS_SHOP_NAME.",
        )
    if not settings.privacy_url:
        yield warning(
            "privacy_url.missing",
            "Nothing says where data is asked how the shop handles it.",
            "Set REGULARS_PRIVACY_URL to the address of the shop's privacy page.",
        )
    yield _check_languages(settings)


def is_loopback(url: str) -> bool:
    """Whether *url* leads to this machine alone."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _check_base_url(settings: Settings) -> Iterator[Finding]:
    url = settings.base_url
    if is_loopback(url):
        yield warning(
            "base_url.loopback",
            f"Links are made for {url}, which nobody but this machine can open.",
            "Set REGULARS_BASE_URL to the public address before customers are asked.",
        )
    elif url.startswith("http:"):
        yield problem(
            "base_url.not_https",
            f"{url} is not https: addresses and the owner's password travel readable.",
            "Put a proxy with a certificate in front and set REGULARS_BASE_URL to https.",
        )
    else:
        yield fine("base_url.public", f"Links are made for {url}.")


def _check_languages(settings: Settings) -> Finding:
    """Whether the shop stands by every sentence that its customers agree to."""
    confirmed = settings.confirmed_languages
    drafts = [one for one in settings.languages if one not in confirmed]
    if not drafts:
        return fine("wordings.confirmed", "The shop confirmed what customers agree to.")
    return warning(
        "wordings.drafts",
        "What customers agree to is shown in languages that the shop has not confirmed:"
        f" {', '.join(drafts)}. These translations are drafts.",
        "Read them ('regulars site snippet NAME --language TAG') and name the language in"
        " REGULARS_CONFIRMED_LANGUAGES, or leave it out of REGULARS_LANGUAGES.",
    )


def _check_proxies(settings: Settings) -> Iterator[Finding]:
    is_public = settings.base_url.startswith("https:") and not is_loopback(
        settings.base_url
    )
    if is_public and settings.trusted_proxies == 0:
        yield warning(
            "proxies.none",
            "The address is https, which a proxy in front must provide, but no proxy"
            " is trusted: limits then count all visitors as one.",
            "Set REGULARS_TRUSTED_PROXIES to the number of proxies, which is mostly 1;"
            " 'regulars doctor --public' counts them.",
        )


def check_folder(
    settings: Settings, folder: Path, mounts: Path = _MOUNTS
) -> Iterator[Finding]:
    """Whether the *folder* with the shop's data is safe from others, from loss and from filling up."""
    if not folder.is_dir():
        yield problem(
            "folder.missing",
            f"The folder {folder} is not there.",
            "Make it, or name another with REGULARS_DATA_DIR.",
        )
        return
    yield from _check_modes(settings, folder)
    yield from _check_space(folder)
    kind = _kind_of_storage(folder, mounts)
    if kind in _VOLATILE:
        yield warning(
            "folder.volatile",
            f"{folder} is on {kind} storage: in a container it goes at the next update.",
            "Mount a persistent volume there, or name one with REGULARS_DATA_DIR.",
        )


def _check_modes(settings: Settings, folder: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        make = problem if mode & 0o007 else warning
        yield make(
            "folder.open",
            f"Other users of this machine may look into {folder} (mode {mode:04o}).",
            f"chmod 700 {folder}",
        )
    else:
        yield fine("folder.closed", f"Only this user may look into {folder}.")
    for name, what in ((KEY_NAME, "the secret key"), (FILE_NAME, "the settings")):
        path = settings.data_dir / name
        if not path.is_file():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        finding_id = f"file.{name.partition('.')[0]}"
        if mode & 0o077:
            yield problem(
                finding_id,
                f"Other users of this machine may read {what} in {path} (mode {mode:04o}).",
                f"chmod 600 {path}",
            )
        else:
            yield fine(finding_id, f"Only this user may read {what} in {path}.")


def _check_space(folder: Path) -> Iterator[Finding]:
    free = shutil.disk_usage(folder).free
    sentence = f"{free / 1e9:.1f} GB are free at {folder}."
    hint = "Make room: when there is none, no signup can be accepted."
    if free < _TOO_LITTLE_BYTES:
        yield problem("disk.full", sentence, hint)
    elif free < _LITTLE_BYTES:
        yield warning("disk.low", sentence, hint)
    else:
        yield fine("disk.free", sentence)


def _kind_of_storage(folder: Path, mounts: Path) -> str | None:
    """The file system that *folder* is on, by the longest mount point above it."""
    try:
        lines = mounts.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    above = {str(path) for path in (folder.resolve(), *folder.resolve().parents)}
    rows = [line.split() for line in lines]
    found = [(row[1], row[2]) for row in rows if len(row) > 2 and row[1] in above]
    # Of two at one point the later one covers the other.
    kinds = dict(found)
    return kinds[max(kinds, key=len)] if kinds else None
