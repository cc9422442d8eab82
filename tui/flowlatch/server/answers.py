"""What goes back over the wire: error objects, and answers spliced together from finished bytes.

Source: contract.md §1.4. `errors` is never empty, `extensions` always an object with a code, and two words that old
clients react to never appear in a text: neither of ours nor of theirs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from graphql import GraphQLError

from flowlatch.store.base import Refusal
from flowlatch.text import clean

MESSAGE_LENGTH = 480
MAX_ERRORS = 10
_TRIGGERS = re.compile("API_ERROR|UNAUTHENTICATED", re.IGNORECASE)


class Refused(Exception):
    """A request refused before GraphQL sees it."""

    def __init__(self, status: int, code: str, message: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = tuple(headers)


@dataclass(frozen=True)
class Answer:
    """Status and JSON body of a GraphQL request."""

    status: int
    body: bytes


def safe(message: str, limit: int = MESSAGE_LENGTH) -> str:
    """Return a message on one line, cut, without the words that make old clients resend or give up."""
    return _TRIGGERS.sub(lambda match: match[0].replace("_", "-")[:3] + "…", clean(message, limit))


def error_object(message: str, code: str, *, path: Sequence[str | int] = (), **extensions: Any) -> dict[str, Any]:
    """Return one member of `errors`."""
    return {
        "message": safe(message),
        "path": [_masked(part) for part in path],
        "extensions": {"code": code, **extensions},
    }


def refusal_object(refusal: Refusal, path: Sequence[str | int]) -> dict[str, Any]:
    """Return the error of a refused operation; the current state of a conflict is told without the trigger words."""
    extensions = {
        name: {key: _masked(item) for key, item in value.items()} if isinstance(value, dict) else _masked(value)
        for name, value in refusal.extensions.items()
    }
    return error_object(refusal.message, refusal.code, path=path, **extensions)


def _masked(value: Any) -> Any:
    return _TRIGGERS.sub(lambda match: match[0][:3] + "…", value) if isinstance(value, str) else value


def document_error(error: GraphQLError, code: str) -> dict[str, Any]:
    """Return the error of a document that does not parse, validate or whose variables do not fit."""
    made = error_object(error.message, code, path=[str(part) for part in error.path or ()])
    if error.locations:
        made["locations"] = [{"line": place.line, "column": place.column} for place in error.locations]
    return made


def failed(status: int, errors: Sequence[dict[str, Any]]) -> Answer:
    """Return an answer that has errors and no data."""
    return Answer(status, orjson.dumps({"errors": list(errors)[:MAX_ERRORS]}))


def refused(status: int, code: str, message: str) -> Answer:
    """Return an answer with one error."""
    return failed(status, [error_object(message, code)])


def answered(data: dict[str, Any], errors: Sequence[dict[str, Any]], extensions: dict[str, Any]) -> Answer:
    """Return an answer at HTTP 200; values of `data` may be `orjson.Fragment`s. Conflicts come first in `errors`."""
    body: dict[str, Any] = {"data": data}
    if errors:
        first = sorted(errors, key=lambda error: error["extensions"]["code"] != "VERSION_LOCKING_ERROR")
        body["errors"] = first[:MAX_ERRORS]
    if extensions:
        body["extensions"] = extensions
    return Answer(200, orjson.dumps(body, default=_text))


def _text(value: Any) -> Any:
    """Return what orjson cannot write: integers beyond 64 bits."""
    if isinstance(value, int):
        return orjson.Fragment(str(value).encode())
    raise TypeError(f"no JSON form for {type(value).__name__}")
