"""Answers made small for the way: gzip, where they leave this machine and the client understands it.

On one machine it would cost time and save nothing. Source: performance.md §4.
"""

from __future__ import annotations

import asyncio
import re
import zlib
from collections.abc import Mapping

WORTH_BYTES = 1_400
"""A smaller answer fits into one packet as it is."""
AT_ONCE_BYTES = 256 * 1024
"""A larger answer is compressed in a thread; up to here it takes some 1 ms."""
_LEVEL = 1
_GZIP_FORM = 31
_WANTED = re.compile(r"(?:^|,)\s*gzip\s*(?:;\s*q=(?:1(?:\.0*)?|0\.\d*[1-9]\d*))?\s*(?:,|$)", re.IGNORECASE)


def is_wanted(headers: Mapping[str, str]) -> bool:
    """Return whether a client says that it understands gzip."""
    return _WANTED.search(headers.get("accept-encoding", "")) is not None


async def compressed(body: bytes) -> bytes:
    """Return a body compressed by gzip, or as it is where that is not worth the work."""
    if len(body) < WORTH_BYTES:
        return body
    if len(body) <= AT_ONCE_BYTES:
        return _pack(body)
    return await asyncio.to_thread(_pack, body)


def _pack(body: bytes) -> bytes:
    return zlib.compress(body, level=_LEVEL, wbits=_GZIP_FORM)
