"""Ids and times of filled databases, from a given source of chance."""

from __future__ import annotations

import random
import time


def new_id(rng: random.Random) -> str:
    """Return a random UUID as text."""
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


def as_text(at: float) -> str:
    """Return seconds since 1970 as stored text."""
    whole, fraction = divmod(at, 1)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{int(fraction * 1e6):06d}+00:00"
