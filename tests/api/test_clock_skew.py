"""How far a server's clock is ahead is known from connecting to it, without a further request. Source: ux.md row 33."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from flowlatch.api.opener import open_backend
from flowlatch.config import Profile, Target
from tests.support.faults import Answer, FaultyServer

DAY = timedelta(days=1)
UNKNOWN_FIELD = b'{"errors": [{"message": "Cannot query field", "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}]}'


Answers = Callable[[datetime], list[Answer]]


def ours(now: datetime) -> list[Answer]:
    """What a server of ours answers by whose clock it is `now`."""
    capabilities = {"server_id": "db", "locking": "ENFORCED", "now": now.isoformat()}
    data = {"api": {"version": "1", "capabilities": capabilities}, "flow_run_changes": {"cursor": "db:7"}}
    return [Answer(json.dumps({"data": data}).encode())]


def prefect1(now: datetime) -> list[Answer]:
    """The same of a Prefect 1 server, which tells the time by its header alone."""
    date = {"Date": format_datetime(now, usegmt=True)}
    data = {"api": {"version": "1"}, "flow_run": []}
    return [Answer(UNKNOWN_FIELD, headers=date), Answer(json.dumps({"data": data}).encode(), headers=date)]


def prefect3(now: datetime) -> list[Answer]:
    """The same of a Prefect 3 server."""
    date = {"Date": format_datetime(now, usegmt=True)}
    no_token = b'{"detail":"CSRF protection is disabled."}'
    return [Answer(b"true", headers=date), Answer(b'"3.8.8"', headers=date), Answer(no_token, 422, headers=date)]


@pytest.mark.parametrize("ahead", [timedelta(0), DAY, -DAY], ids=["agree", "ahead", "behind"])
@pytest.mark.parametrize(("answers", "path"), [(ours, ""), (prefect1, ""), (prefect3, "/api")])
async def test_connecting_tells_how_far_the_clocks_are_apart(answers: Answers, path: str, ahead: timedelta) -> None:
    async with FaultyServer() as server:
        server.on_request = lambda _: answers(datetime.now(UTC) + ahead)[len(server.seen) - 1]
        backend = await open_backend(Target(Profile(name="t", url=server.url + path), token=None, actor="me"))
        await backend.aclose()
    before, there, after = datetime.now(UTC), backend.now(), datetime.now(UTC)
    assert abs(there - before - ahead) < timedelta(seconds=2)
    assert (before <= there <= after) is (ahead == timedelta(0)), "what the way hides is no difference"
