"""The filter language: what each form means, what is refused and how, and that it can be written back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowlatch.model.completion import complete_filter
from flowlatch.model.filter import FAMILIES, format_filter, parse_filter, with_states
from flowlatch.model.match import matches
from flowlatch.model.query import RunQuery
from flowlatch.model.run import FlowRun, RunId

NOW = datetime(2026, 11, 24, 13, 3, 24, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
WHOLE = "7c1f0000-0000-4000-8000-00000000e02a"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("timeout", {"text": "timeout"}),
        ("timeout at s3", {"text": "timeout at s3"}),
        ('"a:b"', {"text": "a:b"}),
        ("-retry", {"not_text": "retry"}),
        ("state:failed", {"states": FAMILIES["failed"]}),
        ("state:TimedOut", {"states": ("TimedOut",)}),
        ("state:timedout,Success", {"states": ("TimedOut", *FAMILIES["success"])}),
        ("state:late", {"late": True}),
        ("state:failed,late", {"states": FAMILIES["failed"], "late": True}),
        ("state:=failed", {"states": ("Failed",)}),
        ("state:=Crash", {"states": ("Crash",)}),
        ("-state:success", {"not_states": FAMILIES["success"]}),
        ("state:Crashed", {"states": ("Crashed",)}),
        ("flow:etl*", {"flow": "etl*"}),
        ('flow:"load daily"', {"flow": "load daily"}),
        ("-flow:test", {"not_flow": "test"}),
        ("label:prod label:eu", {"labels": ("prod", "eu")}),
        ("label:prod,eu -label:old", {"labels": ("prod", "eu"), "not_labels": ("old",)}),
        ("since:2h", {"since": NOW - timedelta(hours=2)}),
        ("until:+1h", {"until": NOW + timedelta(hours=1)}),
        ("since:today", {"since": datetime(2026, 11, 23, 23, tzinfo=UTC)}),
        ("since:yesterday", {"since": datetime(2026, 11, 22, 23, tzinfo=UTC)}),
        ("since:14:00", {"since": datetime(2026, 11, 24, 13, tzinfo=UTC)}),
        ("since:2026-11-01", {"since": datetime(2026, 10, 31, 23, tzinfo=UTC)}),
        ("since:2026-11-01T09:00:00+00:00", {"since": datetime(2026, 11, 1, 9, tzinfo=UTC)}),
        ("key:nightly-*", {"key": "nightly-*"}),
        ("id:7C1F", {"id_prefix": "7c1f"}),
        (f"id:{WHOLE}", {"ids": (WHOLE,)}),
        ("name:amber", {"name": "amber"}),
        ("STATE:late Flow:x", {"late": True, "flow": "x"}),
    ],
)
def test_each_form_means_what_the_help_says(text: str, expected: dict[str, object]) -> None:
    parsed = parse_filter(text, NOW, zone=BERLIN)
    assert parsed.problems == []
    assert parsed.query == RunQuery(**expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("state:", "state: wants a value, e.g. state:failed"),
        ("state:faild", "state:faild is unknown; did you mean state:failed?"),
        ("stat:failed", "stat: is no field; did you mean state:; fields: "),
        ("since:soon", "since:soon is no time; wants 2h, 30m"),
        ("since:9999999w", "since:9999999w is no time"),
        ("since:999999w", "since:999999w is no time"),
        ("-since:2h", "-since: cannot be turned around; use until:"),
        ("re:(", "re:( is no pattern"),
        ("id:xyz", "id:xyz wants the first digits"),
        ("flow:a flow:b", "flow: is there twice; the first counts"),
        ("since:1h until:2h", "since: is not before until:"),
        ("-one -two", "only one text can be left out"),
        ("-state:late", "-state:late cannot be asked"),
        ("x" * 2001, "the filter is longer than 2000 characters"),
    ],
)
def test_what_cannot_be_read_is_named_in_one_line(text: str, problem: str) -> None:
    (line,) = parse_filter(text, NOW).problems
    assert line.startswith(problem)
    assert "\n" not in line


def test_a_bad_condition_leaves_the_others_standing() -> None:
    parsed = parse_filter("state:faild flow:etl", NOW)
    assert parsed.query == RunQuery(flow="etl")


def test_a_pattern_is_for_the_loaded_rows_only() -> None:
    parsed = parse_filter("re:^load-\\d+ state:failed", NOW)
    assert parsed.local_regex is not None
    assert parsed.local_regex.search("LOAD-12")
    assert parsed.query == RunQuery(states=FAMILIES["failed"])


def test_it_knows_when_its_meaning_moves_with_the_clock() -> None:
    assert parse_filter("since:2h", NOW).is_relative
    assert not parse_filter("since:2026-11-01", NOW).is_relative


@given(st.text(max_size=80))
def test_any_text_is_answered(text: str) -> None:
    parsed = parse_filter(text, NOW)
    assert all(problem and "\n" not in problem.splitlines()[0] for problem in parsed.problems)


_WORD = st.text(st.characters(codec="ascii", exclude_characters='":,*', categories=("L", "N", "P")), min_size=1)


@given(
    st.builds(
        RunQuery,
        text=st.one_of(st.just(""), _WORD),
        states=st.sampled_from([(), FAMILIES["failed"], ("TimedOut",), ("Success", "TimedOut")]),
        not_states=st.sampled_from([(), FAMILIES["success"]]),
        late=st.booleans(),
        flow=st.one_of(st.just(""), _WORD),
        not_flow=st.one_of(st.just(""), _WORD),
        labels=st.lists(_WORD, max_size=2).map(tuple),
        not_text=st.one_of(st.just(""), _WORD),
        name=st.one_of(st.just(""), _WORD),
        key=st.one_of(st.just(""), _WORD),
        since=st.one_of(st.none(), st.just(NOW - timedelta(hours=2))),
    )
)
def test_writing_a_query_and_reading_it_gives_it_back(query: RunQuery) -> None:
    parsed = parse_filter(format_filter(query, zone=BERLIN), NOW, zone=BERLIN)
    assert parsed.problems == []
    assert parsed.query == query


def test_a_tab_replaces_the_state_and_keeps_the_rest() -> None:
    assert with_states("state:failed flow:etl -state:Mapped", "late") == "state:late flow:etl"
    assert with_states("state:failed flow:etl", "") == "flow:etl"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("st", ["state:"]),
        ("-la", ["-label:"]),
        ("state:fa", ["state:failed", "state:ClientFailed", "state:TriggerFailed", "state:ValidationFailed"]),
        ("state:failed,la", ["state:failed,late"]),
        ("flow:etl", ["flow:etl-orders"]),
        ("label:", ["label:prod", 'label:"a b"']),
        ("since:2", ["since:2h", "since:24h"]),
        ("free text", []),
        ("", []),
    ],
)
def test_completion_offers_what_can_follow(text: str, words: list[str]) -> None:
    found = complete_filter(text, len(text), flows=["etl-orders", "report"], labels=["prod", "a b"])
    assert [each.word for each in found] == words


def test_completion_keeps_what_stands_behind_the_cursor() -> None:
    (found,) = complete_filter("st flow:x", 2)
    assert (found.text, found.cursor) == ("state: flow:x", 6)


@pytest.mark.parametrize(
    ("text", "is_in"),
    [
        ("", True),
        ("state:failed", True),
        ("state:running", False),
        ("-state:failed", False),
        ("TIMEOUT", True),
        ("-timeout", False),
        ("flow:etl*", True),
        ("flow:etl", True),
        ("flow:orders*", False),
        ("-flow:etl", False),
        ("label:prod", True),
        ("label:prod,eu", False),
        ("-label:prod", False),
        ("key:nightly-*", True),
        ("key:nightly", False),
        ("id:7c1f", True),
        ("id:7c1e", False),
        ("name:amber", True),
        ("since:2h", True),
        ("until:2h", False),
    ],
)
def test_a_pushed_row_is_judged_as_the_server_would(text: str, is_in: bool) -> None:
    run = FlowRun(
        id=RunId(WHOLE),
        name="amber-lynx",
        flow_name="etl-orders",
        state="TimedOut",
        state_message="Timeout at S3",
        labels=["prod"],
        idempotency_key="nightly-1",
        scheduled_start_time=NOW - timedelta(hours=1),
    )
    assert matches(run, parse_filter(text, NOW).query, NOW) is is_in
