"""Servers that are reached through a proxy, which the environment names as everywhere (ux.md row 70)."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from flowlatch.api.http import Link
from flowlatch.api.subscribe import NoPush
from flowlatch.config import Profile
from flowlatch.errors import ConfigError, FlowlatchError, ForeignServer, Unreachable
from tests.support.asking import ANSWERS, asked
from tests.support.authority import Authority
from tests.support.dashboard import dashboard
from tests.support.faults import FaultyServer
from tests.support.proxy import Proxy
from tests.support.server import ServerProcess

NAME = "ops.example"
"""Nobody resolves it: whoever gets there came through the proxy."""
LOGIN = "operator:canary-password-77"


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine's own environment says about proxies."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("login", ["", LOGIN], ids=["open", "with a login"])
@pytest.mark.parametrize("by", ANSWERS)
async def test_a_server_behind_tls_is_reached_through_a_tunnel(
    by: str, login: str, shared_server: ServerProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority.made(tmp_path)
    async with (
        FaultyServer(upstream=shared_server.url, tls=authority.server(NAME)) as front,
        Proxy({NAME: front.port}, login=login) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{login}{'@' if login else ''}{proxy.address}")
        answer = await asked(shared_server, f"https://{NAME}", by=by, ca_file=str(authority.ca_file))
        assert answer == ANSWERS[by]
        assert proxy.asked == [f"CONNECT {NAME}:443"]


@pytest.mark.parametrize(("by", "wanted"), [("http", f"POST http://{NAME}/"), ("websocket", f"CONNECT {NAME}:80")])
async def test_plain_http_goes_through_a_proxy_too(
    by: str, wanted: str, shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FaultyServer(upstream=shared_server.url) as front, Proxy({NAME: front.port}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        assert await asked(shared_server, f"http://{NAME}", by=by, insecure=True) == ANSWERS[by]
        assert proxy.asked == [wanted]


@pytest.mark.parametrize("by", ANSWERS)
async def test_this_machine_and_what_no_proxy_names_are_reached_directly(
    by: str, shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Proxy({}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        assert await asked(shared_server, shared_server.url, by=by) == ANSWERS[by]
        monkeypatch.setenv("NO_PROXY", ".example")
        with pytest.raises(Unreachable):
            await asked(shared_server, f"http://{NAME}", by=by, insecure=True)
        assert proxy.asked == []


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_trouble_with_the_proxy_names_the_proxy_and_never_its_password(
    scheme: str, shared_server: ServerProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[FlowlatchError] = []
    port = closed_port()
    monkeypatch.setenv(f"{scheme}_proxy", f"http://{LOGIN}@127.0.0.1:{port}")
    for by in ANSWERS:
        with pytest.raises(Unreachable, match=rf"proxy 127\.0\.0\.1:{port}.*connection refused") as refused:
            await asked(shared_server, f"{scheme}://{NAME}", by=by, insecure=True)
        told.append(refused.value)
    async with Proxy({NAME: port}, login="somebody:else") as proxy:
        monkeypatch.setenv(f"{scheme}_proxy", f"http://{LOGIN}@{proxy.address}")
        with pytest.raises((Unreachable, ForeignServer), match="407") as denied:
            await asked(shared_server, f"{scheme}://{NAME}", by="http", insecure=True)
        with pytest.raises(NoPush, match="407") as not_upgraded:
            await asked(shared_server, f"{scheme}://{NAME}", by="websocket", insecure=True)
        told += [denied.value, not_upgraded.value]
    for error in told:
        assert "canary" not in f"{error!r} {error}"
        assert str(error).isprintable()


@pytest.mark.parametrize(
    "address", ["socks5://127.0.0.1:1080", "ftp://127.0.0.1:21", "http://[::1", "http://proxy:port"]
)
def test_a_proxy_that_cannot_be_used_is_one_clear_line(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", address)
    with pytest.raises(ConfigError, match="proxy") as caught:
        Link(Profile(name="far", url=f"https://{NAME}"), f"https://{NAME}")
    assert "\n" not in str(caught.value)


async def test_the_screen_is_live_through_a_proxy_and_marks_what_is_not_encrypted(
    shared_server: ServerProcess, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config.toml").write_text(f'[profiles.far]\nurl = "http://{NAME}"\ninsecure = true\n', "utf-8")
    wire = shared_server.wire()
    flow = wire.create_flow("far")
    async with FaultyServer(upstream=shared_server.url) as front, Proxy({NAME: front.port}) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        async with dashboard(shared_server, name="far") as deck:
            wire.create_run(flow, flow_run_name="by-proxy")
            await deck.shows("by-proxy", "● live", "NOT ENCRYPTED")
        assert any(asked.startswith("CONNECT") for asked in proxy.asked)
