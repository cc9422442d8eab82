"""httpx, imported without its command line.

Where click and rich are installed, `import httpx` loads both, and pygments, for a command line nobody asked for: 0.15 s
of 0.25 s. It has a fallback for an environment without them; an entry of None makes Python take that.
"""

import sys

_MAIN = "httpx._main"
_is_first = _MAIN not in sys.modules and "httpx" not in sys.modules
if _is_first:
    sys.modules[_MAIN] = None  # type: ignore[assignment]

import httpx  # noqa: E402

if _is_first:
    del sys.modules[_MAIN]

__all__ = ["httpx"]
