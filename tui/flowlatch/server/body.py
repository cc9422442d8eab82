"""The body of a GraphQL request: JSON as clients really send it. Source: contract.md §1.2."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowlatch import exact_json
from flowlatch.server.answers import Refused

MAX_BODY = 16 * 1024 * 1024


@dataclass(frozen=True)
class Body:
    """What a request asks."""

    query: str
    variables: Mapping[str, Any]
    operation_name: str | None


def read_body(raw: bytes) -> Body:
    """Return what a body asks. Raises `Refused` 400, naming what is wrong with its form."""
    content = _json(raw, "the body")
    if isinstance(content, list):
        raise Refused(400, "BAD_REQUEST", "batches are not supported: send one JSON object for each request")
    if not isinstance(content, dict):
        raise Refused(400, "BAD_REQUEST", 'the body must be a JSON object {"query": …, "variables": …}')
    return body_of(content)


def body_of(content: dict[str, Any]) -> Body:
    """Return what a request object asks. Raises `Refused` 400."""
    query, name = content.get("query"), content.get("operationName")
    if not isinstance(query, str):
        raise Refused(400, "BAD_REQUEST", "query must be text")
    if name is not None and not isinstance(name, str):
        raise Refused(400, "BAD_REQUEST", "operationName must be text")
    return Body(query, _variables(content.get("variables")), name)


def _variables(given: Any) -> Mapping[str, Any]:
    """Return the variables: an object, null, or either of them once more encoded as text, as old clients do."""
    if isinstance(given, str):
        given = _json(given.encode("utf-8", "surrogatepass"), "variables")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Refused(400, "BAD_REQUEST", "variables must be an object, or its JSON as text")
    return given


def _json(raw: bytes, what: str) -> Any:
    """Return the value of JSON text; integers beyond 64 bits stay exact. Raises `Refused`."""
    try:
        return exact_json.loads(raw)
    except (ValueError, RecursionError):
        raise Refused(400, "BAD_REQUEST", f"{what}: not valid JSON") from None
