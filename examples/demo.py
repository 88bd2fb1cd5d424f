"""`make run`: the whole product on this machine, offline and without any account.

Starts `regulars serve` on a database of its own, the stand-in for X, the example
receiver and the example shop; prints the addresses of their pages and nothing else on
standard output. Ctrl-C stops all of it and throws the database away. With
REGULARS_X_BEARER_TOKEN set it asks the real X, under the other REGULARS_X_* settings.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

if not __package__:  # run as a file, which alone lets Python see this folder only
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from examples.demo_parts import (
    HOST,
    STOP_SIGNALS,
    DemoError,
    Troupe,
    free_ports,
    outer_environment,
    troupe,
)

EXAMPLES = Path(__file__).resolve().parent
REGULARS = Path(sys.executable).with_name("regulars")
SITE = "Tony's"


class Console:
    """The `regulars` commands, on the demo's database."""

    def __init__(self, parts: Troupe, environment: Mapping[str, str]) -> None:
        self._parts = parts
        self._environment = {**outer_environment(), **environment}

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """A command under way, for `result`."""
        return subprocess.Popen(
            [REGULARS, *arguments],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=self._parts.group,
        )

    def result(self, command: subprocess.Popen[str]) -> str:
        """What *command* printed.

        Raises:
            DemoError: it failed; the text is what it said of it.
        """
        printed, said = command.communicate()
        if command.returncode:
            raise DemoError(f"{command.args!r} failed:\n{said}")
        return printed


@dataclass(frozen=True, slots=True)
class Ports:
    """Where each part listens."""

    web: int
    shop: int
    receiver: int
    x: int


def serve(
    parts: Troupe, folder: Path, ports: Ports, recover_after_s: float
) -> dict[str, str]:
    """Start the service, and the stand-in for X unless a token is given; its settings.

    Raises:
        DemoError: it did not start.
    """
    settings = {
        "REGULARS_DATA_DIR": str(folder / "data"),
        "REGULARS_BASE_URL": f"http://{HOST}:{ports.web}",
        "REGULARS_SHOP_NAME": SITE,
        "REGULARS_PRIVACY_URL": f"http://{HOST}:{ports.shop}/privacy",
        "REGULARS_ALLOW_PRIVATE_ENDPOINTS": "1",
    }
    if is_real_x():
        settings |= {k: v for k, v in os.environ.items() if k.startswith("REGULARS_X_")}
    else:
        options = ["--port", str(ports.x), "--recover-after", str(recover_after_s)]
        parts.start("stand-in", [sys.executable, EXAMPLES / "fake_x.py", *options], {})
        settings |= {
            "REGULARS_X_BEARER_TOKEN": "the-stand-in-takes-any",
            "REGULARS_X_API_URL": f"http://{HOST}:{ports.x}",
            # Nobody who watches waits for the longer steps of the default.
            "REGULARS_X_RETRY_S": "3",
            # What happens to an account on the stand-in's page is seen within a minute.
            "REGULARS_X_REFRESH_DAYS": "0",
        }
    parts.start("regulars", [REGULARS, "serve", "--port", str(ports.web)], settings)
    parts.wait_for(ports.web, "/healthz")
    return settings


def is_real_x() -> bool:
    """Whether X itself is to be asked."""
    return bool(os.environ.get("REGULARS_X_BEARER_TOKEN"))


def furnish(parts: Troupe, folder: Path, ports: Ports, console: Console) -> str:
    """Give the service its site, key and endpoint and start who uses them; the site's key.

    Raises:
        DemoError: a command failed.
    """
    web, shop = f"http://{HOST}:{ports.web}", f"http://{HOST}:{ports.shop}"
    hook = f"http://{HOST}:{ports.receiver}/hook"
    under_way = [
        console.begin("site", "add", SITE, "--origin", shop, "--origin", web, "--json"),
        console.begin("endpoint", "add", hook, "--recipient", "own", "--json"),
        console.begin("key", "add", "the shop's server", "--json"),
    ]
    site, endpoint, key = (json.loads(console.result(it)) for it in under_way)
    options = ["--port", str(ports.receiver)]
    parts.start(
        "receiver",
        [sys.executable, EXAMPLES / "receiver_stdlib.py", *options],
        {"REGULARS_WEBHOOK_SECRET": endpoint["secret"]},
    )
    fields = folder / "fields.html"
    fields.write_text(console.result(console.begin("site", "snippet", SITE)), "utf-8")
    parts.start(
        "shop",
        [sys.executable, EXAMPLES / "flask_shop/app.py", "--port", str(ports.shop)],
        {
            "SHOP_REGULARS_URL": web,
            "SHOP_REGULARS_KEY": key["key"],
            "SHOP_FIELDS": str(fields),
        },
    )
    publishable_key: str = site["publishable_key"]
    return publishable_key


def run(folder: Path, recover_after_s: float) -> NoReturn:
    """Start all, print the addresses, and watch until somebody ends it.

    Raises:
        DemoError: a part did not start, or ended.
    """
    ports = Ports(*free_ports((8000, 8001, 8002, 8003)))
    with troupe(folder) as parts:
        settings = serve(parts, folder, ports, recover_after_s)
        site_key = furnish(parts, folder, ports, Console(parts, settings))
        pages = [
            ("Signup page", parts.wait_for(ports.web, f"/signup?site={site_key}")),
            ("Checkout of a shop", parts.wait_for(ports.shop)),
            ("Its events", parts.wait_for(ports.receiver)),
        ]
        if not is_real_x():
            pages.append(("Stand-in for X", parts.wait_for(ports.x)))
        for name, address in pages:
            print(f"{name:<20}{address}", flush=True)
        print(f"Ctrl-C stops it. Logs: {folder}", file=sys.stderr, flush=True)
        while True:
            parts.check()
            time.sleep(0.2)


def main() -> int:
    """Run until SIGINT, SIGTERM or SIGHUP (0), or until a part ends by itself (1)."""
    parser = argparse.ArgumentParser(description="The whole product, to look at.")
    parser.add_argument(
        "--recover-after",
        type=float,
        default=20.0,
        help="seconds for which the stand-in's troubled handles stay in trouble",
    )
    options = parser.parse_args()
    for number in STOP_SIGNALS:
        # Unwinds what is open, at whatever step it comes.
        signal.signal(number, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="regulars-demo-") as folder:
        try:
            run(Path(folder), options.recover_after)
        except DemoError as error:
            print(f"demo: {error}", file=sys.stderr)
            return 1


if __name__ == "__main__":
    sys.exit(main())
