"""Servers behind TLS: a private authority, client certificates, and what is said and shown without (ux.md row 70)."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from flowlatch.api.http import Link
from flowlatch.api.subscribe import NoPush
from flowlatch.errors import ConfigError, Unreachable
from flowlatch.profile import checked_profile
from tests.cli.conftest import execute
from tests.support.asking import ANSWERS, asked
from tests.support.authority import Authority
from tests.support.dashboard import dashboard
from tests.support.faults import FaultyServer
from tests.support.server import ServerProcess
from tests.support.stage import style_of
from tests.support.waiting import eventually_async

HERE = "127.0.0.1"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority.made(tmp_path_factory.mktemp("authority"))


def before(server: ServerProcess, tls: ssl.SSLContext) -> FaultyServer:
    """Return a TLS end before a server, as the reverse proxies are that operators put there."""
    return FaultyServer(upstream=server.url, tls=tls)


@pytest.mark.parametrize("by", ANSWERS)
async def test_a_private_authority_is_trusted_by_its_file_alone(
    by: str, shared_server: ServerProcess, authority: Authority
) -> None:
    async with before(shared_server, authority.server(HERE)) as front:
        assert await asked(shared_server, front.url, by=by, ca_file=str(authority.ca_file)) == ANSWERS[by]
        with pytest.raises(Unreachable) as caught:
            await asked(shared_server, front.url, by=by)
        assert "certificate not trusted: unable to get local issuer certificate; see ca_file" in str(caught.value)
        assert isinstance(caught.value, NoPush) is (by == "websocket")


async def test_a_request_cancelled_while_it_connects_leaves_nothing_open(
    shared_server: ServerProcess, authority: Authority
) -> None:
    async with before(shared_server, authority.server(HERE)) as front:
        await asked(shared_server, front.url, by="http", ca_file=str(authority.ca_file))
        at_rest = len(os.listdir("/proc/self/fd"))
        for turns in range(60):
            profile = checked_profile({"name": "test", "url": front.url, "ca_file": str(authority.ca_file)})
            link = Link(profile, front.url)
            request = asyncio.create_task(link.post({"query": "{ hello }"}, is_read=True))
            for _ in range(turns):
                await asyncio.sleep(0)
            request.cancel()
            await asyncio.wait([request])
            await link.aclose()
        await eventually_async(lambda: len(os.listdir("/proc/self/fd")) <= at_rest, what="all connections are closed")


@pytest.mark.parametrize("by", ANSWERS)
async def test_a_certificate_of_another_name_is_refused_unless_nothing_is_verified(
    by: str, shared_server: ServerProcess, authority: Authority
) -> None:
    async with before(shared_server, authority.server("other.example")) as front:
        with pytest.raises(Unreachable, match="certificate not trusted: IP address mismatch"):
            await asked(shared_server, front.url, by=by, ca_file=str(authority.ca_file))
        assert await asked(shared_server, front.url, by=by, verify=False) == ANSWERS[by]


@pytest.mark.parametrize("by", ANSWERS)
async def test_a_server_that_wants_a_client_certificate_gets_it(
    by: str, shared_server: ServerProcess, authority: Authority
) -> None:
    certificate, key = authority.client("operator")
    settings = {"ca_file": str(authority.ca_file), "cert_file": str(certificate), "key_file": str(key)}
    async with before(shared_server, authority.server(HERE, wants_client=True)) as front:
        assert await asked(shared_server, front.url, by=by, **settings) == ANSWERS[by]


@contextmanager
def refusing(tls: ssl.SSLContext) -> Iterator[str]:
    """Yield the URL of a server that shakes hands, tells a client what it missed and waits until that one has left.

    asyncio cuts the connection before the alert is out, which the servers of the world do not.
    """

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listening.accept()
                with tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as secured:
                    with suppress(ssl.SSLError):
                        secured.do_handshake()
                    with suppress(OSError):
                        while os.read(secured.fileno(), 4096):
                            pass

    with socket.create_server((HERE, 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://{HERE}:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
async def test_a_missing_client_certificate_is_named(
    newest: ssl.TLSVersion, shared_server: ServerProcess, authority: Authority
) -> None:
    tls = authority.server(HERE, wants_client=True)
    tls.maximum_version = newest
    with refusing(tls) as url, pytest.raises(Unreachable, match="the server wants a client certificate; see cert_file"):
        await asked(shared_server, url, by="http", ca_file=str(authority.ca_file))


@pytest.mark.parametrize("by", ANSWERS)
async def test_https_where_http_is_spoken_is_named(by: str, shared_server: ServerProcess) -> None:
    with pytest.raises(Unreachable, match="no TLS is spoken there; is it http"):
        await asked(shared_server, shared_server.url.replace("http:", "https:"), by=by)


async def test_files_that_hold_no_certificate_are_named(authority: Authority, tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no certificate at all\n", "utf-8")
    certificate, _ = authority.client("keyless")
    gone = tmp_path / "gone.pem"
    wrong = (
        ({"ca_file": text}, f"certificates {text}: "),
        ({"cert_file": gone}, f"certificates {gone}: "),
        ({"cert_file": text}, f"certificates {text}: "),
        ({"cert_file": certificate}, f"certificates {certificate}: "),
    )
    for given, words in wrong:
        profile = checked_profile({"name": "p", **{name: str(path) for name, path in given.items()}})
        with pytest.raises(ConfigError) as caught:
            Link(profile, "https://ops.example")
        assert words in str(caught.value)


async def test_the_commands_take_a_ca_file_and_say_what_is_wrong_with_it(
    shared_server: ServerProcess, authority: Authority, tmp_path: Path
) -> None:
    async with before(shared_server, authority.server(HERE)) as front:
        env = shared_server.env(FLOWLATCH_SERVER=front.url)
        good = await asyncio.to_thread(execute, ("runs", "list", "--json", "--ca-file", str(authority.ca_file)), env)
        assert (good.code, good.err) == (0, "")
        bare = await asyncio.to_thread(execute, ("runs", "list", "--json"), env)
        assert (bare.code, bare.error["code"], bare.out) == (1, "UNREACHABLE", "")
        assert "certificate not trusted" in bare.error["message"]
        text = tmp_path / "notes.txt"
        text.write_text("no certificate at all\n", "utf-8")
        wrong = await asyncio.to_thread(execute, ("runs", "list", "--json", "--ca-file", str(text)), env)
        assert (wrong.code, wrong.error["code"], wrong.out) == (2, "CONFIG", "")
        assert str(text) in wrong.error["message"]


async def test_the_screen_says_in_red_that_a_server_is_not_verified(
    shared_server: ServerProcess, authority: Authority
) -> None:
    async with before(shared_server, authority.server("other.example")) as front:
        async with dashboard(shared_server, url=front.url, verify=False) as deck:
            await deck.shows("NOT VERIFIED", "● live")
            colour = style_of(deck.app, "NOT VERIFIED").color
            assert colour is not None
            red, green, blue = colour.get_truecolor()
            assert red > max(green, blue) + 60
        async with dashboard(shared_server, url=front.url, verify=False) as deck:
            await deck.press("C")
            await deck.shows("CERTIFICATE NOT VERIFIED")


async def test_the_screen_follows_a_server_behind_tls(shared_server: ServerProcess, authority: Authority) -> None:
    wire = shared_server.wire()
    flow = wire.create_flow("behind tls")
    async with (
        before(shared_server, authority.server(HERE)) as front,
        dashboard(shared_server, url=front.url, ca_file=str(authority.ca_file)) as deck,
    ):
        wire.create_run(flow, flow_run_name="seen-through-tls")
        await deck.shows("seen-through-tls", "● live")
        assert "NOT VERIFIED" not in deck.text
