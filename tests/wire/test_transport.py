"""One attempt over real sockets: answers, silences, drips, tricks of names, and TLS.

No library that replaces the sending is used here: it would replace the guard as well.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from regulars_webhooks.deadlines import Attempt, Rules
from regulars_webhooks.retry import DeliveryResult, Failure
from regulars_webhooks.transport import RESPONSE_HEAD_BYTES, Transport

NOW = datetime(2026, 11, 21, 20, 15, tzinfo=UTC)
DEADLINE_S = 0.4
LATEST_MS = DEADLINE_S * 1000 + 1000
CERTIFICATES = Path(__file__).parent / "certificates"
AUTHORITY = str(CERTIFICATES / "shop.example.crt")

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n\r\n"

Open = Callable[..., Transport]


@pytest.fixture
def transport() -> Iterator[Open]:
    """Make transports that may dial loopback; all are closed with the test."""
    made: list[Transport] = []

    def make(**options: Any) -> Transport:
        options = {
            "allow_private": True,
            "deadline_s": 5.0,
            "clock": lambda: NOW,
            **options,
        }
        made.append(Transport(**options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def saying(answer: bytes) -> Callable[[socket.socket, bytes], None]:
    return lambda connection, _: connection.sendall(answer)


def dripping(first: bytes, drop: bytes) -> Callable[[socket.socket, bytes], None]:
    """Send *first*, then *drop* every 50 ms until nobody listens: within any read timeout."""

    def drip(connection: socket.socket, _: bytes) -> None:
        connection.sendall(first)
        while True:
            time.sleep(0.05)
            connection.sendall(drop)

    return drip


def names(**answers: list[str]) -> Callable[..., list[tuple[Any, ...]]]:
    """A resolver: each look-up of a name takes the next of its answers, the last one for ever."""
    table = {
        name.replace("_", "."): list(addresses) for name, addresses in answers.items()
    }

    def resolve(host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        rows = table[host]
        answer = rows.pop(0) if len(rows) > 1 else rows[0]
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port))
            for one in answer.split()
        ]

    return resolve


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port: int = listener.getsockname()[1]
        return port


def assert_late(result: DeliveryResult) -> None:
    assert (result.status, result.error) == (None, Failure.TIMEOUT)
    assert DEADLINE_S * 900 <= result.duration_ms <= LATEST_MS


def test_sends_the_bytes_as_they_are(serve: Any, transport: Open) -> None:
    """Body and headers arrive as given, with our name and nothing of the environment's."""
    server = serve(saying(NO_CONTENT))
    body = b'{"z":1,  "a": "\xc3\xa9"}'
    result = transport().send(
        server.url + "?token=a%20b", {"webhook-id": "evt_1"}, body
    )
    head, _, received = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert received == body
    assert lines[0] == "POST /hook?token=a%20b HTTP/1.1"
    fields = {
        name.lower(): value
        for name, value in (line.split(": ", 1) for line in lines[1:])
    }
    assert fields.pop("user-agent").startswith("Regulars/")
    assert fields == {
        "host": f"127.0.0.1:{server.port}",
        "accept-encoding": "identity",
        "content-type": "application/json",
        "content-length": str(len(body)),
        "webhook-id": "evt_1",
    }
    assert (result.status, result.error, result.response_head) == (204, None, b"")


@pytest.mark.parametrize(
    ("answer", "status", "head"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
        (
            b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            202,
            b"ok",
        ),
        (NO_CONTENT, 204, b""),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n", 410, b""),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\nbang", 500, b"bang"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
            200,
            b"abc",
        ),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
            200,
            b"",
        ),
    ],
    ids=["200", "202 chunked", "204", "410", "500", "not unpacked", "100 first"],
)
def test_answer(
    serve: Any, transport: Open, answer: bytes, status: int, head: bytes
) -> None:
    """An answer is its status and the beginning of its body, never unpacked."""
    result = transport().send(serve(saying(answer)).url, {}, b"{}")
    assert (result.status, result.error, result.response_head) == (status, None, head)
    assert result.detail == f"answered {status}"
    assert result.retry_after is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", timedelta(minutes=2)),
        ("Sat, 21 Nov 2026 20:17:00 GMT", timedelta(minutes=2)),
        ("soon", None),
    ],
)
def test_retry_after(
    serve: Any, transport: Open, value: str, expected: timedelta | None
) -> None:
    """Retry-After is read, as seconds or as a date by the clock that was given."""
    answer = f"HTTP/1.1 503 Later\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n".encode()
    result = transport().send(serve(saying(answer)).url, {}, b"{}")
    assert (result.status, result.retry_after) == (503, expected)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(serve: Any, transport: Open, status: int) -> None:
    """A redirect is a failure, wherever it leads and however much it says."""
    target = serve(saying(NO_CONTENT))
    answer = f"HTTP/1.1 {status} Elsewhere\r\nLocation: {target.url}\r\nContent-Length: 1000000000\r\n\r\n".encode()
    server = serve(dripping(answer + b"x" * 8192, b"x" * 8192))
    result = transport().send(server.url, {}, b"{}")
    assert (result.status, result.error) == (status, Failure.REDIRECT)
    assert len(result.response_head) == RESPONSE_HEAD_BYTES
    assert result.duration_ms < 2000
    assert target.connections == 0


