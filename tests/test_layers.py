"""Who may import whom (style.md §3), no import cycle, and sizes that keep one idea in one place."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.support.sources import Import, Module, imports, modules

GROUND = {
    "errors",
    "text",
    "version",
    "discovery",
    "config",
    "config_file",
    "config_edit",
    "values",
    "exact_json",
    "keymap",
    "looks",
    "places",
    "profile",
    "secret",
}
ROOMS: dict[str, set[str]] = {
    "ground": {"ground"},
    "model": {"errors", "model"},
    "api": {"ground", "model", "api"},
    "store": {"ground", "model", "store"},
    "server": {"ground", "model", "store", "server"},
    "live": {"ground", "model", "api", "live"},
    "ui.words": {"text", "errors", "keymap", "looks", "model", "ui.words"},
    "ui.widgets": {"text", "errors", "model", "ui.words", "ui.widgets"},
    "ui.tools": {"ground", "model", "ui.words"},
    "ui.screens": {
        "ground",
        "model",
        "live",
        "api.backend",
        "ui.words",
        "ui.tools",
        "ui.widgets",
        "ui.screens",
        "ui.messages",
    },
    "ui.messages": {"ground", "model", "live", "api.backend"},
    "ui.app": {"ground", "model", "live", "api.backend", "api.opener", "ui"},
    "demo": {"ground", "model", "api", "demo"},
    "cli": {"ground", "model", "api", "live", "store", "server", "demo", "ui", "cli"},
    "flowlatch": {"version", "errors", "model", "api"},
}
"""Room → rooms and single modules it may import. A dotted entry covers everything below it."""

UI_WORDS = {"ui.format", "ui.keys", "ui.themes"}
UI_TOOLS = {"ui.editor", "ui.clipboard"}
NO_WIRE = {"httpx", "gql", "graphql", "websockets", "sqlalchemy", "alembic", "sqlite3", "uvicorn", "starlette"}
NO_SCREEN = {"textual", "rich"}
FOREIGN: dict[str, set[str]] = {
    "api": NO_SCREEN | {"sqlalchemy", "alembic", "sqlite3", "uvicorn", "starlette"},
    "store": NO_SCREEN | {"httpx", "gql", "uvicorn", "starlette", "pydantic"},
    "server": NO_SCREEN | {"httpx", "gql", "sqlalchemy", "alembic", "pydantic"},
    "live": NO_SCREEN | NO_WIRE,
    "demo": NO_SCREEN | NO_WIRE,
    "ui.words": NO_WIRE,
    "ui.tools": NO_WIRE,
    "ui.widgets": NO_WIRE,
    "ui.screens": NO_WIRE,
    "ui.messages": NO_WIRE,
    "ui.app": NO_WIRE,
}
"""Room → libraries it must not import."""

ONLY: dict[str, set[str]] = {
    "ground": {"annotated_types", "orjson", "pydantic", "platformdirs", "tomlkit", "keyring"},
    "model": {"annotated_types", "whenever", "croniter"},
}
"""Room → the only libraries beside the standard one that it may import."""

MODULE_LINES, CLASS_LINES, FUNCTION_LINES = 450, 300, 70


def room_of(name: str) -> str:
    """Return the room of a module named without `flowlatch.`."""
    first = name.split(".")[0]
    if first in GROUND:
        return "ground"
    if first == "ui":
        if name in UI_WORDS:
            return "ui.words"
        if name in UI_TOOLS:
            return "ui.tools"
        for room in ("ui.widgets", "ui.screens", "ui.messages"):
            if name == room or name.startswith(f"{room}."):
                return room
        return "ui.app"
    return "cli" if first == "__main__" else first


def is_allowed(importer: str, imported: str) -> bool:
    """True when a module may import another; both named without `flowlatch.`."""
    room = room_of(imported)
    for allowed in ROOMS[room_of(importer)]:
        if allowed == room or imported == allowed or imported.startswith(f"{allowed}."):
            return True
    return False


def own_imports(module: Module) -> Iterator[tuple[Import, str]]:
    """Yield the imports of our own modules with their short names. A bare `flowlatch` is named so."""
    for found in imports(module):
        if found.target == "flowlatch" or found.target.startswith("flowlatch."):
            yield found, found.target.removeprefix("flowlatch.")


def test_a_module_imports_only_what_its_room_may() -> None:
    wrong = [line for module in modules() for line in _wrong_imports(module)]
    assert not wrong, "\n".join(wrong)


def _wrong_imports(module: Module) -> Iterator[str]:
    room = room_of(module.name)
    for found, name in own_imports(module):
        if not is_allowed(module.name, name):
            yield f"{module.where}:{found.line} {room} imports {name}"
    for found in imports(module):
        top = found.target.split(".")[0]
        if not top:
            yield f"{module.where}:{found.line} imports relatively: name the full path"
        is_foreign = top not in sys.stdlib_module_names and top != "flowlatch"
        if top in FOREIGN.get(room, set()) or (is_foreign and top not in ONLY.get(room, {top})):
            yield f"{module.where}:{found.line} {room} imports {found.target}"


def test_databases_know_nothing_of_each_other_and_the_store_of_none() -> None:
    homes = ("store.sqlite", "store.postgres")
    wrong = [
        f"{module.where}:{found.line} imports {name}"
        for module in modules()
        if module.name.startswith("store")
        for found, name in own_imports(module)
        for home in homes
        if name.startswith(home) and not module.name.startswith(home)
    ]
    assert not wrong, "\n".join(wrong)


def test_a_command_that_only_prints_imports_no_other_room() -> None:
    """`--version` and `--help` load what `__main__` and `cli.main` name at module level, and so on; no more."""
    by_name = {module.name: module for module in modules()}
    waiting, eager = ["__main__", "cli.main"], []
    seen = {*waiting}
    while waiting:
        module = by_name[waiting.pop()]
        for found in imports(module):
            name = found.target.removeprefix("flowlatch.")
            if found.is_lazy or name in seen:
                continue
            seen.add(name)
            if found.target.split(".")[0] in NO_SCREEN | NO_WIRE | {"pydantic", "whenever"}:
                eager.append(f"{module.where}:{found.line} {found.target}")
            elif found.target.startswith("flowlatch"):
                if room_of(name) not in ("cli", "flowlatch") and name not in ("errors", "text", "version"):
                    eager.append(f"{module.where}:{found.line} {found.target}")
                waiting.append(name)
    assert not eager, "these make every command slower:\n" + "\n".join(eager)


def test_no_modules_need_each_other() -> None:
    graph = {m.name: {name for _, name in own_imports(m)} - {m.name} for m in modules()}
    cycles = [sorted(group) for group in strongly_connected(graph) if len(group) > 1]
    assert not cycles


def strongly_connected(graph: Mapping[str, set[str]]) -> list[set[str]]:
    """Return the groups of nodes that reach each other, by Tarjan's algorithm."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            place = stack.index(node)
            groups.append(set(stack[place:]))
            del stack[place:]

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return groups


