"""The fields on a shop's page beside what others load for one: size, readiness, calm, and the way to a verdict."""

import shutil
import statistics
import subprocess
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from tests.bench.measuring import percentile
from tests.bench.widget_pages import HERE, Row, Server, rows, serving
from tests.widget.conftest import ARGUMENTS, CHROMIUM

ROUNDS, HANDLES = 3, 30
KEY_MS, RTT_MS = 60, 60
# 150 ms round trips, 1.6 Mbit/s, a processor four times slower.
SLOW = {
    "offline": False,
    "latency": 150,
    "downloadThroughput": 200_000,
    "uploadThroughput": 94_000,
}
NEAR = {**SLOW, "latency": RTT_MS, "downloadThroughput": -1, "uploadThroughput": -1}


def _open(
    browser: Browser, server: Server, conditions: dict[str, Any], cpu: int
) -> Page:
    page = browser.new_context().new_page()
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.emulateNetworkConditions", conditions)
    session.send("Emulation.setCPUThrottlingRate", {"rate": cpu})
    page.goto(server.url)
    page.wait_for_function("window.ready")
    return page


def _load(browser: Browser, server: Server) -> dict[str, float]:
    """One visit in the slow profile."""
    server.requests.clear()
    page = _open(browser, server, SLOW, 4)
    page.wait_for_timeout(500)
    found: dict[str, float] = page.evaluate("({ ready, shifts, blocked })")
    found["requests"] = len(server.requests) - 1
    page.context.close()
    return found


def _findings(browser: Browser, server: Server) -> int:
    page = _open(browser, server, NEAR, 1)
    found = Axe().run(page).violations_count
    page.context.close()
    return int(found)


# The time between the last key and the moment when the page shows the answer.
OURS = """
addEventListener('input', () => { window.typed = performance.now() }, true);
addEventListener('regulars-verdict', () => { window.took = performance.now() - typed });
"""
THEIRS = """
addEventListener('input', () => { window.typed = performance.now() }, true);
document.querySelector('auto-check').addEventListener('auto-check-success', () => { window.took = performance.now() - typed });
"""


def _verdicts(
    browser: Browser, server: Server, path: str, listen: str
) -> tuple[list[float], float]:
    """Milliseconds to each verdict, and the checks sent per handle, with steady typing."""
    page = _open(browser, server, NEAR, 1)
    page.evaluate(listen)
    waits = []
    server.requests.clear()
    input_ = page.locator("#x_handle")
    for number in range(HANDLES):
        input_.fill("")
        # What by itself only wakes up after a first failure.
        page.evaluate(
            "document.querySelector('auto-check')?.setAttribute('validate-on-keystroke', '')"
        )
        page.evaluate("window.took = 0")
        input_.press_sequentially(f"tonys_pizza{number:02d}", delay=KEY_MS)
        page.wait_for_function("window.took")
        waits.append(float(page.evaluate("window.took")))
    page.context.close()
    return waits, server.requests.count(path) / HANDLES


def run() -> None:
    if not shutil.which("npm") or not Path(CHROMIUM).exists():
        print("\nThe fields on a page: not measured, needs npm and Chromium")
        return
    subprocess.run(
        ["npm", "ci", "--prefix", str(HERE), "--no-audit", "--no-fund", "--silent"],
        check=True,
    )
    with (
        serving() as server,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS) as browser,
    ):
        pages = rows(server.url)
        _print_loading(browser, server, pages)
        print(
            f"\nLast key → verdict, keys {KEY_MS} ms apart, round trip {RTT_MS} ms, {HANDLES} handles"
            "\n\n| | p50 ms | p95 ms | checks per handle |\n|---|---|---|---|"
        )
        for name, path, listen in (
            ("ours, both elements", "/v1/check", OURS),
            ("auto-check-element", "/auto", THEIRS),
        ):
            server.row = pages[name]
            waits, checks = _verdicts(browser, server, path, listen)
            p50, p95 = percentile(waits, 0.5), percentile(waits, 0.95)
            print(f"| {name} | {p50:.0f} | {p95:.0f} | {checks:.2f} |")


def _print_loading(browser: Browser, server: Server, rows: dict[str, Row]) -> None:
    figures: dict[str, list[dict[str, float]]] = {name: [] for name in rows}
    for _ in range(ROUNDS):
        for name, row in rows.items():
            server.row = row
            figures[name].append(_load(browser, server))
    print(
        f"\nThe fields on a page, slow profile (150 ms, 1.6 Mbit/s, 4× CPU), median of {ROUNDS}; peers bundled and minified"
        "\n\n| | gzip bytes | requests | ready ms | CLS | blocking ms | axe findings |\n|---|---|---|---|---|---|---|"
    )
    for name, row in rows.items():
        server.row = row

        def median(what: str, name: str = name) -> float:
            return statistics.median(it[what] for it in figures[name])

        size = " + ".join(f"{it:,}" for it in row.sizes) or "0"
        print(
            f"| {name} | {size} | {median('requests'):.0f} | {median('ready'):.0f}"
            f" | {median('shifts'):.3f} | {median('blocked'):.0f} | {_findings(browser, server)} |"
        )