def test_redirect_to_nonsense(serve: Any, transport: Open) -> None:
    """A Location that no parser takes breaks nothing."""
    answer = (
        b"HTTP/1.1 302 Found\r\nLocation: http://[::1\xff\r\nContent-Length: 0\r\n\r\n"
    )
    assert (
        transport().send(serve(saying(answer)).url, {}, b"{}").error is Failure.REDIRECT
    )


def test_cookies_are_not_kept(serve: Any, transport: Open) -> None:
    """What one answer sets as a cookie is sent to nobody."""
    server = serve(
        saying(
            b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n"
        )
    )
    one = transport()
    for _ in range(2):
        one.send(server.url, {}, b"{}")
    assert b"cookie" not in server.requests[1].lower()


def test_environment_is_not_asked(
    serve: Any, transport: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither a proxy nor a password of the environment gets in between."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
    server = serve(saying(NO_CONTENT))
    assert transport().send(server.url, {}, b"{}").status == 204
    assert b"authorization" not in server.requests[0].lower()


def test_connection_is_kept_alive(serve: Any, transport: Open) -> None:
    """Answers that were read to their end leave the connection for the next attempt."""
    server = serve(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    one = transport()
    assert [one.send(server.url, {}, b"{}").status for _ in range(5)] == [200] * 5
    assert server.connections == 1


def test_the_clock_is_the_systems_by_default(serve: Any) -> None:
    """Without a clock of the caller's, a date is compared with the system's."""
    answer = b"HTTP/1.1 503 Later\r\nRetry-After: Thu, 01 Jan 2026 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n"
    with closing(Transport(allow_private=True)) as one:
        assert one.send(serve(saying(answer)).url, {}, b"{}").retry_after == timedelta(
            0
        )


def test_refused(transport: Open) -> None:
    """Nobody listens: a failure to connect, said in the system's words."""
    result = transport().send(f"http://127.0.0.1:{free_port()}/", {}, b"{}")
    assert (result.status, result.error) == (None, Failure.CONNECT)
    assert result.detail == "Connection refused"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 200 + b"\r\n",
    ],
    ids=["nothing", "SSH", "no status", "200 headers"],
)
def test_no_http(serve: Any, transport: Open, answer: bytes) -> None:
    """What is not HTTP is a failure of the protocol, and its bytes stay out of the detail."""

    def say_and_close(connection: socket.socket, _: bytes) -> None:
        connection.sendall(answer)
        connection.shutdown(socket.SHUT_RDWR)

    result = transport().send(serve(say_and_close).url, {}, b"{}")
    assert (result.status, result.error) == (None, Failure.PROTOCOL)
    assert "SSH" not in result.detail


