"""The HTTP layer against a server that misbehaves as scripted: one clear error each, in time, within bounds."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from flowlatch.api.http import MAX_ANSWER_BYTES, AnswerLost, Garbled, Link, Reply, TooLarge, actor_header, retry_after_s
from flowlatch.config import Profile, Secret
from flowlatch.errors import BadInput, FlowlatchError, ForeignServer, Unreachable
from flowlatch.profile import checked_profile
from tests.support.faults import Answer, FaultyServer, Hang, LoseRequest
from tests.support.waiting import eventually_async

GOOD = Answer(b'{"data": {"hello": "hi"}}')
CANARY = "canary-token-51c2"


@pytest.fixture
async def faulty() -> AsyncIterator[FaultyServer]:
    async with FaultyServer() as server:
        yield server


async def ask(server: FaultyServer, *, is_read: bool = True, **options: Any) -> dict[str, Any]:
    """Send one request and return the body of the answer."""
    pauses: list[float] = []

    async def no_pause(seconds: float) -> None:
        pauses.append(seconds)

    settings = {"token": Secret(CANARY), "sleep": no_pause, "jitter": lambda: 0.5, "timeout_s": 3.0, **options}
    link = Link(Profile(name="t", url=server.url), server.url, **settings)
    try:
        return (await link.post({"query": "{ hello }"}, is_read=is_read)).body
    finally:
        await link.aclose()


async def test_the_answer_is_handed_on(faulty: FaultyServer) -> None:
    faulty.script = [GOOD]
    assert await ask(faulty) == {"data": {"hello": "hi"}}
    assert json.loads(faulty.seen[0]) == {"query": "{ hello }"}


WRONG: dict[str, tuple[Answer, type[ForeignServer], str]] = {
    "bad gateway": (Answer(b"<h1>Bad Gateway</h1>", 502, "text/html; charset=x"), Garbled, "(502, text/html): <h1>Bad"),
    "unavailable": (Answer(b"", 503, None), Garbled, "(503, no content type)"),
    "login page": (Answer(b"<html>log in", 200, "text/html"), Garbled, "(200, text/html)"),
    "empty": (Answer(b"", 200), Garbled, "(200, application/json)"),
    "no content": (Answer(b"", 204, None), Garbled, "(204, no content type)"),
    "not found": (Answer(b"nothing here", 404, "text/plain"), ForeignServer, "(404, text/plain): nothing here"),
    "redirect": (
        Answer(b"", 302, None, {"Location": "http://evil.example/"}),
        ForeignServer,
        "(302, redirects to http://evil.example/, not followed)",
    ),
    "list": (Answer(b"[1, 2]"), Garbled, "not a GraphQL answer"),
    "text": (Answer(b'"data"'), Garbled, "not a GraphQL answer"),
    "neither data nor errors": (Answer(b'{"ok": true}'), Garbled, "not a GraphQL answer"),
    "no data": (Answer(b'{"data": null}'), Garbled, "not a GraphQL answer"),
    "empty errors": (Answer(b'{"errors": []}'), Garbled, "not a GraphQL answer"),
    "errors of no shape": (Answer(b'{"errors": ["no"]}'), Garbled, "not a GraphQL answer"),
    "truncated json": (Answer(b'{"data": {"a": '), Garbled, "not a GraphQL answer"),
    "deep json": (Answer(b'{"data": ' + b"[" * 100_000), Garbled, "not a GraphQL answer"),
    "nan": (Answer(b'{"data": {"a": NaN}}'), Garbled, "not a GraphQL answer"),
    "no utf-8": (Answer(b'{"data": {"a": "\xff"}}'), Garbled, "not a GraphQL answer"),
    "escapes": (Answer(b"\x1b[2J\x1b]52;c;ZXZpbA==\x07", 500, "text/\x1b[31m"), Garbled, "not a GraphQL answer"),
    "no gzip": (Answer(b"plain", headers={"Content-Encoding": "gzip"}), Garbled, "gzip"),
}


@pytest.mark.parametrize("name", WRONG)
async def test_no_graphql_answer_is_one_clear_line(faulty: FaultyServer, name: str) -> None:
    answer, kind, words = WRONG[name]
    faulty.otherwise = answer
    with pytest.raises(ForeignServer) as caught:
        await ask(faulty, is_read=False)
    message = str(caught.value)
    assert type(caught.value) is kind
    assert words in message
    assert message.isprintable()
    assert len(message) < 300
    assert CANARY not in message
    assert len(faulty.seen) == 1, "a write is sent once"


async def test_a_redirect_is_not_followed(faulty: FaultyServer) -> None:
    async with FaultyServer(GOOD) as other:
        faulty.otherwise = Answer(b"", 307, None, {"Location": other.url})
        with pytest.raises(ForeignServer, match="not followed"):
            await ask(faulty)
        assert other.heads == []


@pytest.mark.parametrize("fault", [LoseRequest(), Answer(b'{"data": {', length=500), Answer(b"<p>", 502, "text/html")])
async def test_a_read_is_repeated_until_it_succeeds(faulty: FaultyServer, fault: Any) -> None:
    faulty.script = [fault, fault, GOOD]
    assert await ask(faulty) == {"data": {"hello": "hi"}}
    assert len(faulty.seen) == 3


async def test_a_read_is_given_up_after_three_times(faulty: FaultyServer) -> None:
    faulty.otherwise = LoseRequest()
    with pytest.raises(AnswerLost, match="was lost"):
        await ask(faulty)
    assert len(faulty.seen) == 3


async def test_a_write_whose_answer_is_lost_is_not_repeated(faulty: FaultyServer) -> None:
    faulty.otherwise = LoseRequest()
    with pytest.raises(AnswerLost):
        await ask(faulty, is_read=False)
    assert len(faulty.seen) == 1


async def test_refused_says_so_and_that_nothing_was_sent() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        link = Link(Profile(name="t", url=url), url)
        with pytest.raises(Unreachable, match="connection refused") as caught:
            await link.post({"query": "{ hello }"}, is_read=False)
        await link.aclose()
    assert not isinstance(caught.value, AnswerLost)


async def test_a_closed_connection_is_no_fault_of_ours(faulty: FaultyServer) -> None:
    link = Link(Profile(name="t", url=faulty.url), faulty.url, token=None)
    await link.aclose()
    with pytest.raises(Unreachable, match="is closed"):
        await link.post({"query": "{ hello }"}, is_read=False)


@pytest.mark.parametrize("turns", range(16))
async def test_closing_in_the_middle_of_a_request_leaves_no_connection_open(faulty: FaultyServer, turns: int) -> None:
    faulty.otherwise = Answer(GOOD.body, headers={"Connection": "keep-alive"})
    await ask(faulty)
    link = Link(Profile(name="t", url=faulty.url), faulty.url)
    request = asyncio.create_task(link.post({"query": "{ hello }"}, is_read=False))
    for _ in range(turns):
        await asyncio.sleep(0)
    await link.aclose()
    (outcome,) = await asyncio.gather(request, return_exceptions=True)
    assert isinstance(outcome, Reply | Unreachable)
    await eventually_async(lambda: faulty.connections == 0, what="the end of all connections")


async def test_what_was_sent_when_the_connection_is_closed_may_have_been_done(faulty: FaultyServer) -> None:
    faulty.otherwise = Hang()
    link = Link(Profile(name="t", url=faulty.url), faulty.url)
    request = asyncio.create_task(link.post({"query": "mutation { x }"}, is_read=False))
    await eventually_async(lambda: bool(faulty.seen), what="the request")
    await link.aclose()
    with pytest.raises(AnswerLost, match="the connection was closed"):
        await request


async def test_a_name_that_does_not_exist_is_named() -> None:
    url = "http://no-such-host.invalid"
    link = Link(Profile(name="t", url=url), url)
    with pytest.raises(Unreachable, match=r"no answer from http://no-such-host\.invalid"):
        await link.post({"query": "{ hello }"}, is_read=False)
    await link.aclose()


@pytest.mark.parametrize("fault", [Hang(), Answer(b'{"data": {"a": "' + b"x" * 500, drip_s=0.02)])
async def test_the_total_time_ends_silence_and_dripping(faulty: FaultyServer, fault: Any) -> None:
    faulty.otherwise = fault
    started = time.monotonic()
    with pytest.raises(AnswerLost, match=r"within 0\.3 s"):
        await ask(faulty, timeout_s=0.3)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("packed", [False, True])
async def test_an_answer_of_any_size_costs_at_most_16_mb(faulty: FaultyServer, packed: bool) -> None:
    body = b'{"data": {"a": "' + b"x" * (MAX_ANSWER_BYTES + 1) + b'"}}'
    headers = {"Content-Encoding": "gzip"} if packed else {}
    faulty.otherwise = Answer(gzip.compress(body, 1) if packed else body, headers=headers)
    with pytest.raises(TooLarge, match="larger than 16 MB"):
        await ask(faulty)
    assert len(faulty.seen) == 1, "asking again would be as large"


async def test_a_packed_answer_is_unpacked(faulty: FaultyServer) -> None:
    faulty.otherwise = Answer(gzip.compress(GOOD.body), headers={"Content-Encoding": "gzip"})
    assert await ask(faulty) == {"data": {"hello": "hi"}}


async def test_big_numbers_are_kept_exactly(faulty: FaultyServer) -> None:
    number = 2**70 + 1
    faulty.otherwise = Answer(b'{"data": {"a": %d}}' % number)
    assert await ask(faulty) == {"data": {"a": number}}


async def test_too_many_requests_waits_as_asked(faulty: FaultyServer) -> None:
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    faulty.script = [Answer(b"slow down", 429, "text/plain", {"Retry-After": "2"}), GOOD]
    assert await ask(faulty, sleep=pause) == {"data": {"hello": "hi"}}
    assert pauses == [2.0]
    faulty.otherwise = Answer(b"slow down", 429, "text/plain", {"Retry-After": "1000000000"})
    with pytest.raises(Unreachable) as caught:
        await ask(faulty)
    assert caught.value.retry_after_s == 60


def test_retry_after_makes_sense_of_anything() -> None:
    now = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    assert retry_after_s("7", now) == 7
    assert retry_after_s(format_datetime(now + timedelta(seconds=9), usegmt=True), now) == 9
    assert retry_after_s(format_datetime(now - timedelta(days=9), usegmt=True), now) == 0
    assert retry_after_s("9" * 400, now) == 60
    for nonsense in ("", "soon", "-5", "1e9", "٣", "Tue, 99 Nov 2026 99:99:99 GMT", "nan"):
        assert retry_after_s(nonsense, now) == 1


async def test_headers_say_who_asks_and_nothing_of_ours_shows_the_token(faulty: FaultyServer) -> None:
    faulty.otherwise = GOOD
    await ask(faulty, actor="Zoë [ops]\n")
    head = faulty.heads[0]
    assert f"authorization: bearer {CANARY}" in head.lower()
    assert "x-flowlatch-actor: zo%c3%ab %5bops%5d%0a" in head.lower()
    link = Link(Profile(name="t", url=faulty.url), faulty.url, token=Secret(CANARY))
    assert CANARY not in repr(vars(link))
    await link.aclose()


def test_an_actor_of_any_length_fits_its_header() -> None:
    assert len(actor_header("é" * 500)) <= 200
    assert actor_header("é" * 500).endswith("%C3%A9")
    assert actor_header("\ud800") == "%3F"


async def test_401_is_an_answer_about_the_token(faulty: FaultyServer) -> None:
    faulty.otherwise = Answer(b"who are you", 401, "text/plain")
    body = await ask(faulty)
    assert body["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), {1, 2}])
async def test_what_is_no_json_is_not_sent(faulty: FaultyServer, value: Any) -> None:
    link = Link(Profile(name="t", url=faulty.url), faulty.url)
    with pytest.raises(BadInput, match="cannot be sent as JSON"):
        await link.post({"query": "{ hello }", "variables": {"a": value}}, is_read=False)
    await link.aclose()
    assert faulty.seen == []


async def test_traffic_is_counted(faulty: FaultyServer) -> None:
    faulty.otherwise = GOOD
    link = Link(Profile(name="t", url=faulty.url), faulty.url)
    for _ in range(3):
        await link.post({"query": "{ hello }"}, is_read=True)
    await link.aclose()
    traffic = link.traffic
    assert traffic.requests == 3
    assert traffic.bytes_in == 3 * len(GOOD.body)
    assert traffic.bytes_out == sum(len(body) for body in faulty.seen)


async def test_cancelling_ends_a_request_at_once(faulty: FaultyServer) -> None:
    faulty.otherwise = Hang()
    task = asyncio.create_task(ask(faulty))
    await eventually_async(lambda: faulty.seen)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 1)


@pytest.mark.parametrize("option", ["ca_file", "cert_file"])
def test_a_certificate_that_cannot_be_read_is_named(option: str, tmp_path: Any) -> None:
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    profile = checked_profile({"name": "t", "url": "https://ops.example", option: str(broken)})
    with pytest.raises(FlowlatchError, match=f"certificates {broken}"):
        Link(profile, "https://ops.example")
