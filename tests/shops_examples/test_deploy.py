"""The ways onto the internet: what can be run of them here is run, the rest is read closely."""

import http.client
import os
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from tests.acceptance.running import (
    Shop,
    call,
    eventually,
    free_port,
    is_listened_on,
    make_shop,
)
from tests.conftest import need
from tests.shops import EMAIL, HANDLE
from tests.shops_examples.fresh import ROOT, need_package_index, run

from regulars.setting_rows import SETTINGS

DEPLOY = ROOT / "examples" / "deploy"
UNIT = DEPLOY / "regulars@.service"


def text(name: str) -> str:
    return (DEPLOY / name).read_text("utf-8")


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load(text("compose.yaml"))


def test_two_variables_make_a_shop() -> None:
    """compose.yaml asks for domain and name, says so when one is missing, and wants no third."""
    asked = re.findall(r"\$\{(\w+)(:\?)?", text("compose.yaml"))
    assert set(asked) == {("DOMAIN", ":?"), ("SHOP_NAME", ":?")}


def test_only_caddy_is_reached_from_outside(compose: Any) -> None:
    """The service opens no port of the host, trusts one proxy, and that one waits for it."""
    service, caddy = compose["services"]["regulars"], compose["services"]["caddy"]
    assert "ports" not in service
    assert "network_mode" not in service
    assert caddy["ports"] == ["80:80", "443:443", "443:443/udp"]
    assert service["environment"]["REGULARS_TRUSTED_PROXIES"] == "1"
    assert service["environment"]["REGULARS_BASE_URL"].startswith("https://${DOMAIN")
    assert caddy["depends_on"] == {"regulars": {"condition": "service_healthy"}}
    assert "{$UPSTREAM:regulars:8000}" in text("Caddyfile")


def test_what_compose_names_is_there(compose: Any) -> None:
    """Every file and volume that is named exists, and every setting is one of ours."""
    service, caddy = compose["services"]["regulars"], compose["services"]["caddy"]
    context = (DEPLOY / service["build"]["context"]).resolve()
    assert context == ROOT
    assert (context / service["build"]["dockerfile"]).samefile(DEPLOY / "Containerfile")
    mounts = [mount.split(":")[0] for mount in service["volumes"] + caddy["volumes"]]
    named = {mount for mount in mounts if not mount.startswith(".")}
    assert named == set(compose["volumes"])
    assert all((DEPLOY / mount).is_file() for mount in mounts if mount.startswith("."))
    known = {f"REGULARS_{row.name}" for row in SETTINGS}
    assert set(service["environment"]) <= known
    # What must outlive the container is the one place that it may write to.
    assert (service["read_only"], service["volumes"]) == (True, ["data:/data"])
    assert re.search(r"^VOLUME /data$", text("Containerfile"), re.MULTILINE)


def steps(stage: int) -> list[tuple[str, str]]:
    """Instruction and argument of each line of one stage of the Containerfile."""
    lines = [
        line
        for line in text("Containerfile").splitlines()
        if line and not line.startswith("#")
    ]
    found: list[list[tuple[str, str]]] = []
    for line in lines:
        instruction, _, argument = line.partition(" ")
        if instruction == "FROM":
            found.append([])
        found[-1].append((instruction, argument))
    return found[stage]


def the(instruction: str) -> str:
    """The argument of an instruction that the last stage has once."""
    (argument,) = [a for i, a in steps(-1) if i == instruction]
    return argument