def test_contradicting_lengths(serve: Any, transport: Open) -> None:
    """An answer that contradicts itself is a failure of the protocol, or counts by its status."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"
    result = transport().send(serve(saying(answer)).url, {}, b"{}")
    assert result.error in {Failure.PROTOCOL, None}


# --- the deadline covers the whole attempt ------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda connection, _: connection.recv(1), id="silent"),
        pytest.param(dripping(b"", b"H"), id="status line drips"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\n", b"a"), id="headers drip"),
        pytest.param(
            dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="continues for ever"
        ),
    ],
)
def test_deadline_before_the_answer(
    serve: Any, transport: Open, script: Callable[[socket.socket, bytes], None]
) -> None:
    """Without a whole head by the deadline, the attempt has failed."""
    assert_late(transport(deadline_s=DEADLINE_S).send(serve(script).url, {}, b"{}"))


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", id="length"
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", id="until close"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffff\r\n",
            id="chunked",
        ),
    ],
)
def test_deadline_in_the_body(serve: Any, transport: Open, head: bytes) -> None:
    """A body that drips ends at the deadline; the status was said and counts."""
    result = transport(deadline_s=DEADLINE_S).send(
        serve(dripping(head, b"x")).url, {}, b"{}"
    )
    assert (result.status, result.error) == (200, None)
    assert DEADLINE_S * 900 <= result.duration_ms <= LATEST_MS


def test_deadline_on_a_connection_that_was_kept(serve: Any, transport: Open) -> None:
    """The second attempt on a connection has a deadline of its own."""
    turns = iter([saying(NO_CONTENT), dripping(b"HTTP/1.1 200 OK\r\n", b"a")])
    server = serve(lambda connection, request: next(turns)(connection, request))
    one = transport(deadline_s=DEADLINE_S)
    assert one.send(server.url, {}, b"{}").status == 204
    assert_late(one.send(server.url, {}, b"{}"))
    assert server.connections == 1


def test_deadline_of_one_attempt_spares_the_next(serve: Any, transport: Open) -> None:
    """An attempt that was in time leaves nothing behind that could cut a later one."""

    def answer_slowly(connection: socket.socket, _: bytes) -> None:
        time.sleep(1.0 * 0.6)
        connection.sendall(NO_CONTENT)

    server = serve(answer_slowly)
    one = transport(deadline_s=1.0)
    assert [one.send(server.url, {}, b"{}").status for _ in range(4)] == [204] * 4
    assert server.connections == 1


def test_deadline_in_the_resolver(transport: Open) -> None:
    """A resolver that hangs holds up its own thread, not the attempt."""
    release = threading.Event()

    def hang(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        release.wait(10)
        return []

    result = transport(deadline_s=DEADLINE_S, resolver=hang).send(
        "http://shop.example:8009/", {}, b"{}"
    )
    release.set()
    assert result.error is Failure.OUR_RESOLVER
    assert result.duration_ms <= LATEST_MS
    assert result.detail == "the name was not resolved in time"


def unresolved(number: int) -> Callable[..., list[tuple[Any, ...]]]:
    def refuse(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        raise socket.gaierror(number, "as the system says it")

    return refuse


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (socket.EAI_AGAIN, Failure.OUR_RESOLVER),
        (socket.EAI_FAIL, Failure.OUR_RESOLVER),
        (socket.EAI_SYSTEM, Failure.OUR_RESOLVER),
        (socket.EAI_NONAME, Failure.DNS),
        (socket.EAI_NODATA, Failure.DNS),
    ],
)
def test_a_resolver_that_cannot_ask_is_ours(
    transport: Open, number: int, error: Failure
) -> None:
    """A name that does not exist is the endpoint's; a resolver that gets no answer is not."""
    result = transport(resolver=unresolved(number)).send("http://a.example/", {}, b"{}")
    assert (result.status, result.error) == (None, error)


@pytest.mark.allow_hosts(["255.255.255.255"])
def test_no_route_is_ours(transport: Open) -> None:
    """An address that no way leads to from here: the system says so at once."""
    # No TCP connection is ever made to all hosts of a network.
    one = transport(
        allow=["240.0.0.0/4"], resolver=names(a_example=["255.255.255.255"])
    )
    result = one.send("http://a.example:8009/", {}, b"{}")
    assert (result.status, result.error) == (None, Failure.OUR_NETWORK)


def test_deadline_while_connecting(transport: Open) -> None:
    """A host that swallows the handshake of TCP is left at the deadline."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        fillers = []
        for _ in range(4):  # a full backlog answers nobody
            filler = socket.socket()
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(listener.getsockname())
            fillers.append(filler)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        result = transport(deadline_s=DEADLINE_S).send(url, {}, b"{}")
        for filler in fillers:
            filler.close()
    assert_late(result)
    assert result.detail == "no connection in time"


def test_deadline_while_sending(transport: Open) -> None:
    """A receiver that never reads does not hold up the sender of a large body."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        result = transport(deadline_s=DEADLINE_S).send(url, {}, b"x" * 50_000_000)
    assert_late(result)


