"""Answers that leave the machine are compressed for clients that understand it. Source: performance.md §4."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator

import pytest

from flowlatch.server.compression import AT_ONCE_BYTES, is_wanted
from tests.server.conftest import raw
from tests.support.server import ServerProcess

GZIP = {"Accept-Encoding": "gzip, deflate"}


@pytest.fixture(scope="module")
def public(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that is told that others than this machine ask it."""
    with ServerProcess(tmp_path_factory.mktemp("public"), "--public", "--no-scheduler") as server:
        yield server


def body(text_bytes: int) -> bytes:
    """Return a question whose answer is about that long."""
    names = " ".join(f"n{number}: hello" for number in range(text_bytes // 16))
    return json.dumps({"query": f"{{ {names} }}"}).encode()


@pytest.mark.parametrize("size", [4_000, 40_000])
def test_a_long_answer_is_the_same_and_shorter(public: ServerProcess, size: int) -> None:
    plain = raw(public, "POST", "/graphql", body=body(size))
    small = raw(public, "POST", "/graphql", GZIP, body(size))
    assert "content-encoding" not in plain.headers
    assert (small.headers["content-encoding"], small.headers["vary"]) == ("gzip", "accept-encoding")
    assert int(small.headers["content-length"]) == len(small.body) < len(plain.body) / 3
    assert small.headers["content-type"] == plain.headers["content-type"] == "application/json"
    assert gzip.decompress(small.body) == plain.body


def test_a_very_long_answer_is_compressed_beside_the_loop(public: ServerProcess) -> None:
    wire = public.wire()
    text = "x" * (2 * AT_ONCE_BYTES)
    run_id = wire.create_run(wire.create_flow("long"), parameters={"text": text})
    question = json.dumps({"query": f'{{ flow_run_by_pk(id: "{run_id}") {{ parameters }} }}'}).encode()
    reply = raw(public, "POST", "/graphql", GZIP, question)
    assert len(reply.body) < AT_ONCE_BYTES / 10
    assert json.loads(gzip.decompress(reply.body))["data"]["flow_run_by_pk"]["parameters"] == {"text": text}


def test_a_short_answer_and_one_for_this_machine_stay_as_they_are(
    public: ServerProcess, shared_server: ServerProcess
) -> None:
    assert "content-encoding" not in raw(public, "GET", "/health", GZIP).headers
    assert "content-encoding" not in raw(shared_server, "POST", "/graphql", GZIP, body(4_000)).headers


def test_the_client_of_this_program_reads_it(public: ServerProcess) -> None:
    assert public.wire().post(json.loads(body(4_000))["query"]).json()["data"]["n0"]


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=0.5", True),
        ("br, gzip ; q=1.0, *", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("x-gzipped", False),
    ],
)
def test_only_clients_that_say_so_get_it(said: str, wanted: bool) -> None:
    assert is_wanted({"accept-encoding": said}) is wanted
