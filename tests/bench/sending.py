"""One signed delivery over keep-alive: our transport beside requests and urllib3."""

import multiprocessing
import socketserver
from datetime import UTC, datetime
from multiprocessing.connection import Connection

import requests
import urllib3
from tests.bench.measuring import cpu_ms, interleaved, table

from regulars_webhooks.signing import generate_secret, sign
from regulars_webhooks.transport import Transport

BODY = b'{"id":"evt_1","data":"' + b"x" * 1500 + b'"}'
TIMES, ROUNDS = 1000, 7


class _Answer(socketserver.StreamRequestHandler):
    """Reads a request of known length and says 204; nothing else, so that the client is measured."""

    def handle(self) -> None:
        while True:
            length = 0
            while (line := self.rfile.readline()) not in {b"\r\n", b""}:
                if line.lower().startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            if not line:
                return
            self.rfile.read(length)
            self.wfile.write(b"HTTP/1.1 204 No Content\r\n\r\n")


class _Sink(socketserver.ThreadingTCPServer):
    daemon_threads = True


def _serve(port: Connection) -> None:
    with _Sink(("127.0.0.1", 0), _Answer) as server:
        port.send(server.server_address[1])
        server.serve_forever()


def run() -> None:
    mine, theirs = multiprocessing.Pipe()
    sink = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs,), daemon=True
    )
    sink.start()
    url = f"http://127.0.0.1:{mine.recv()}/hook"
    headers = {
        "content-type": "application/json",
        **sign("evt_1", BODY, secrets=[generate_secret()], now=datetime.now(UTC)),
    }
    transport = Transport(allow_private=True)
    session, pool = requests.Session(), urllib3.PoolManager()
    kinds = {
        "requests.Session.post": lambda: session.post(url, BODY, headers=headers),
        "urllib3.PoolManager.request": lambda: pool.request(
            "POST", url, body=BODY, headers=headers
        ),
        "our transport (vetted address, deadline)": lambda: transport.send(
            url, headers, BODY
        ),
    }
    figures = interleaved(
        {name: lambda work=work: cpu_ms(work, TIMES) for name, work in kinds.items()},
        ROUNDS,
    )
    table(
        "One POST over keep-alive, 1.5 kB (client CPU)",
        figures,
        "CPU ms",
        "requests.Session.post",
    )
    sink.terminate()