def test_deadline_between_connecting_and_sending(serve: Any) -> None:
    """A connection that is made as the time runs out is not used any more."""
    attempt = Attempt(
        0.0, Rules(allow_private=True, allow=(), resolver=socket.getaddrinfo)
    )
    with closing(
        socket.create_connection(("127.0.0.1", serve(saying(NO_CONTENT)).port))
    ) as late:
        attempt.cut()
        with pytest.raises(TimeoutError):
            attempt.watch(late)


def test_a_gigabyte_is_not_read(serve: Any, transport: Open) -> None:
    """At most 4 kB of an answer are read, however much is announced and sent."""
    sent = 0

    def pour(connection: socket.socket, _: bytes) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)
            sent += 65536

    result = transport().send(serve(pour).url, {}, b"{}")
    assert (result.status, len(result.response_head)) == (200, RESPONSE_HEAD_BYTES)
    assert result.duration_ms < 2000
    assert sent < 100_000_000


# --- only vetted addresses are dialled ----------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:{port}/",
        "https://2130706433:{port}/",
        "https://[::ffff:127.0.0.1]:{port}/",
    ],
)
def test_private_address_is_never_dialled(
    serve: Any, transport: Open, url: str
) -> None:
    """Without leave for private addresses no connection is made, and the refusal is a result."""
    server = serve(saying(NO_CONTENT))
    result = transport(allow_private=False).send(
        url.format(port=server.port), {}, b"{}"
    )
    assert (result.status, result.error) == (None, Failure.ADDRESS_REFUSED)
    assert result.detail.startswith("private_address")
    assert server.connections == 0


@pytest.mark.parametrize(
    "answers", ["1.1.1.1 127.0.0.1", "127.0.0.1 1.1.1.1", "127.0.0.1"]
)
def test_name_with_a_private_address_is_never_dialled(
    serve: Any, transport: Open, answers: str
) -> None:
    """One private answer among public ones refuses the name before anything is dialled."""
    server = serve(saying(NO_CONTENT))
    guarded = transport(allow_private=False, resolver=names(shop_example=[answers]))
    result = guarded.send(f"https://shop.example:{server.port}/", {}, b"{}")
    assert result.error is Failure.ADDRESS_REFUSED
    assert server.connections == 0


