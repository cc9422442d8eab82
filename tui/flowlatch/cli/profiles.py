"""`flowlatch profiles`: the servers of the configuration file, and those that other programs name."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import click

from flowlatch.cli.common import Common, Noun, pass_common
from flowlatch.cli.output import Column
from flowlatch.errors import ConfigError, FlowlatchError
from flowlatch.text import one_line

if TYPE_CHECKING:
    from flowlatch.api.backend import Backend
    from flowlatch.config import Profile

_COLUMNS = [Column(""), Column("NAME"), Column("KIND"), Column("SERVER"), Column("MARKS")]
_TESTS = [Column("NAME"), Column("RESULT"), Column("SERVER"), Column("DETAIL")]


@click.group("profiles", cls=Noun)
def command() -> None:
    """The servers in the configuration file."""


@command.command("list")
@pass_common
def list_profiles(common: Common) -> None:
    """List the profiles, `*` at the default one, then servers found in Prefect's own configuration."""
    from flowlatch.config_edit import found_profiles

    settings = common.settings
    known = {profile.url for profile in settings.profiles.values()}
    found = [other for other in found_profiles() if other.url not in known]
    if common.json:
        for profile in settings.profiles.values():
            common.out.json(_row(profile) | {"default": profile.name == settings.default, "found_in": None})
        for other in found:
            row = {"name": other.name, "url": other.url, "kind": other.kind, "token": other.token}
            common.out.json(row | {"default": False, "found_in": other.source})
        return
    common.out.table(
        _COLUMNS,
        [
            (
                "*" if profile.name == settings.default else " ",
                profile.name,
                profile.kind,
                profile.url or "the embedded server",
                _marks(profile),
            )
            for profile in settings.profiles.values()
        ],
    )
    for other in found:
        source = f" --token {other.token}" if other.token else ""
        common.out.note(
            f"found in {other.source}: a {other.kind} server; add it with:"
            f" flowlatch profiles add {other.name} {other.url} --kind {other.kind}{source}"
        )


@command.command()
@click.argument("name")
@click.argument("url")
@click.option("--kind", type=click.Choice(["auto", "flowlatch", "prefect1", "prefect3"]), help="Kind of server.")
@click.option("--token", metavar="SOURCE", help="Where the token is: file:PATH, env:NAME, keyring:NAME, command:…")
@click.option("--production", is_flag=True, help="Mark it as production.")
@click.option("--default", "is_default", is_flag=True, help="Make it the default.")
@pass_common
def add(
    common: Common, name: str, url: str, kind: str | None, token: str | None, production: bool, is_default: bool
) -> None:
    """Add the server at URL under NAME; with --read-only it is never changed from here."""
    from flowlatch.config import places
    from flowlatch.config_edit import add_profile, use_profile

    given = {"kind": kind, "token": token, "ca_file": common.ca_file}
    options: dict[str, Any] = {key: value for key, value in given.items() if value}
    options |= {key: True for key, is_on in (("production", production), ("read_only", common.read_only)) if is_on}
    path = places().config_file
    profile = add_profile(path, name, url, **options)
    if is_default:
        use_profile(path, name)
    if common.json:
        common.out.json(_row(profile) | {"default": is_default})
    else:
        common.out.line(f"added {name} to {path}")


@command.command()
@click.argument("name")
@pass_common
def use(common: Common, name: str) -> None:
    """Make NAME the default profile."""
    from flowlatch.config import places
    from flowlatch.config_edit import use_profile

    profile = common.settings.profiles.get(name)
    if profile is None:
        known = ", ".join(sorted(common.settings.profiles))
        reason = common.settings.unusable.get(name) or f"no profile is named {one_line(name, 80)!r}; known: {known}"
        raise ConfigError(reason)
    use_profile(places().config_file, name)
    if common.json:
        common.out.json(_row(profile) | {"default": True})
    else:
        common.out.line(f"{name} is the default now")


@command.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@pass_common
def test(common: Common, names: tuple[str, ...]) -> int:
    """Connect to the servers of these profiles, by default the one that would be used."""

    async def each() -> list[tuple[dict[str, Any], int]]:
        return [await _tested(common, name) for name in names or (None,)]

    results = asyncio.run(each())
    if common.json:
        for row, _ in results:
            common.out.json(row)
    else:
        cells = [(row["name"], row["result"], row["url"], row["detail"]) for row, _ in results]
        common.out.table(_TESTS, cells)
    return next((code for _, code in results if code), 0)


async def _tested(common: Common, name: str | None) -> tuple[dict[str, Any], int]:
    """Return what connecting to a profile showed (None: the one that would be used), and the exit code."""
    from flowlatch.api.opener import open_backend
    from flowlatch.config import resolve

    row: dict[str, Any] = {"name": name, "url": None, "result": "failed", "kind": None, "detail": ""}
    started = time.monotonic()
    try:
        chosen = resolve(common.settings, profile=name) if name else common.target()
        row |= {"name": chosen.profile.name, "url": chosen.profile.url or "the embedded server"}
        backend = await open_backend(chosen)
    except FlowlatchError as error:
        return row | {"result": error.code, "detail": one_line(error)}, error.exit_code
    try:
        took_s = time.monotonic() - started
        detail = _can(backend) + f", answered in {took_s * 1000:.0f} ms"
        return row | {"result": "ok", "kind": backend.capabilities.kind, "url": backend.url, "detail": detail}, 0
    finally:
        await backend.aclose()


def _can(backend: Backend) -> str:
    found = backend.capabilities
    push = "pushed" if found.has_push else "polled"
    lock = {"enforced": "by server", "checked": "checked by client", "none": "none"}[found.locking]
    only = ", read-only" if found.read_only else ""
    return f"{found.kind} {found.version}, lock {lock}, changes {push}{only}"


def _row(profile: Profile) -> dict[str, Any]:
    """Return a profile for scripts; the token's source is named unless it stands in the file itself."""
    from flowlatch.secret import is_literal
    from flowlatch.values import dumped

    row = dumped(profile)
    if profile.token is not None and is_literal(profile.token):
        row["token"] = "***"
    return row


def _marks(profile: Profile) -> str:
    marks = {
        "PROD": profile.production,
        "read-only": profile.read_only,
        "not verified": not profile.verify,
        "insecure": profile.insecure,
    }
    return " ".join(name for name, is_on in marks.items() if is_on)
