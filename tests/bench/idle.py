"""From the 201 of a signup to the first attempt at the shop's receiver, nothing else going on."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.bench.measuring import percentile
from tests.bench.serving import Served

TIMES = 40


def run() -> None:
    arrived: dict[str, float] = {}
    seen = threading.Condition()

    class Sink(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with seen:
                arrived[body["data"]["customer"]["external_id"]] = time.monotonic()
                seen.notify_all()
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    sink = ThreadingHTTPServer(("127.0.0.1", 0), Sink)
    threading.Thread(target=sink.serve_forever, daemon=True).start()
    waits = []
    with Served() as served:
        served.command(
            "endpoint",
            "add",
            f"http://127.0.0.1:{sink.server_port}/",
            "--recipient",
            "own",
        )
        for number in range(TIMES):
            external_id, answered = served.sign_up()
            with seen:
                seen.wait_for(lambda name=external_id: name in arrived, timeout=10)
            waits.append((arrived[external_id] - answered) * 1000)
            # Idle again: the wait must fall anywhere between two polls.
            time.sleep(0.05 + number % 7 * 0.037)
    sink.shutdown()
    print(
        "\nSignup answered → first attempt at the receiver, idle, SQLite"
        f" ({TIMES} signups)\n\n| p50 | p99 |\n|---|---|\n"
        f"| {percentile(waits, 0.5):.0f} ms | {percentile(waits, 0.99):.0f} ms |"
    )