def test_rebinding_finds_no_second_look_up(serve: Any, transport: Open) -> None:
    """The address that was vetted is the one that is dialled: a name is looked up once per connection."""
    asked = []
    answers = names(shop_example=["127.0.0.1", "169.254.169.254"])

    def counting(host: str, port: int, **options: Any) -> list[tuple[Any, ...]]:
        asked.append(host)
        return answers(host, port, **options)

    server = serve(
        saying(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
    )
    one = transport(resolver=counting)
    url = f"http://shop.example:{server.port}/"
    assert one.send(url, {}, b"{}").status == 200
    assert asked == ["shop.example"]
    assert f"Host: shop.example:{server.port}".encode() in server.requests[0]
    assert one.send(url, {}, b"{}").error is Failure.ADDRESS_REFUSED
    assert server.connections == 1


def test_addresses_are_tried_in_order(serve: Any, transport: Open) -> None:
    """Where the first address takes no connection, the next one is tried."""
    server = serve(saying(NO_CONTENT))
    one = transport(resolver=names(shop_example=["127.0.0.2 127.0.0.1"]))
    assert one.send(f"http://shop.example:{server.port}/", {}, b"{}").status == 204


def test_unknown_name(transport: Open) -> None:
    """A name that does not exist is a failure of its own kind."""

    def unknown(*_: Any, **__: Any) -> list[tuple[Any, ...]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    result = transport(resolver=unknown).send("http://shop.example:8009/", {}, b"{}")
    assert (result.error, result.detail) == (Failure.DNS, "Name or service not known")


def test_bad_allow_list_fails_at_the_start() -> None:
    """A list that could never match is refused when the transport is made."""
    with pytest.raises(ValueError, match="neither a network"):
        Transport(allow=["10.0.0.0/99"])


# --- TLS ----------------------------------------------------------------------------------


def tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(AUTHORITY, CERTIFICATES / "shop.example.key")
    return context


LOCAL_NAMES = {"shop_example": ["127.0.0.1"], "other_example": ["127.0.0.1"]}


def test_tls_checks_the_name_and_dials_the_address(serve: Any, transport: Open) -> None:
    """The certificate is checked for the host of the URL although an address is dialled."""
    server = serve(saying(NO_CONTENT), tls())
    one = transport(ca_bundle=AUTHORITY, resolver=names(**LOCAL_NAMES))
    url = f"https://shop.example:{server.port}/"
    assert [one.send(url, {}, b"{}").status for _ in range(2)] == [204, 204]
    assert server.connections == 1


@pytest.mark.parametrize(
    ("host", "ca_bundle"),
    [
        pytest.param("other.example", AUTHORITY, id="another name"),
        pytest.param("shop.example", None, id="unknown authority"),
    ],
)
def test_tls_refuses(
    serve: Any, transport: Open, host: str, ca_bundle: str | None
) -> None:
    """A certificate for another name or of an unknown authority gets no event."""
    server = serve(saying(NO_CONTENT), tls())
    one = transport(ca_bundle=ca_bundle, resolver=names(**LOCAL_NAMES))
    result = one.send(f"https://{host}:{server.port}/", {}, b"{}")
    assert (result.status, result.error) == (None, Failure.TLS)
    assert result.detail
    assert server.requests == []


def test_tls_with_a_server_that_has_none(transport: Open) -> None:
    """Plain HTTP behind https is a failure of TLS."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with closing(connection):
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        result = transport().send(
            f"https://127.0.0.1:{listener.getsockname()[1]}/", {}, b"{}"
        )
    assert result.error is Failure.TLS
    assert result.detail


def test_tls_deadline_in_the_handshake(transport: Open) -> None:
    """A server that accepts and never shakes hands is left at the deadline."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        url = f"https://127.0.0.1:{listener.getsockname()[1]}/"
        assert_late(transport(deadline_s=DEADLINE_S).send(url, {}, b"{}"))


def test_tls_deadline_in_the_head(serve: Any, transport: Open) -> None:
    """A drip inside of TLS ends at the deadline too."""
    server = serve(dripping(b"HTTP/1.1 200 OK\r\n", b"a"), tls())
    one = transport(
        deadline_s=DEADLINE_S, ca_bundle=AUTHORITY, resolver=names(**LOCAL_NAMES)
    )
    assert_late(one.send(f"https://shop.example:{server.port}/", {}, b"{}"))


def test_ca_bundle_must_exist() -> None:
    """A missing file of authorities is found at the start, not at the first event."""
    with pytest.raises(OSError, match="No such file"):
        Transport(ca_bundle="/nowhere/ca.pem")


# --- many threads -------------------------------------------------------------------------


def test_thirty_two_threads_share_one_transport(serve: Any, transport: Open) -> None:
    """Each of many concurrent attempts gets the answer to its own body; connections are shared."""

    def echo(connection: socket.socket, request: bytes) -> None:
        body = request.partition(b"\r\n\r\n")[2]
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )

    server = serve(echo)
    one = transport()
    bodies = [b"%d" % number for number in range(320)]
    with ThreadPoolExecutor(32) as threads:
        results = list(threads.map(lambda body: one.send(server.url, {}, body), bodies))
    assert bodies == [result.response_head for result in results]
    assert server.connections <= 32


def test_one_hung_endpoint_holds_up_only_its_own_attempts(
    serve: Any, transport: Open
) -> None:
    """While some attempts wait for their deadline, others are answered at once."""
    hung, good = (
        serve(lambda connection, _: connection.recv(1)),
        serve(saying(NO_CONTENT)),
    )
    one = transport(deadline_s=DEADLINE_S)
    with ThreadPoolExecutor(16) as threads:
        waiting = [threads.submit(one.send, hung.url, {}, b"{}") for _ in range(8)]
        answered = list(threads.map(lambda _: one.send(good.url, {}, b"{}"), range(40)))
        for attempt in waiting:
            assert_late(attempt.result())
    assert {204} == {result.status for result in answered}


def test_detail_holds_nothing_secret(serve: Any, transport: Open) -> None:
    """What is stored about a failure quotes no URL, header or body."""
    server = serve(lambda connection, _: connection.shutdown(socket.SHUT_RDWR))
    url = f"{server.url}?token=s3cret"
    result = transport().send(url, {"authorization": "s3cret"}, b"s3cret")
    assert result.error is Failure.PROTOCOL
    assert "s3cret" not in result.detail