def test_the_cycle_check_sees_a_cycle() -> None:
    assert {"a", "b"} in strongly_connected({"a": {"b"}, "b": {"a", "c"}, "c": set()})


@pytest.mark.parametrize(
    ("importer", "imported", "allowed"),
    [
        ("ui.widgets.run_table", "api.backend", False),
        ("ui.widgets.run_table", "ui.keys", True),
        ("ui.screens.runs", "api.backend", True),
        ("ui.screens.runs", "api.http", False),
        ("server.app", "api.http", False),
        ("api.embedded", "server.app", False),
        ("model.run", "text", False),
        ("demo.actors", "server.app", False),
    ],
)
def test_the_table_decides_as_meant(importer: str, imported: str, allowed: bool) -> None:
    assert is_allowed(importer, imported) is allowed


def test_sizes_stay_readable() -> None:
    too_long = [line for module in modules() for line in _too_long(module)]
    assert not too_long, "\n".join(too_long)


def _too_long(module: Module) -> Iterator[str]:
    lines = len(module.path.read_text("utf-8").splitlines())
    if lines > MODULE_LINES:
        yield f"{module.where}: {lines} lines, at most {MODULE_LINES}"
    for node in ast.walk(module.tree):
        is_class = isinstance(node, ast.ClassDef)
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            length, limit = (node.end_lineno or 0) - node.lineno + 1, CLASS_LINES if is_class else FUNCTION_LINES
            if length > limit:
                yield f"{module.where}:{node.lineno} {node.name}: {length} lines, at most {limit}"


def test_every_definition_for_others_is_documented() -> None:
    bare = [m.where for m in modules() if not ast.get_docstring(m.tree)]
    for module in modules():
        for node in module.tree.body:
            is_public = isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
            if is_public and not ast.get_docstring(node):  # type: ignore[arg-type]
                bare.append(f"{module.where}:{node.lineno} {node.name}")  # type: ignore[attr-defined]
    assert not bare, "without a docstring:\n" + "\n".join(bare)


def test_broad_excepts_are_the_two_that_are_meant() -> None:
    broad = [
        f"{module.where}:{node.lineno}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or {"Exception", "BaseException"} & set(_names(node.type)))
        and not _ends_raising(node)
    ]
    assert len(broad) <= 2, "\n".join(broad)


def _names(node: ast.AST) -> Iterator[str]:
    return (part.id for part in ast.walk(node) if isinstance(part, ast.Name))


def _ends_raising(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None
