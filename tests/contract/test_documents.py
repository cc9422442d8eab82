"""Every document the client sends is valid on our server; those for Prefect 1 ask for nothing that is only ours."""

from __future__ import annotations

import pytest
from graphql import parse, validate

from flowlatch.api import documents
from flowlatch.api.documents import Dialect
from flowlatch.server.schema import schema
from tests.support.prefect1 import unknown_field

PLAIN = {name: text for name, text in vars(documents).items() if name.isupper() and not name.startswith("_")}
OURS, PREFECT1 = Dialect(is_ours=True), Dialect(is_ours=False)
BUILT = ("page", "page_without_messages", "run", "history", "set_state")
SENT = {
    **PLAIN,
    **{f"ours {name}": getattr(OURS, name) for name in (*BUILT, "counted_page", "changes", "subscription")},
    **{f"prefect1 {name}": getattr(PREFECT1, name) for name in BUILT},
    "counts": documents.counts(3),
    "schedule on": documents.set_schedule(True),
    "schedule off": documents.set_schedule(False),
}


@pytest.mark.parametrize("name", SENT)
def test_every_document_is_valid_on_our_server(name: str) -> None:
    assert validate(schema(), parse(SENT[name])) == []


@pytest.mark.parametrize(
    "name", [name for name in SENT if not name.startswith("ours") and name not in ("PROBE_OURS", "NOW")]
)
def test_what_prefect_1_is_asked_exists_there(name: str) -> None:
    assert unknown_field(SENT[name]) == ""


@pytest.mark.parametrize(
    "name", ["PROBE_OURS", "NOW", "ours page", "ours run", "ours history", "ours set_state", "ours changes"]
)
def test_the_stand_in_knows_none_of_our_own_fields(name: str) -> None:
    assert unknown_field(SENT[name]) != ""
