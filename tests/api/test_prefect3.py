"""What the adapter for Prefect 3 asks, reads and makes of errors, without such a server; with one: tests/prefect3."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from flowlatch.api.convert import Unreadable
from flowlatch.api.opener import open_backend
from flowlatch.api.prefect3 import convert
from flowlatch.api.prefect3.backend import Prefect3Backend
from flowlatch.api.prefect3.query import plan
from flowlatch.config import Target
from flowlatch.errors import BackendError, ForeignServer, NotFound, Rejected, Unauthorized, Unreachable
from flowlatch.model.match import matches
from flowlatch.model.query import RunQuery, Sort, SortKey
from flowlatch.model.run import FlowRun, RunId
from flowlatch.model.state import Category, State, category_of, names_in
from flowlatch.model.versions import next_version_label, version_label
from flowlatch.profile import checked_profile
from tests.support.faults import Answer, FaultyServer

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
FAILED, SUCCESS, RUNNING = (tuple(names_in(each)) for each in (Category.FAILED, Category.SUCCESS, Category.RUNNING))
HELLO = (
    Answer(b"true"),
    Answer(b'"3.8.8"'),
    Answer(b'{"detail":"CSRF protection is disabled."}', 422),
)
"""What a server answers to the probe."""


@pytest.mark.parametrize(
    ("query", "bodies"),
    [
        (RunQuery(), [{}]),
        (RunQuery(states=FAILED), [{"flow_runs": {"state": {"type": {"any_": ["FAILED", "CRASHED"]}}}}]),
        (RunQuery(states=("Failed",)), [{"flow_runs": {"state": {"name": {"any_": ["Failed"]}}}}]),
        (RunQuery(states=("Success",)), [{"flow_runs": {"state": {"name": {"any_": ["Completed"]}}}}]),
        (RunQuery(not_states=RUNNING), [{"flow_runs": {"state": {"type": {"not_any_": ["RUNNING", "CANCELLING"]}}}}]),
        (RunQuery(late=True), [{"flow_runs": {"state": {"name": {"any_": ["Late"]}}}}]),
        (RunQuery(labels=("a", "b")), [{"flow_runs": {"tags": {"all_": ["a", "b"]}}}]),
        (RunQuery(flow="etl"), [{"flows": {"name": {"like_": "etl"}}}]),
        (RunQuery(key="k"), [{"flow_runs": {"idempotency_key": {"any_": ["k"]}}}]),
        (RunQuery(since=NOW), [{"flow_runs": {"expected_start_time": {"after_": "2026-12-01T09:00:00+00:00"}}}]),
        (
            RunQuery(text="x", labels=("a",)),
            [
                {"flow_runs": {"tags": {"all_": ["a"]}, "name": {"like_": "x"}}},
                {"flow_runs": {"tags": {"all_": ["a"]}}, "flows": {"name": {"like_": "x"}}},
            ],
        ),
    ],
)
def test_what_the_server_can_decide_is_left_to_it(query: RunQuery, bodies: list[dict[str, Any]]) -> None:
    asked = plan(query)
    assert list(asked.bodies) == bodies
    assert asked.rest is None


@pytest.mark.parametrize(
    "query",
    [
        RunQuery(name="a*c"),
        RunQuery(flow="50%"),
        RunQuery(text="a_b"),
        RunQuery(text="x", flow="y"),
        RunQuery(key="retry-*"),
        RunQuery(not_text="x"),
        RunQuery(not_labels=("x",)),
        RunQuery(id_prefix="7c1f"),
    ],
)
def test_what_it_cannot_is_decided_over_its_rows(query: RunQuery) -> None:
    assert plan(query).rest is not None
    assert not plan(query).is_direct


def test_a_mixture_of_families_and_names_is_asked_by_name() -> None:
    state = plan(RunQuery(states=(*SUCCESS, "Crashed"))).bodies[0]["flow_runs"]["state"]
    assert set(state) == {"name"}
    assert {"Completed", "Crashed"} <= set(state["name"]["any_"])


@pytest.mark.parametrize("key", list(SortKey))
def test_orders_that_the_server_has_are_its_own(key: SortKey) -> None:
    asked = plan(RunQuery(sort=Sort(key=key)))
    assert asked.is_sorted is (key in (SortKey.START, SortKey.NAME))


def test_a_name_of_somebodys_own_keeps_the_category_of_its_type() -> None:
    state = convert.state({"name": "Step 2", "type": "RUNNING", "timestamp": "2026-12-01T09:00:00Z"})
    assert (state.category, state.is_finished) == (Category.RUNNING, False)
    done = convert.state({"name": "Nothing To Do", "type": "COMPLETED", "timestamp": "2026-12-01T09:00:00Z"})
    assert (done.category, done.is_finished) == (Category.SUCCESS, True)
    assert State(name="Nothing To Do").category is Category.UNKNOWN
    assert category_of("Crashed") is Category.FAILED


def test_the_version_of_a_state_is_its_time() -> None:
    first, second = (
        convert.version_of({"timestamp": f"2026-12-01T09:00:00.{digits}Z"}) for digits in ("000001", "000002")
    )
    assert second == first + 1 < 2**53, "JSON of every language holds it"
    assert version_label(first) != version_label(second)
    assert version_label(first).startswith("#")
    assert next_version_label(first) == "new"
    assert (version_label(3), next_version_label(3)) == ("v3", "v4")
    assert convert.version_of({}) == 0


def test_a_run_in_a_state_of_another_name_meets_its_family() -> None:
    run = FlowRun(id=RunId("1"), state="Step 2", family=Category.RUNNING)
    assert matches(run, RunQuery(states=RUNNING), NOW)
    assert not matches(run, RunQuery(states=("Running",)), NOW)
    assert not matches(run, RunQuery(not_states=RUNNING), NOW)
    assert run.late_by(NOW) is None


@pytest.mark.parametrize(
    "row", [None, [], {}, {"id": 3}, {"id": "x", "state": "Running"}, {"id": "x", "state": {"timestamp": "soon"}}]
)
def test_a_row_that_is_none_is_unreadable(row: Any) -> None:
    with pytest.raises(Unreadable):
        convert.flow_run(row, {})


def test_parameters_come_from_the_schema_in_its_order() -> None:
    schema = {
        "required": ["b", "a"],
        "properties": {
            "a": {"type": "integer", "position": 1},
            "b": {"$ref": "#/definitions/B", "position": 0},
            "c": {"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}], "position": 2},
            "d": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
            "e": {"$ref": "#/elsewhere"},
            "f": "no schema",
        },
        "definitions": {"B": {"enum": ["x", "y"]}},
    }
    flow = convert.deployment({"id": "1", "name": "n", "parameter_openapi_schema": schema, "parameters": {"a": 1}}, {})
    found = [(one.name, one.annotation, one.required, one.default) for one in flow.parameters]
    assert found == [
        ("b", "x|y", True, None),
        ("a", "int", False, 1),
        ("c", "datetime", False, None),
        ("d", None, False, None),
        ("e", None, False, None),
        ("f", None, False, None),
    ]


async def opened(proxy: FaultyServer, *then: Answer) -> Prefect3Backend:
    """Return a backend connected to a scripted server that goes on with these answers."""
    proxy.script = [*HELLO, *then]
    profile = checked_profile({"name": "p3", "url": f"{proxy.url}/api"})
    backend = await open_backend(Target(profile=profile, token=None, actor="me"))
    assert isinstance(backend, Prefect3Backend)
    return backend


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, b'{"exception_message":"Unauthorized"}', Unauthorized, "API key"),
        (404, b'{"detail":"Flow run not found"}', NotFound, "no flow run has the id"),
        (409, b'{"detail":"Data integrity conflict"}', Rejected, "Data integrity"),
        (
            422,
            b'{"exception_message":"Invalid request received.","request_body":{"password":"hunter2"},'
            b'"exception_detail":[{"loc":["body","a"],"msg":"too long"}]}',
            Rejected,
            "a: too long",
        ),
        (503, b'{"exception_message":"Service Unavailable"}', ForeignServer, "Service Unavailable"),
        (429, b"{}", Unreachable, "too many requests"),
        (200, b"<html>", ForeignServer, "not an answer of Prefect 3"),
        (200, b"[]", ForeignServer, "unreadable"),
        (418, b'["tea"]', ForeignServer, "418"),
        (307, b"", ForeignServer, "redirects"),
    ],
)
async def test_each_shape_of_an_error_is_told_in_one_line(
    status: int, body: bytes, kind: type[BackendError], words: str
) -> None:
    async with FaultyServer() as proxy:
        backend = await opened(proxy)
        proxy.otherwise = Answer(body, status=status, headers={"Retry-After": "60", "Location": "/x"})
        with pytest.raises(kind) as caught:
            await backend.run(RunId("1"))
        assert words in str(caught.value)
        assert "hunter2" not in str(caught.value)
        assert "\n" not in str(caught.value)
        await backend.aclose()


async def test_pages_of_unreadable_rows_are_counted() -> None:
    row = {"id": "1", "name": "\x1b[31m", "flow_id": None, "state": {"name": "Running", "type": "RUNNING"}}
    rows = json.dumps([row, {"id": 2}, "nothing", row]).encode()
    async with FaultyServer() as proxy:
        backend = await opened(proxy, Answer(rows))
        page = await backend.page(RunQuery())
        assert [run.name for run in page.rows] == ["\x1b[31m"], "raw: whoever shows it cleans it"
        assert (page.unreadable, page.total) == (3, 4)
        await backend.aclose()


async def test_something_else_behind_the_address_is_told() -> None:
    async with FaultyServer() as proxy:
        for answer in (
            Answer(b'"ok"'),
            Answer(b"<html>hello", content_type="text/html"),
            Answer(b'{"detail":"no"}', 404),
        ):
            proxy.otherwise = answer
            profile = checked_profile({"name": "p3", "url": f"{proxy.url}/api"})
            with pytest.raises(ForeignServer):
                await open_backend(Target(profile=profile, token=None, actor="me"))
