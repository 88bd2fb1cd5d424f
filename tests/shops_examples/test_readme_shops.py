"""The README's ways into other shops and onto the internet, followed step by step."""

import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from tests.cli.conftest import Commands
from tests.cli.conftest import cli as cli
from tests.cli.conftest import shop_at_hand as shop_at_hand
from tests.conftest import need
from tests.readme.page import ROOT, block
from tests.readme.running import sh
from tests.shops import ShopUnderTest

from regulars.keep.sites import Site
from regulars_webhooks.order_link import read_order

PUBLIC = "https://connect.tonys.example"


def followed(script: str, cli: Commands, folder: Path) -> str:
    """What the commands of a block printed, in a folder that stands for this one."""
    done = sh(script, folder, cli.folder, REGULARS_BASE_URL=PUBLIC)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_woocommerce_is_set_up(
    cli: Commands, shop_at_hand: ShopUnderTest, tmp_path: Path
) -> None:
    """The commands leave the two files that the plugin reads, and print the key it wants."""
    shutil.copytree(
        ROOT / "examples" / "woocommerce", tmp_path / "examples/woocommerce"
    )
    printed = followed(block("woocommerce"), cli, tmp_path)
    plugin = tmp_path / "examples/woocommerce/regulars"
    site = shop_at_hand.site.publishable_key
    for name in ("fields.html", "labels.json"):
        assert site in (plugin / name).read_text("utf-8")
        assert name in "".join(f.read_text("utf-8") for f in plugin.glob("*.php"))
    assert "sk_" in printed


def test_woocommerce_reads_these_settings() -> None:
    """The two constants are those of the plugin, and PHP takes the lines as they stand."""
    need(shutil.which("php") is not None, "PHP")
    code = block("woocommerce-settings") + "echo REGULARS_URL, ' ', REGULARS_KEY;"
    done = subprocess.run(
        ["php", "-r", code], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{PUBLIC} sk_…"
    plugin = ROOT / "examples/woocommerce/regulars/regulars.php"
    used = set(re.findall(r"\bREGULARS_[A-Z]+\b", plugin.read_text("utf-8")))
    assert used == set(re.findall(r"REGULARS_[A-Z]+", block("woocommerce-settings")))


def order_in(link: str, site: Site) -> str:
    """The order that the hosted page would believe."""
    parts = urlsplit(link.strip())
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{PUBLIC}/signup"
    query = parse_qs(parts.query)
    assert query["site"] == [site.publishable_key]
    return read_order(query["order"][0], site.receipt_secret, now=datetime.now(UTC))


def test_links_by_command(
    cli: Commands, shop_at_hand: ShopUnderTest, tmp_path: Path
) -> None:
    """The commands print the link of the order and draw the two squares."""
    printed = followed(block("order-link"), cli, tmp_path)
    link = printed.splitlines()[0]
    assert order_in(link, shop_at_hand.site) == "1029"
    assert (tmp_path / "receipt.svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "counter.png").read_bytes().startswith(b"\x89PNG")


def own(text: str, site: Site) -> str:
    """A block with the keys of this shop in it."""
    return text.replace("pk_…", site.publishable_key).replace(
        "rs_…", site.receipt_secret
    )


def test_links_in_python(shop_at_hand: ShopUnderTest) -> None:
    """A shop's own server signs by the wire package."""
    names: dict[str, str] = {}
    exec(own(block("order-link-python"), shop_at_hand.site), names)
    assert order_in(names["link"], shop_at_hand.site) == "1029"


def test_links_in_php(shop_at_hand: ShopUnderTest, tmp_path: Path) -> None:
    """Four lines of PHP sign as we do."""
    need(shutil.which("php") is not None, "PHP")
    file = tmp_path / "link.php"
    file.write_text(own(block("order-link-php"), shop_at_hand.site), "utf-8")
    done = subprocess.run(["php", file], capture_output=True, text=True, check=True)
    assert order_in(done.stdout, shop_at_hand.site) == "1029"


LIQUID = """
require 'liquid'
require 'openssl'
module Shopify
  def hmac_sha256(text, secret) = OpenSSL::HMAC.hexdigest('SHA256', secret, text)
end
Liquid::Template.register_filter(Shopify)
puts Liquid::Template.parse(STDIN.read).render!({ 'name' => '#1029' })
"""


def test_links_in_liquid(shop_at_hand: ShopUnderTest) -> None:
    """Shopify's own Liquid signs as we do; its one filter that is not in Liquid is stood in for."""
    ruby = shutil.which("ruby")
    found = ruby and subprocess.run([ruby, "-e", "require 'liquid'"], capture_output=True, check=False)  # fmt: skip
    need(bool(found) and found.returncode == 0, "Liquid (Debian: ruby-liquid)")
    text = own(block("order-link-liquid"), shop_at_hand.site)
    done = subprocess.run([str(ruby), "-e", LIQUID], input=text, capture_output=True, text=True, check=True)  # fmt: skip
    (link,) = re.findall('href="([^"]+)"', done.stdout)
    assert order_in(link, shop_at_hand.site) == "#1029"


# Runs what is said to a container here, and writes down all else that was wanted.
DOCKER = """#!/bin/sh
echo "$@" >> "$HOME/docker.log"
[ "$1 $2 $3" = "compose exec regulars" ] || exit 0
shift 3
exec "$@"
"""


@pytest.mark.parametrize("where", ["README", "examples/deploy"])
def test_the_way_onto_the_internet(cli: Commands, tmp_path: Path, where: str) -> None:
    """With a Docker that runs the commands here, the steps leave a shop that can sell."""
    (tmp_path / "bin").mkdir()
    docker = tmp_path / "bin" / "docker"
    docker.write_text(DOCKER, "utf-8")
    docker.chmod(0o755)
    deploy = ROOT / "examples" / "deploy"
    shutil.copytree(deploy, tmp_path / "examples" / "deploy")
    script = block("deploy")
    if where != "README":
        text = (deploy / "README.md").read_text("utf-8")
        (steps,) = re.findall(
            r"<!-- run: compose -->\n```sh\n(.*?)^```", text, re.S | re.M
        )
        # What the README says is what its page says.
        assert script == f"cd examples/deploy\n{steps}"
        script = f"cd examples/deploy\n{steps}"
    followed(
        f"PATH={shlex.quote(str(tmp_path / 'bin'))}:$PATH\n{script}", cli, tmp_path
    )
    env = (tmp_path / "examples/deploy/.env").read_text("utf-8")
    assert env == "DOMAIN=connect.tonys.example\nSHOP_NAME=Tony's\n"
    wanted = (tmp_path / "docker.log").read_text("utf-8").splitlines()
    assert wanted[0] == "compose up --build --detach"
    assert [site["name"] for site in cli.json("site", "list")] == ["Shop"]
    assert [key["name"] for key in cli.json("key", "list")] == ["shop server"]
    assert [e["url"] for e in cli.json("endpoint", "list")] == [
        "https://tonys.example/hook"
    ]
