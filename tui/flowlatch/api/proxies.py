"""Which proxy leads to a server: the one that the environment names, the same for requests and for the websocket."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from flowlatch.config import is_loopback
from flowlatch.errors import ConfigError
from flowlatch.text import one_line


@dataclass(frozen=True)
class Proxy:
    """A forward proxy."""

    address: str
    """`host:port` as it may be shown."""
    url: str = field(repr=False)
    """With user and password where it wants them: never to be shown."""


def proxy_for(url: str) -> Proxy | None:
    """Return the proxy by HTTPS_PROXY or HTTP_PROXY, else ALL_PROXY (also in small letters); None = straight there.

    This machine, and what NO_PROXY names, is reached straight. Raises `ConfigError` for a proxy that cannot be used.
    """
    server = urlsplit(url)
    if is_loopback(url) or proxy_bypass(server.netloc):
        return None
    proxies = getproxies()
    given = proxies.get(server.scheme) or proxies.get("all")
    if not given:
        return None
    try:
        parts = urlsplit(given if "://" in given else f"http://{given}")
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ConfigError(
            "the proxy that the environment names is no URL; wants http://[USER:PASSWORD@]HOST:PORT"
        ) from error
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigError(
            f"proxy {one_line(parts.scheme, 20)}://{one_line(address, 80)}: only http and https proxies can be used;"
            f" NO_PROXY={one_line(server.hostname or '', 80)} goes there without one"
        )
    if parts.username and parts.password is None:
        raise ConfigError(f"proxy {one_line(address, 80)}: a user without a password; wants USER:PASSWORD@")
    login = f"{parts.netloc.rpartition('@')[0]}@" if parts.username else ""
    return Proxy(one_line(address, 80), f"{parts.scheme}://{login}{address}")
