"""`docs/contract.md` lists every operation, and each test that it names exists."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from flowlatch.server.mutations import OPERATIONS
from flowlatch.server.spelling import camel
from tests.support.sources import ROOT

PAGE = (ROOT / "docs" / "contract.md").read_text("utf-8")
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")
ROW = re.compile(r"^\| `(\w+)` \| `(\w+)` \| (.+) \|$", re.MULTILINE)


@cache
def names_in(path: str) -> frozenset[str]:
    """Return the names of the test functions in a file below `tests/`."""
    tree = ast.parse((ROOT / "tests" / path).read_text("utf-8"))
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def test_every_mutation_is_listed_once_in_both_spellings_with_its_test() -> None:
    rows = ROW.findall(PAGE)
    assert sorted(name for name, _, _ in rows) == sorted(OPERATIONS)
    assert all(twin == camel(name) for name, twin, _ in rows)
    assert [name for name, _, shown in rows if not NAMED.search(shown)] == []


def test_every_row_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "shown by" not in line]
    assert len(rows) > 100
    assert [row for row in rows if not NAMED.search(row)] == []


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED.findall(PAGE)}))
def test_the_tests_that_are_named_exist(path: str) -> None:
    wanted = {name for file, name in NAMED.findall(PAGE) if file == path}
    assert wanted - names_in(path) == set()


@pytest.mark.parametrize("table", ["cloud_hook", "message"])
def test_what_is_not_offered_is_said(table: str) -> None:
    assert f"`{table}`" in PAGE.partition("## Not offered")[2]
