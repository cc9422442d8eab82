"""The package's own source as syntax trees, for the tests of style."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "tui" / "flowlatch"


@dataclass(frozen=True)
class Module:
    """One file of the package; `name` is its import name without `flowlatch.` (`ui.screens.runs`)."""

    name: str
    path: Path

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree, read when it is first asked for: not every process of a run needs all of them."""
        return ast.parse(self.path.read_text("utf-8"))

    @property
    def where(self) -> str:
        """The path to show in a message."""
        return str(self.path.relative_to(ROOT))


@dataclass(frozen=True)
class Import:
    """One imported module as the source names it, `target` being the full dotted name."""

    target: str
    line: int
    is_lazy: bool
    """True inside a function or under TYPE_CHECKING."""


@cache
def modules() -> tuple[Module, ...]:
    """Return every module of the package, sorted by name. The package itself is named `flowlatch`."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "flowlatch"
        found.append(Module(name, path))
    return tuple(found)


def imports(module: Module) -> Iterator[Import]:
    """Yield everything a module imports, also inside functions, under TYPE_CHECKING, and by `import_module("…")`."""
    yield from _walk(module.tree, is_lazy=False)


def _walk(node: ast.AST, *, is_lazy: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        lazy = is_lazy or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or _is_type_checking(child)
        yield from _named(child, is_lazy=lazy)
        yield from _walk(child, is_lazy=lazy)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def _named(node: ast.AST, *, is_lazy: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            yield Import(alias.name, node.lineno, is_lazy)
    elif isinstance(node, ast.ImportFrom):
        base = "." * node.level + (node.module or "")
        for alias in node.names:
            whole = f"{base}.{alias.name}"
            is_module = base.startswith("flowlatch") and is_package_module(whole)
            yield Import(whole if is_module else base, node.lineno, is_lazy)
    elif isinstance(node, ast.Call) and _name_called(node) == "import_module" and node.args:
        argument = node.args[0]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield Import(argument.value, node.lineno, is_lazy)


def _name_called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def is_package_module(name: str) -> bool:
    """True when a full dotted name (`flowlatch.model.run`) is a module or package of ours, not a name inside one."""
    path = PACKAGE.parent.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def owner_of(tree: ast.Module) -> dict[ast.AST, str]:
    """Return for every node the dotted name of the classes and functions around it."""
    owners: dict[ast.AST, str] = {}

    def visit(node: ast.AST, name: str) -> None:
        for child in ast.iter_child_nodes(node):
            below = name
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                below = f"{name}.{child.name}".lstrip(".")
            owners[child] = below
            visit(child, below)

    visit(tree, "")
    return owners
