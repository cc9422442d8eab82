"""No text that came from outside reaches a widget that reads markup. Source: reliability.md §4, rule 2.

Textual reads `[…]` in plain strings for many widgets: a run named `[/]` would crash the screen, `[@click=app.quit]x`
would act on a click. So whatever is not written in our source goes in as `Content`, `Text`, or with `markup=False`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from textual.app import App

from flowlatch.ui.app import FlowlatchApp
from tests.support.sources import modules

MARKUP_WIDGETS = {
    *("Static", "Label", "Button", "Tooltip", "OptionList", "Option", "Select", "SelectionList", "Selection"),
    *("Checkbox", "RadioButton", "Collapsible", "Tab", "TabPane", "TabbedContent", "Toast", "DataTable", "Tree"),
}
MARKUP_METHODS = {
    "update",
    "add_row",
    "add_column",
    "add_columns",
    "update_cell",
    "update_cell_at",
    "set_options",
}
MARKUP_METHODS |= {"add_option", "set_label", "add_leaf"}
MARKUP_ATTRIBUTES = {"tooltip", "border_title", "border_subtitle", "label"}
FORBIDDEN_NAMES = {"from_markup", "escape", "render_markup", "escape_markup"}
TEXT_CALLS = {
    "str",
    "repr",
    "clean",
    "one_line",
    "format",
    "join",
    "strip",
    "replace",
    "ljust",
    "rjust",
    "upper",
    "lower",
}


class Scope:
    """What is known about the local names of one function: which of them hold text not written in the source."""

    def __init__(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        self.texts = {a.arg for a in arguments if a.annotation and ast.unparse(a.annotation) in ("str", "str | None")}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and self.is_text(node.value):
                self.texts |= {target.id for target in node.targets if isinstance(target, ast.Name)}

    def is_text(self, node: ast.AST | None) -> bool:
        """True when an expression makes a `str` out of more than literals."""
        match node:
            case ast.JoinedStr(values):
                return any(isinstance(value, ast.FormattedValue) for value in values)
            case ast.Name(id):
                return id in self.texts
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
                return name in TEXT_CALLS
            case ast.BinOp(left, ast.Add() | ast.Mod(), right):
                return self.is_text(left) or self.is_text(right)
            case ast.IfExp(_, body, orelse):
                return self.is_text(body) or self.is_text(orelse)
            case ast.BoolOp(_, values):
                return any(self.is_text(value) for value in values)
        return False


def faults(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and reason of everything in a module that could read foreign text as markup.

    A class counts by its name, unless the module takes that name from a room of ours.
    """
    ours = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flowlatch.")
        for alias in node.names
    }
    widgets = MARKUP_WIDGETS - ours - {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
    for node in ast.walk(tree):
        name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        if name in FORBIDDEN_NAMES and "re." not in ast.unparse(node) and "html." not in ast.unparse(node):
            yield node.lineno, f"{name} is never safe: build Text or Content"  # type: ignore[attr-defined]
        if isinstance(node, ast.ImportFrom) and node.module in ("rich.markup", "textual.markup"):
            yield node.lineno, f"nothing from {node.module} is safe for foreign text"
        if isinstance(node, ast.keyword) and node.arg == "markup" and not _is_false(node.value):
            yield node.value.lineno, "markup= is False or absent"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _faults_in(node, widgets)


def _faults_in(function: ast.FunctionDef | ast.AsyncFunctionDef, widgets: set[str]) -> Iterator[tuple[int, str]]:
    scope = Scope(function)
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and scope.is_text(node.value):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and target.attr in MARKUP_ATTRIBUTES:
                    yield node.lineno, f".{target.attr} reads markup: assign Content"
        if isinstance(node, ast.Call) and _reads_markup(node, widgets):
            shown = [
                *node.args,
                *(k.value for k in node.keywords if k.arg in ("label", "prompt", "content", "tooltip")),
            ]
            if any(scope.is_text(argument) for argument in shown):
                yield node.lineno, f"{ast.unparse(node.func)}(…) reads markup: give Content, Text or markup=False"


def _reads_markup(call: ast.Call, widgets: set[str]) -> bool:
    if any(keyword.arg == "markup" and _is_false(keyword.value) for keyword in call.keywords):
        return False
    match call.func:
        case ast.Name(name):
            return name in widgets
        case ast.Attribute(attr=name):
            return name in MARKUP_METHODS
    return False


def _is_false(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_no_foreign_text_reaches_markup() -> None:
    screens = [module for module in modules() if module.name.split(".")[0] == "ui"]
    assert screens
    found = [f"{m.where}:{line} {reason}" for m in screens for line, reason in sorted(set(faults(m.tree)))]
    assert not found, "\n".join(found)


def test_no_toast_reads_markup(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every `notify` ends in the application's, so that one place is enough."""
    told: list[tuple[str, bool]] = []
    monkeypatch.setattr(App, "notify", lambda self, message, *, markup=True, **_: told.append((message, markup)))
    FlowlatchApp.notify(object.__new__(FlowlatchApp), "[@click=app.quit]x\x1b[2J", markup=True)
    assert told == [("[@click=app.quit]x␛[2J", False)]


@pytest.mark.parametrize(
    "source",
    [
        "def f(self, name: str): yield Static(name)",
        "def f(self, run): yield Label(f'run {run.name}')",
        "def f(self, run): self.query_one(Label).update('gone: ' + one_line(run.name))",
        "def f(self, run):\n    title = one_line(run.name)\n    self.border_title = title",
        "def f(self, run): self.query_one(Static).update(', '.join(run.labels))",
        "def f(self, error): self.notify(f'{error}', markup=True)",
        "def f(self, run): table.add_row(run.name.upper())",
        "def f(self, run): return Text.from_markup(run.name)",
        "from rich.markup import escape",
    ],
)
def test_the_lint_sees_what_it_is_for(source: str) -> None:
    assert list(faults(ast.parse(source)))


@pytest.mark.parametrize(
    "source",
    [
        "def f(self, run): yield Static(foreign_content(run.name))",
        "def f(self, run): self.notify(one_line(run.name))",
        "def f(self): yield Label('State')",
        "def f(self, run): yield Static(Content(one_line(run.name)))",
        "def f(self, run): self.cells.update({run.id: 1})",
        "def f(self, text): return re.escape(text)",
        "from flowlatch.ui.widgets.choice import Option\ndef f(self, text: str): return Option(text)",
    ],
)
def test_the_lint_lets_pass_what_is_safe(source: str) -> None:
    assert not list(faults(ast.parse(source)))