def test_the_container_runs_as_nobody_special() -> None:
    """The last stage is a slim Python, a user of its own, and nothing but the service."""
    assert [i for i, _ in steps(-1)] == [
        "FROM", "COPY", "RUN", "RUN", "ENV", "USER", "WORKDIR", "VOLUME", "EXPOSE", "HEALTHCHECK", "CMD",
    ]  # fmt: skip
    assert the("FROM") == "docker.io/library/python:3.11-slim"
    assert the("USER") == "regulars"
    assert the("COPY") == "--from=build /opt/regulars /opt/regulars"
    assert "REGULARS_DATA_DIR=/data" in the("ENV")


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the build stage makes, step by step, in folders that stand for the image's."""
    folder = tmp_path_factory.mktemp("image")
    need_package_index(folder)
    base, source = folder / "base", folder / "src"
    # The base image: a Python with pip.
    assert run(sys.executable, "-m", "venv", base).returncode == 0
    source.mkdir()
    for instruction, argument in steps(0)[2:]:
        if instruction == "COPY":
            *names, target = shlex.split(argument)
            for name in names:
                copied = source if target == "./" else source / target
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
                copy(ROOT / name, copied)
        else:
            assert instruction == "RUN"
            command = _here(argument, folder)
            done = run("sh", "-euc", command, cwd=source, path=[base / "bin"])
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return folder


def _here(command: str, folder: Path) -> str:
    """*command* with the image's folders under *folder*, and the caches of this machine."""
    for place in ("/opt/regulars", "/wheels"):
        command = command.replace(place, f"{folder}{place}")
    return command.replace(" --no-cache-dir", "").replace(" --no-cache", "")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_image_holds_what_the_lock_says(image: Path) -> None:
    """The service is installed in the versions of the lock, and no tool of development."""
    (packages,) = (image / "opt/regulars/lib").glob("python*/site-packages")
    names = {p.name.partition("-")[0] for p in packages.glob("*.dist-info")}
    assert {"regulars", "flask", "granian", "psycopg", "segno", "tweepy"} <= names
    assert names & {"pytest", "mypy", "ruff", "playwright", "uv", "hypothesis", "setuptools", "pip"} == set()  # fmt: skip
    lock = (ROOT / "requirements.txt").read_text("utf-8")
    # One package may be locked in several versions, each for its Pythons.
    pinned = set(re.findall(r"^([\w.-]+==[^\s;]+)", lock, re.MULTILINE))
    for dist in packages.glob("*.dist-info"):
        name, version = dist.name.removesuffix(".dist-info").rsplit("-", 1)
        if name != "regulars":
            assert f"{name.replace('_', '-').lower()}=={version}" in pinned


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_changed_file_is_not_installed(image: Path) -> None:
    """With other hashes in the lock the step that installs stops."""
    (step,) = [a for _, a in steps(0) if "--require-hashes -c" in a]
    source = image / "changed"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    lock = (ROOT / "requirements.txt").read_text()
    (source / "requirements.txt").write_text(re.sub("sha256:.", "sha256:0", lock))
    other = image / "other"
    shutil.copytree(image / "opt", other / "opt", symlinks=True)
    again = _here(step, other) + " --reinstall --no-cache"
    done = run("sh", "-euc", again, cwd=source, path=[image / "base" / "bin"])
    assert done.returncode != 0
    assert "hash mismatch" in done.stderr.lower()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_container_starts_and_is_healthy(image: Path, tmp_path: Path) -> None:
    """The command serves on the platform's PORT, the check sees it, a stop ends all of it."""
    port = free_port()
    environment = {
        "PATH": f"{image}/opt/regulars/bin:{os.environ['PATH']}",
        "REGULARS_DATA_DIR": str(tmp_path / "data"),
        "PORT": str(port),
    }
    start, check = (yaml.safe_load(word) for word in (the("CMD"), the("HEALTHCHECK").partition(" CMD ")[2]))  # fmt: skip

    def is_healthy() -> bool:
        done = subprocess.run(check, env=environment, capture_output=True, check=False)
        return done.returncode == 0

    assert not is_healthy()
    with subprocess.Popen(start, env=environment, stderr=subprocess.DEVNULL) as started:
        try:
            eventually(is_healthy, within_s=30, what="the health check")
            started.send_signal(signal.SIGTERM)
            assert started.wait(15) == 0
        finally:
            started.kill()
    assert not is_listened_on(port)
    assert (tmp_path / "data" / "regulars.sqlite3").is_file()


