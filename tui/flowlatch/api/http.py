"""One HTTP connection to one server: deadlines, retries of reads, bounded answers, httpx's errors as ours.

What matters to a caller that changes something is whether the request may have reached the server. `Unreachable`
itself says that nothing was sent; its kind `AnswerLost`, and `Garbled`, say that it may have been done.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import logging
import os
import random
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import UUID

from flowlatch import exact_json
from flowlatch.api.backend import Traffic
from flowlatch.api.proxies import proxy_for
from flowlatch.api.quick_httpx import httpx
from flowlatch.config import Profile, Secret
from flowlatch.errors import BadInput, ConfigError, ForeignServer, Unreachable
from flowlatch.text import one_line
from flowlatch.version import __version__

T = TypeVar("T")

CONNECT_S, READ_S, TOTAL_S = 3.0, 10.0, 15.0
MAX_ANSWER_BYTES = 16 * 1024 * 1024
MAX_RETRY_AFTER_S = 60.0
READ_ATTEMPTS = 3
FIRST_BACKOFF_S = 0.2
_HALF_A_SECOND = timedelta(seconds=0.5)
KEEP_ALIVE_S = 30.0
"""Shorter than the 60 s after which our server closes an idle connection: a write must not meet a closing one."""
ACTOR_BYTES = 200

for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class AnswerLost(Unreachable):
    """The request was sent, or may have been, and no answer came."""


class Garbled(ForeignServer):
    """An answer came that is none of a GraphQL server, from something that may have passed the request on."""


class TooLarge(ForeignServer):
    """The answer is larger than 16 MB."""


@dataclass(frozen=True)
class Reply:
    """The answer of a GraphQL server."""

    status: int
    body: dict[str, Any]
    """With `data` or a non-empty `errors`, as the JSON parser made it."""


class _Handshake:
    """Closes a connection whose TLS handshake is cancelled, which nobody else does; told of each step of a request.

    Source: httpcore's extension `trace`.
    """

    def __init__(self) -> None:
        self._stream: Any = None

    async def __call__(self, event: str, info: Mapping[str, Any]) -> None:
        if event == "connection.connect_tcp.complete":
            self._stream = info["return_value"]
        elif event.endswith(".start_tls.failed") and self._stream is not None:
            await self._stream.aclose()


class Link:
    """A connection to `url`. Belongs to one event loop.

    `sleep` and `jitter` (a number from 0 to 1) are there for tests.
    """

    def __init__(
        self,
        profile: Profile,
        url: str,
        *,
        token: Secret | None = None,
        actor: str = "",
        timeout_s: float = TOTAL_S,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.url = url
        self._token = token
        self._actor = actor
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._jitter = jitter
        self._requests = self._bytes_in = self._bytes_out = 0
        self._is_closed = False
        self._under_way: dict[asyncio.Timeout, asyncio.Event] = {}
        """Time limit of each request → what is set when it has ended."""
        self.skew = timedelta()
        """Server's clock minus ours, from the last `Date` header; zero within a second, to which that is cut."""
        self.ssl_context = _ssl_context(profile) if url.startswith("https:") else None
        self.proxy = proxy_for(url)
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(READ_S, connect=CONNECT_S),
            limits=httpx.Limits(max_connections=16, max_keepalive_connections=8, keepalive_expiry=KEEP_ALIVE_S),
            verify=self.ssl_context or False,
            proxy=self.proxy.url if self.proxy else None,
            trust_env=False,
            transport=transport,
            follow_redirects=False,
        )

    def headers(self) -> dict[str, str]:
        """Return what identifies us; holds the token, so not to be kept or shown."""
        headers = {"User-Agent": f"flowlatch/{__version__}"}
        if self._actor:
            headers["X-Flowlatch-Actor"] = actor_header(self._actor)
        if self._token:
            headers["Authorization"] = self._token.header()
        return headers

    def token_text(self) -> str | None:
        """Return the token in clear, for a socket that wants it as a message; not to be kept or shown."""
        return self._token.text() if self._token else None

    @property
    def where(self) -> str:
        """What is named when something goes wrong: the URL, and the proxy on the way there."""
        return one_line(self.url, 120) + (f" through proxy {self.proxy.address}" if self.proxy else "")

    @property
    def traffic(self) -> Traffic:
        """What was sent and received so far: bodies, without headers."""
        return Traffic(requests=self._requests, bytes_in=self._bytes_in, bytes_out=self._bytes_out)

    def count(self, *, bytes_in: int = 0, bytes_out: int = 0) -> None:
        """Add what went over the websocket beside this connection."""
        self._bytes_in += bytes_in
        self._bytes_out += bytes_out

    async def post(self, payload: dict[str, Any], *, is_read: bool) -> Reply:
        """Send a GraphQL request and return the answer, whatever it says. See `ask`."""
        return await self.ask("POST", self.url, payload, is_read=is_read, understand=self._reply)

    async def ask(
        self,
        method: str,
        url: str,
        payload: Any,
        *,
        is_read: bool,
        understand: Callable[[httpx.Response, bytes], T],
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Send JSON, or nothing for None, and return what `understand` makes of the response and its unpacked body.

        A read is repeated up to twice, with backoff, within the total time. Raises `Unreachable` (and `AnswerLost`),
        `ForeignServer` (and `Garbled`, `TooLarge`), and `BadInput` for values that are no JSON.
        """
        body = b"" if payload is None else _encoded(payload)
        given = {"Accept": "application/json", "Accept-Encoding": "gzip", **(headers or {})}
        if body:
            given["Content-Type"] = "application/json"
        deadline = time.monotonic() + self._timeout_s
        attempts = READ_ATTEMPTS if is_read else 1
        for attempt in range(1, attempts + 1):
            try:
                watched = {"trace": _Handshake()} if self.ssl_context else {}
                request = self._client.build_request(
                    method, url, content=body, headers=given | self.headers(), extensions=watched
                )
                response, content = await self._send(request, len(body), deadline - time.monotonic())
                return understand(response, content)
            except (Unreachable, Garbled) as error:
                wanted = error.retry_after_s if isinstance(error, Unreachable) else None
                pause = wanted if wanted is not None else FIRST_BACKOFF_S * 2 ** (attempt - 1) * (0.5 + self._jitter())
                if attempt == attempts or self._is_closed or time.monotonic() + pause >= deadline:
                    raise
                await self._sleep(pause)
        raise AssertionError("the loop returns or raises")

    async def _send(self, request: httpx.Request, size: int, timeout_s: float) -> tuple[httpx.Response, bytes]:
        if self._is_closed:  # a screen that asks while the program ends; httpx would call it a fault of ours
            raise Unreachable(f"the connection to {self.where} is closed")
        self._requests += 1
        self._bytes_out += size
        try:
            async with self._limited(max(timeout_s, 0.001)):
                response = await self._client.send(request, stream=True)
                try:
                    content = await self._content(response)
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            raise Unreachable(f"no answer from {self.where} ({reason_of(error)})") from error
        except TimeoutError as error:
            if self._is_closed:
                raise AnswerLost(f"the answer of {self.where} was lost (the connection was closed)") from error
            raise AnswerLost(f"no answer from {self.where} within {self._timeout_s:g} s") from error
        except (httpx.TransportError, OSError) as error:  # httpx hands on what TLS says while reading
            raise AnswerLost(f"the answer of {self.where} was lost ({reason_of(error)})") from error
        self._note_date(response)
        return response, content

    @asynccontextmanager
    async def _limited(self, timeout_s: float) -> AsyncIterator[None]:
        """Raise `TimeoutError` after so long, or when the connection is closed meanwhile."""
        ended = asyncio.Event()
        async with asyncio.timeout(timeout_s) as limit:
            self._under_way[limit] = ended
            try:
                yield
            finally:
                del self._under_way[limit]
                ended.set()

    async def _content(self, response: httpx.Response) -> bytes:
        """Read the body in pieces and unpack it, never holding more than the limit."""
        is_packed = response.headers.get("content-encoding", "").strip().lower() == "gzip"
        unpack = zlib.decompressobj(wbits=31) if is_packed else None
        content = bytearray()
        async for piece in response.aiter_raw():
            self._bytes_in += len(piece)
            try:
                content += unpack.decompress(piece, MAX_ANSWER_BYTES + 1 - len(content)) if unpack else piece
            except zlib.error as error:
                raise Garbled(f"{self.where}: the answer is not what its gzip header says") from error
            if len(content) > MAX_ANSWER_BYTES:
                raise TooLarge(f"{self.where}: the answer is larger than {MAX_ANSWER_BYTES // 2**20} MB")
        return bytes(content)

    def _reply(self, response: httpx.Response, content: bytes) -> Reply:
        status = response.status_code
        body = _json_object(content)
        if body is not None and (isinstance(body.get("data"), dict) or _is_error_list(body.get("errors"))):
            return Reply(status, body)
        if status == 401:
            return Reply(status, {"errors": [{"message": "not authorized", "extensions": {"code": "UNAUTHENTICATED"}}]})
        kind = one_line(response.headers.get("content-type", "no content type").partition(";")[0], 40)
        if response.is_redirect:
            to = one_line(response.headers.get("location", ""), 80)
            raise ForeignServer(f"{self.where}: not a GraphQL answer ({status}, redirects to {to}, not followed)")
        message = f"{self.where}: not a GraphQL answer ({status}, {kind})"
        beginning = one_line(content[:400].decode("utf-8", "replace"), 80)
        message += f": {beginning}" if beginning else ""
        if status == 429:
            raise limited(message, response)
        raise Garbled(message) if status >= 500 or status < 300 else ForeignServer(message)

    def _note_date(self, response: httpx.Response) -> None:
        try:
            stamp = email.utils.parsedate_to_datetime(response.headers["date"])
        except (KeyError, ValueError, TypeError, OverflowError):
            return
        if stamp.tzinfo is not None:
            skew = stamp + _HALF_A_SECOND - datetime.now(UTC)
            self.skew = skew if abs(skew) > timedelta(seconds=1) else timedelta()

    async def aclose(self) -> None:
        """Close all connections; a request under way ends with `AnswerLost`.

        It has to end first: a connection that is being opened when the client closes would stay open for ever.
        """
        self._is_closed = True
        under_way = dict(self._under_way)
        for limit in under_way:
            if not limit.expired():
                limit.reschedule(asyncio.get_running_loop().time())
        for ended in under_way.values():
            await ended.wait()
        await self._client.aclose()


def limited(message: str, response: httpx.Response) -> Unreachable:
    """Return the error for a 429, with the time that the server asks to wait."""
    error = Unreachable(message)
    error.retry_after_s = retry_after_s(response.headers.get("retry-after", ""), datetime.now(UTC))
    return error


def actor_header(actor: str) -> str:
    """Return an actor as header value: UTF-8, percent-encoded, at most 200 bytes."""
    encoded = ""
    for char in actor:
        piece = quote(char, safe=" @:,;()+!#&*='/", errors="replace")
        if len(encoded) + len(piece) > ACTOR_BYTES:
            break
        encoded += piece
    return encoded.strip()


def retry_after_s(value: str, now: datetime) -> float:
    """Return how long a `Retry-After` header asks to wait: 0 to 60 s; 1 s when it makes no sense."""
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value[:9]), MAX_RETRY_AFTER_S)
    try:
        seconds = (email.utils.parsedate_to_datetime(value) - now).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return 1.0
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_S)


def _encoded(payload: dict[str, Any]) -> bytes:
    try:
        return json.dumps(payload, allow_nan=False, default=_as_text).encode()
    except (ValueError, TypeError, RecursionError) as error:
        raise BadInput(f"this cannot be sent as JSON: {one_line(error, 120)}") from error


def _as_text(value: object) -> str:
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"a value of type {type(value).__name__}")


def _json_object(content: bytes) -> dict[str, Any] | None:
    try:
        value = exact_json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _is_error_list(errors: Any) -> bool:
    return isinstance(errors, list) and bool(errors) and all(isinstance(error, dict) for error in errors)


def reason_of(error: BaseException) -> str:
    """Return the most telling words of an error and its causes."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return one_line(_tls_reason(seen), 120)
        if isinstance(seen, OSError) and (seen.errno or 0) > 0:
            return os.strerror(seen.errno or 0).lower()
        if isinstance(seen, OSError) and seen.strerror:
            return one_line(seen.strerror.lower(), 120)
        seen = seen.__cause__ or seen.__context__
    if isinstance(error, httpx.TimeoutException | TimeoutError):
        return f"no connection within {CONNECT_S:g} s" if isinstance(error, httpx.ConnectTimeout) else "timed out"
    return one_line(str(error) or type(error).__name__, 120)


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate not trusted: {error.verify_message}; see ca_file"
    name = error.reason or ""
    if "CERTIFICATE_REQUIRED" in name or "HANDSHAKE_FAILURE" in name:  # by TLS 1.3, and before it
        return "the server wants a client certificate; see cert_file"
    if name in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "no TLS is spoken there; is it http?"
    return f"TLS failed: {name.replace('_', ' ').lower() or error}"


def _ssl_context(profile: Profile) -> ssl.SSLContext:
    try:
        ca_file = str(Path(profile.ca_file).expanduser()) if profile.ca_file else None
        context = ssl.create_default_context(cafile=ca_file)
        if not profile.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if profile.cert_file:
            key_file = str(Path(profile.key_file).expanduser()) if profile.key_file else None
            context.load_cert_chain(Path(profile.cert_file).expanduser(), key_file)
    except (OSError, RuntimeError) as error:
        names = ", ".join(one_line(name) for name in (profile.ca_file, profile.cert_file, profile.key_file) if name)
        raise ConfigError(f"certificates {names}: {one_line(error, 120)}") from error
    return context
