"""JSON text read strictly and exactly, by the server and its clients alike.

No NaN and no lone surrogates are taken, whole numbers may have any length. Quick, and quick to import.
"""

from __future__ import annotations

import json
import re
from typing import Any

import orjson

_LONG_NUMBER = re.compile(rb"\d{19}")


def loads(raw: bytes) -> Any:
    """Return the value of JSON text in UTF-8. Raises ValueError, or RecursionError for one nested too deep."""
    value = orjson.loads(raw)
    # orjson turns integers beyond 64 bits into floats: those are read again, exactly
    return json.loads(raw) if _LONG_NUMBER.search(raw) else value