def unit() -> dict[str, list[str]]:
    """The directives of the unit; one that is given twice has two values."""
    found: dict[str, list[str]] = {}
    for line in UNIT.read_text("utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_the_unit_keeps_shops_apart() -> None:
    """Each shop has user, settings, folder and port of its own, and ends as a whole."""
    found = unit()
    assert found["KillMode"] == ["control-group"]
    assert found["User"] == ["regulars-%i"]
    assert found["EnvironmentFile"] == ["/etc/regulars/%i.env"]
    assert found["StateDirectory"] == ["regulars/%i"]
    assert found["StateDirectoryMode"] == ["0700"]
    assert found["Environment"][0].startswith("REGULARS_DATA_DIR=%S/regulars/%i ")
    assert found["ExecStart"][0].endswith("serve --host 127.0.0.1 --port ${PORT}")
    assert found["Restart"] == ["always"]


def test_systemd_reads_the_unit(tmp_path: Path) -> None:
    """systemd has nothing to remark on an instance of it, and calls it well confined."""
    need(shutil.which("systemd-analyze") is not None, "systemd-analyze")
    # It wants the program to be there.
    regulars = str(Path(sys.executable).with_name("regulars"))
    changed = UNIT.read_text("utf-8").replace("/opt/regulars/bin/regulars", regulars)
    (tmp_path / UNIT.name).write_text(changed, "utf-8")
    verified = run(
        "systemd-analyze", "verify", "./regulars@tonys.service", cwd=tmp_path
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    judged = run(
        "systemd-analyze", "security", "--offline=true", "--threshold=20", f"./{UNIT.name}", cwd=tmp_path
    )  # fmt: skip
    assert judged.returncode == 0, judged.stdout[-300:]


class Visitor(http.client.HTTPSConnection):
    """A visitor of https://localhost, who comes from an address of their own."""

    def __init__(self, port: int, root: Path, address: str) -> None:
        self._tls = ssl.create_default_context(cafile=str(root))
        super().__init__("127.0.0.1", port, timeout=10, context=self._tls)
        self._address = address

    def connect(self) -> None:
        plain = socket.create_connection(("127.0.0.1", self.port), 10, (self._address, 0))  # fmt: skip
        self.sock = self._tls.wrap_socket(plain, server_hostname="localhost")

    def ask(
        self, method: str, path: str, body: str | None = None, **headers: str
    ) -> Any:
        """Status, headers and text of one answer."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self.request(method, path, body, {"Host": f"localhost:{self.port}", **sent})
        answer = self.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()


@contextmanager
def caddy(folder: Path, upstream: str, port: int) -> Iterator[Path]:
    """A Caddy with the shipped Caddyfile on *port*: the certificate to trust."""
    plain = free_port()
    # Only what an unprivileged test needs is added: other ports, no installed trust.
    options = (
        f"{{\nadmin off\nhttp_port {plain}\nhttps_port {port}\nskip_install_trust\n"
    )
    shipped = re.sub(r"^\{\n", options, text("Caddyfile"), count=1, flags=re.MULTILINE)
    (folder / "Caddyfile").write_text(shipped, "utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "DOMAIN": "localhost",
        "UPSTREAM": upstream,
    }
    command = ["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"]
    log = folder / "caddy.log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=out, stderr=out
        ) as started,  # fmt: skip
    ):
        try:
            root = folder / "caddy/pki/authorities/local/root.crt"
            eventually(
                lambda: (
                    started.poll() is None and root.is_file() and is_listened_on(port)
                ),
                within_s=20,
                what="Caddy",
            )
            eventually(
                lambda: (
                    folder / "caddy/certificates/local/localhost/localhost.crt"
                ).is_file(),
                what="its certificate",
            )
            yield root
        finally:
            started.terminate()
            started.wait(10)
    # What Caddy writes is no place for customers either.
    assert [word for word in (EMAIL, HANDLE, "/p/") if word in log.read_text()] == []


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory, empty_database: Path) -> Iterator[tuple[Shop, int, Path]]:  # fmt: skip
    """A shop behind the shipped Caddyfile: its port and the certificate to trust."""
    need(shutil.which("caddy") is not None, "Caddy")
    folder = tmp_path_factory.mktemp("public")
    port = free_port()
    settings = {"TRUSTED_PROXIES": "1", "BASE_URL": f"https://localhost:{port}"}
    with (
        make_shop(folder / "data", empty_database, **settings) as shop,
        caddy(folder, f"127.0.0.1:{shop.service.port}", port) as root,
    ):
        shop.service.start()
        yield shop, port, root


@pytest.mark.slow
def test_the_numbers_of_the_business_stay_inside(
    public: tuple[Shop, int, Path],
) -> None:
    """What Prometheus reads is not for the internet."""
    shop, port, root = public
    with closing(Visitor(port, root, "127.0.0.1")) as visitor:
        assert visitor.ask("GET", "/metrics")[0] == 404
        assert visitor.ask("GET", "/healthz")[0] == 200
    assert call("GET", f"{shop.service.url}/metrics").status == 200


@pytest.mark.slow
def test_a_signup_through_caddy(public: tuple[Shop, int, Path]) -> None:
    """By https the page opens, its form is taken, and every link leads to the public name."""
    shop, port, root = public
    with closing(Visitor(port, root, "127.0.0.1")) as visitor:
        page = f"/signup?site={shop.publishable_key}"
        status, headers, html = visitor.ask("GET", page, Accept_Encoding="identity")
        assert status == 200
        assert headers["Strict-Transport-Security"] == "max-age=31536000"
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', html))
        typed = {**hidden, "contact_channel": "email", "contact_email": EMAIL}
        browser = {
            "Content_Type": "application/x-www-form-urlencoded",
            "Origin": f"https://localhost:{port}",
            "Accept_Encoding": "identity",
        }
        status, headers, _ = visitor.ask("POST", "/signup", urlencode(typed), **browser)
        assert (status, headers["Location"].startswith("/signup/thanks/")) == (
            303,
            True,
        )
        assert visitor.ask("GET", headers["Location"])[0] == 200
    (row,) = shop.service.rows("SELECT body_own FROM event")
    assert f"https://localhost:{port}/p/" in str(row["body_own"])


@pytest.mark.slow
def test_visitors_are_counted_one_by_one(public: tuple[Shop, int, Path]) -> None:
    """Behind Caddy each visitor has a limit of their own, and no header talks them out of it."""
    _, port, root = public
    path = "/p/nobodys-link"
    with closing(Visitor(port, root, "127.0.0.2")) as eager:
        statuses = [eager.ask("GET", path)[0] for _ in range(61)]
        assert (statuses[:60], statuses[60]) == ([404] * 60, 429)
        forged = {"X_Forwarded_For": "203.0.113.9", "X_Real_IP": "203.0.113.9"}
        assert eager.ask("GET", path, **forged)[0] == 429
    with closing(Visitor(port, root, "127.0.0.3")) as other:
        assert other.ask("GET", path)[0] == 404


@pytest.mark.slow
def test_plain_http_is_led_to_https(tmp_path: Path) -> None:
    """The shipped Caddyfile is valid as it stands, in Caddy's own form, and redirects."""
    need(shutil.which("caddy") is not None, "Caddy")
    config = DEPLOY / "Caddyfile"
    place = {"HOME": str(tmp_path), "DOMAIN": "connect.tonys.example"}
    adapted = run("caddy", "adapt", "--config", config, "--validate", **place)
    assert adapted.returncode == 0, adapted.stderr
    assert '"dial":"regulars:8000"' in adapted.stdout
    assert run("caddy", "fmt", config, **place).stdout == text("Caddyfile")
    assert '"disable_redirects"' not in adapted.stdout
