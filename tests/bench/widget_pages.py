"""The pages that the widget's benchmark loads: ours and those with what others load for one."""

import gzip
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

from tests.widget.pages import SCRIPT, STYLE, markup

HERE = Path(__file__).parent
PACKAGES = HERE / "node_modules"
# Set `ready` to the moment when the fields can do what they are for.
WHEN_DEFINED = "customElements.whenDefined('{}').then(() => {{ window.ready ??= performance.now() }});"
WATCH = """
window.shifts = 0; window.blocked = 0;
new PerformanceObserver((list) => { for (const it of list.getEntries()) if (!it.hadRecentInput) shifts += it.value })
  .observe({ type: 'layout-shift', buffered: true });
new PerformanceObserver((list) => { for (const it of list.getEntries()) blocked += Math.max(0, it.duration - 50) })
  .observe({ type: 'longtask', buffered: true });
"""
CHOICES = ("X", "E-mail", "Text message", "Phone call", "WhatsApp", "Facebook")
FIELD = (
    '<p><label for="x_handle">Your X handle (optional)</label>'
    ' <input id="x_handle" name="x_handle" autocomplete="nickname"></p>'
)
RADIOS = (
    "<fieldset><legend>How would you like to hear from us?</legend>"
    + "".join(
        f'<p><label><input type="radio" name="contact_channel" value="{it}"> {it}</label></p>'
        for it in CHOICES
    )
    + "</fieldset>"
)


@dataclass(frozen=True)
class Row:
    """One way to put the fields on a page: the markup, the files, and how to see that it is ready."""

    body: str
    scripts: tuple[Path, ...] = ()
    sheets: tuple[Path, ...] = ()
    ready: str = "addEventListener('DOMContentLoaded', () => { window.ready = performance.now() });"

    @property
    def sizes(self) -> list[int]:
        files = (*self.scripts, *self.sheets)
        return [len(gzip.compress(it.read_bytes(), 9)) for it in files]

    def page(self) -> str:
        sheets = "".join(
            f'<link rel="stylesheet" href="/{it.name}">' for it in self.sheets
        )
        scripts = "".join(
            f'<script type="module" src="/{it.name}"></script>' for it in self.scripts
        )
        return f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Checkout</title>
<link rel="icon" href="data:,"><style>body {{ font: 1rem/1.5 Georgia, serif }} input {{ border: 2px solid green }}</style>
<script>{WATCH}{self.ready}</script>{sheets}{scripts}</head><body><main><h1>Checkout</h1>
<form method="post">{self.body}<p><button>Buy now</button></p></form></main></body></html>"""


@dataclass
class Server:
    """Serves the row that is measured now, compressed, and answers its checks after a round trip's time."""

    row: Row = field(default_factory=lambda: Row(""))
    url: str = ""
    requests: list[str] = field(default_factory=list)

    def answer(self, path: str, body: str) -> tuple[str, bytes]:
        if path == "/v1/check":
            handle = parse_qs(body).get("handle", [""])[0]
            told = f'{{"verdict":"found","handle":"{handle}","receipt":"{"r" * 120}"}}'
            return "application/json", told.encode()
        files = {f"/{it.name}": it for it in (*self.row.scripts, *self.row.sheets)}
        if path in files:
            kind = "text/css" if path.endswith(".css") else "text/javascript"
            return kind, files[path].read_bytes()
        return "text/html", self.row.page().encode() if path == "/" else b""


@contextmanager
def serving() -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length).decode(errors="replace")
            told.requests.append(self.path)
            kind, body = told.answer(self.path, text)
            packed = gzip.compress(body, 9)
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed)

        do_GET = do_POST = _answer

        def log_message(self, *args: object) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args: object) -> None:
            pass

    server = Quiet(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    server.server_close()


def bundled(name: str, text: str) -> tuple[Path, ...]:
    """*text* with all that it imports as one minified file, and its sheet if it has one."""
    folder = HERE / "node_modules/.bench"
    folder.mkdir(exist_ok=True)
    source, made = folder / f"{name}.in.js", folder / f"{name}.js"
    source.write_text(text, "utf-8")
    command = [
        PACKAGES / ".bin/esbuild",
        source,
        "--bundle",
        "--minify",
        "--format=esm",
    ]
    command += [f"--outfile={made}", "--log-level=error", "--loader:.webp=empty"]
    subprocess.run(list(map(str, command)), check=True)
    return tuple(it for it in (made, made.with_suffix(".css")) if it.exists())


def rows(url: str) -> dict[str, Row]:
    handle, channels = markup(f"{url}/v1/check")
    ours = WHEN_DEFINED.format("regulars-channels")
    auto = bundled("auto", "import '@github/auto-check-element'")
    shoelace = bundled(
        "shoelace",
        "import '@shoelace-style/shoelace/dist/themes/light.css';"
        "import '@shoelace-style/shoelace/dist/components/input/input.js';"
        "import '@shoelace-style/shoelace/dist/components/radio-group/radio-group.js';"
        "import '@shoelace-style/shoelace/dist/components/radio/radio.js';",
    )
    phone = bundled(
        "phone",
        "import 'intl-tel-input/styles';"
        "import intlTelInput from 'intl-tel-input/intlTelInputWithUtils';"
        "intlTelInput(document.querySelector('#phone'), {}); window.ready = performance.now();",
    )
    radios = "".join(f'<sl-radio value="{it}">{it}</sl-radio>' for it in CHOICES)
    return {
        "plain HTML": Row(FIELD + RADIOS),
        "ours, handle alone": Row(
            handle, (SCRIPT,), (), WHEN_DEFINED.format("regulars-handle")
        ),
        "ours, both elements": Row(handle + channels, (SCRIPT,), (), ours),
        "ours, both and the sheet": Row(handle + channels, (SCRIPT,), (STYLE,), ours),
        "auto-check-element": Row(
            f'<auto-check src="{url}/auto" csrf="x">{FIELD}</auto-check>{RADIOS}',
            auto[:1],
            (),
            WHEN_DEFINED.format("auto-check"),
        ),
        "Shoelace": Row(
            '<sl-input name="x_handle" label="Your X handle (optional)"></sl-input>'
            f'<sl-radio-group name="contact_channel" label="How would you like to hear from us?">{radios}</sl-radio-group>',
            shoelace[:1],
            shoelace[1:],
            WHEN_DEFINED.format("sl-radio-group"),
        ),
        "intl-tel-input": Row(
            '<p><label for="phone">Phone</label> <input id="phone" name="phone" type="tel"></p>',
            phone[:1],
            phone[1:],
            "",
        ),
    }
