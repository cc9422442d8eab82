"""REST requests to a Prefect 3 server, and its four shapes of errors as ours (prefect3.md §1, §7)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from flowlatch import exact_json
from flowlatch.api.http import Garbled, Link, limited
from flowlatch.api.quick_httpx import httpx
from flowlatch.errors import BackendError, ForeignServer, NotFound, Rejected, Unauthorized
from flowlatch.text import one_line

API_VERSION = "0.8.4"
MESSAGE_LIMIT = 500
CSRF = ("Prefect-Csrf-Token", "Prefect-Csrf-Client")


@dataclass(frozen=True)
class Answer:
    """An answer with a status below 400; `body` is None where there is none."""

    status: int
    body: Any


class _TokenRefused(BackendError):
    """The anti-forgery token is missing or too old: nothing was done."""


class RestCaller:
    """Sends requests below the server's `…/api`."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self._client_id = f"flowlatch-{uuid4().hex[:12]}"
        self._csrf_token = ""
        self._csrf_lock = asyncio.Lock()

    async def get(self, path: str) -> Any:
        """Return the body of a GET."""
        return (await self._ask("GET", path, None, is_read=True)).body

    async def read(self, path: str, payload: Any) -> Any:
        """Return the body of a POST that changes nothing; repeated, with backoff, when the answer is lost."""
        return (await self._with_token("POST", path, payload, is_read=True)).body

    async def change(self, method: str, path: str, payload: Any = None) -> Answer:
        """Send a change once. `AnswerLost` and `Garbled` mean that it may have been done."""
        return await self._with_token(method, path, payload, is_read=False)

    async def begin(self) -> None:
        """Find out whether the server wants a token against forged requests, and fetch one."""
        async with self._csrf_lock:
            await self._fetch_token()

    async def _fetch_token(self) -> None:
        try:
            answer = await self.get(f"/csrf-token?client={self._client_id}")
        except (Rejected, ForeignServer):  # 422: it wants none
            self._csrf_token = ""
            return
        token = answer.get("token") if isinstance(answer, dict) else None
        self._csrf_token = token if isinstance(token, str) else ""

    async def _with_token(self, method: str, path: str, payload: Any, *, is_read: bool) -> Answer:
        token = self._csrf_token
        try:
            return await self._ask(method, path, payload, is_read=is_read)
        except _TokenRefused:
            async with self._csrf_lock:  # a new token makes the old one void: one fetches, the others take it over
                if self._csrf_token == token:
                    await self._fetch_token()
        return await self._ask(method, path, payload, is_read=is_read)

    async def _ask(self, method: str, path: str, payload: Any, *, is_read: bool) -> Answer:
        headers = {"X-PREFECT-API-VERSION": API_VERSION}
        if self._csrf_token and method != "GET":
            headers |= dict(zip(CSRF, (self._csrf_token, self._client_id), strict=True))
        return await self.link.ask(
            method, self.link.url + path, payload, is_read=is_read, understand=self._answer, headers=headers
        )

    def _answer(self, response: httpx.Response, content: bytes) -> Answer:
        status = response.status_code
        try:
            body = exact_json.loads(content) if content else None
        except (ValueError, RecursionError):
            raise self._foreign(response, content) from None
        if status < 300:
            return Answer(status, body)
        message = _message(body)
        if status == 429:
            raise limited(f"{self.link.where}: too many requests for this server", response)
        if status >= 500:
            raise Garbled(f"{self.link.where}: {message or 'failed'} ({status})")
        if not message:
            raise self._foreign(response, content)
        raise _error(status, message)

    def _foreign(self, response: httpx.Response, content: bytes) -> ForeignServer:
        status = response.status_code
        kind = one_line(response.headers.get("content-type", "no content type").partition(";")[0], 40)
        beginning = one_line(content[:400].decode("utf-8", "replace"), 80)
        message = f"{self.link.where}: not an answer of Prefect 3 ({status}, {kind})"
        if response.is_redirect:
            to = one_line(response.headers.get("location", ""), 80)
            return ForeignServer(f"{message}, redirects to {to}, not followed")
        message += f": {beginning}" if beginning else ""
        return Garbled(message) if status >= 500 or status < 300 else ForeignServer(message)


def _message(body: Any) -> str:
    """Return what an error says, on one line; never what it repeats of our request. Empty for no known shape."""
    if not isinstance(body, dict):
        return ""
    detail = body.get("exception_detail", body.get("detail"))
    if isinstance(detail, list) and detail and isinstance(detail[0], dict):
        where = ".".join(str(part) for part in detail[0].get("loc", ())[1:])
        return one_line(f"{where}: {detail[0].get('msg', 'refused')}", MESSAGE_LIMIT)
    said = detail if isinstance(detail, str) else body.get("exception_message")
    return one_line(said, MESSAGE_LIMIT) if isinstance(said, str) else ""


def _error(status: int, message: str) -> BackendError:
    if status == 401:
        return Unauthorized("the server wants an API key, or another one")
    if status == 403:
        is_token = "CSRF" in message or "client identifier" in message
        return _TokenRefused(message) if is_token else Unauthorized(message)
    if status == 404:
        return NotFound(message)
    return Rejected(message, {409: "CONFLICT", 422: "BAD_USER_INPUT"}.get(status, "REJECTED"))
