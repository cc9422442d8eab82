"""The parameters of a flow: one typed field each, or the same values as JSON; both ways, nothing lost."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static, TextArea

from flowlatch.errors import BadInput
from flowlatch.model.params import choices_of, is_secret, kind_of, read_object, read_value, show_value
from flowlatch.model.run import Parameter
from flowlatch.text import one_line
from flowlatch.ui.widgets.choice import Choice, Option
from flowlatch.ui.widgets.field import Field, TextInput
from flowlatch.ui.widgets.words import show_words

FORM, JSON = "form", "json"
DEFAULT = ""
"""Value of a choice that leaves the parameter to the flow's default."""


class ParamForm(Vertical):
    """Fields typed by annotation or default. `values` are those given; what is left empty is left to the flow."""

    DEFAULT_CSS = """
    ParamForm { height: auto; width: 1fr; padding: 0 0 0 2; }
    ParamForm TextArea { height: auto; min-height: 4; max-height: 12; border: none; padding: 0; background: $surface; }
    ParamForm .note { color: $muted; height: auto; }
    ParamForm .problem-line { color: $error; height: auto; display: none; }
    ParamForm.-problem .problem-line { display: block; }
    """

    @dataclass
    class Changed(Message):
        """A value, or its text, changed."""

        form: ParamForm

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.mode = FORM
        self._parameters: list[Parameter] = []
        self._texts: dict[str, str] = {}
        """Name → text of its field; the extra ones of the JSON too."""
        self._json = "{}"
        self.json_problem = ""

    def compose(self) -> ComposeResult:
        """Say that there is nothing yet."""
        yield Static(Content("(choose a flow first)"), classes="note", markup=False)

    async def show(self, parameters: Sequence[Parameter], values: Mapping[str, Any] | None = None) -> None:
        """Show the parameters of a flow; values typed for names that it has too are kept, `values` win over them."""
        kept = self._texts
        self._parameters = list(parameters)
        self._texts = {p.name: kept.get(p.name, "") for p in self._parameters}
        for name, value in (values or {}).items():
            self._texts[name] = show_value(value, self._parameter(name))
        self._json = json.dumps(self._lenient_values(), indent=2, ensure_ascii=True)
        await self._rebuild()

    def _parameter(self, name: str) -> Parameter:
        return next((p for p in self._parameters if p.name == name), Parameter(name=name))

    def _all(self) -> list[Parameter]:
        known = {p.name for p in self._parameters}
        return [*self._parameters, *(Parameter(name=name) for name in self._texts if name not in known)]

    async def _rebuild(self) -> None:
        await self.remove_children()
        if self.mode == JSON:
            area = TextArea(self._json, show_line_numbers=False, soft_wrap=True, tab_behavior="focus", compact=True)
            area.cursor_blink = False
            await self.mount(area, Static(Content(""), classes="problem-line", markup=False))
            self._show_json_problem()
            return
        rows = [self._row(parameter) for parameter in self._all()]
        await self.mount_all(rows or [Static(Content("(this flow has no parameters)"), classes="note", markup=False)])
        self._check_fields()

    def _row(self, parameter: Parameter) -> Field:
        text, kind = self._texts[parameter.name], kind_of(parameter)
        label = f"{one_line(parameter.name, 24)} *" if parameter.required else one_line(parameter.name, 24)
        cells = min(max(*(len(one_line(p.name, 24)) + 3 for p in self._all()), 9), 26)
        options = [Option(word, word) for word in choices_of(parameter)]
        if kind == "bool":
            options = [Option("true", "true"), Option("false", "false")]
        control: Choice | TextInput
        if options and (not text or text in [option.value for option in options]):
            if not parameter.required:
                options.insert(0, Option(DEFAULT, f"default ({_default(parameter)})"))
            control = Choice(options, value=text, name=parameter.name)
        else:
            placeholder = "" if parameter.required else _default(parameter)
            control = TextInput(text, placeholder=placeholder, password=is_secret(parameter.name), name=parameter.name)
        return Field(label, control, hint="choice" if kind == "choice" else kind, label_cells=cells)

    @property
    def problems(self) -> list[str]:
        """One line for each thing that is wrong, with the parameter's name."""
        if self.mode == JSON:
            return [f"parameters: {self.json_problem}"] if self.json_problem else []
        return [f"{name}: {problem}" for name, problem in self._field_problems().items()]

    def _field_problems(self) -> dict[str, str]:
        found = {}
        for parameter in self._all():
            text = self._texts[parameter.name]
            if text == "":
                if parameter.required:
                    found[parameter.name] = "required"
                continue
            try:
                read_value(parameter, text)
            except BadInput as problem:
                found[parameter.name] = str(problem)
        return found

    def _check_fields(self) -> None:
        problems = self._field_problems()
        for field in self.query(Field):
            name = field.control.name or ""
            problem = problems.get(name, "")
            field.show_problem("" if problem == "required" and not self.is_strict else problem)

    is_strict = False
    """True once a submit was tried: empty required fields are marked from then on."""

    def be_strict(self) -> None:
        """Mark empty required fields too."""
        self.is_strict = True
        if self.mode == FORM:
            self._check_fields()

    def values(self) -> dict[str, Any]:
        """Return the values given. Raises `BadInput` while there is a problem."""
        problems = self.problems
        if problems:
            raise BadInput(problems[0])
        if self.mode == JSON:
            return read_object(self._json)
        return self._lenient_values()

    def _lenient_values(self) -> dict[str, Any]:
        """Return the values of those fields that can be read."""
        values: dict[str, Any] = {}
        for parameter in self._all():
            text = self._texts.get(parameter.name, "")
            if text == "":
                continue
            try:
                values[parameter.name] = read_value(parameter, text)
            except BadInput:
                continue
        return values

    @property
    def json_text(self) -> str:
        """The values as JSON text: what an editor is opened on."""
        if self.mode == FORM:
            return json.dumps(self._lenient_values(), indent=2, ensure_ascii=True)
        return self._json

    async def set_json(self, text: str) -> None:
        """Take JSON text: into the fields if it can be read, else into the JSON view with its problem."""
        self._json = text
        self._read_json()
        if self.mode == FORM and self.json_problem:
            self.mode = JSON
        elif self.mode == FORM:
            self._take_object(read_object(text))
        await self._rebuild()
        self.post_message(self.Changed(self))

    async def set_mode(self, mode: str) -> bool:
        """Go to the other view with the same values; False when the JSON cannot be read yet."""
        if mode == self.mode:
            return True
        if mode == JSON:
            unread = self._field_problems()
            if any(problem != "required" for problem in unread.values()):
                return False
            self._json = self.json_text
            self._read_json()
        else:
            try:
                self._take_object(read_object(self._json))
            except BadInput:
                return False
        self.mode = mode
        await self._rebuild()
        self.post_message(self.Changed(self))
        return True

    def _take_object(self, values: dict[str, Any]) -> None:
        self._texts = {p.name: "" for p in self._parameters}
        for name, value in values.items():
            self._texts[name] = show_value(value, self._parameter(name))

    def _read_json(self) -> None:
        try:
            values = read_object(self._json)
            missing = [p.name for p in self._parameters if p.required and p.name not in values]
            self.json_problem = f"required: {one_line(', '.join(missing))}" if missing else ""
        except BadInput as problem:
            self.json_problem = str(problem)

    def _show_json_problem(self) -> None:
        self.set_class(bool(self.json_problem) and self.mode == JSON, "-problem")
        for line in self.query(".problem-line").results(Static):
            show_words(line, Content(f"x {one_line(self.json_problem)}" if self.json_problem else ""))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Check the field."""
        event.stop()
        self._typed(event.input.name or "", event.value)

    def on_choice_changed(self, event: Choice.Changed) -> None:
        """Keep the choice."""
        event.stop()
        self._typed(event.choice.name or "", event.value)

    def on_text_area_changed(self, event: TextArea.Changed) -> None:
        """Check the JSON."""
        event.stop()
        if self.mode == JSON and event.text_area.text != self._json:
            self._json = event.text_area.text
            self._read_json()
            self._show_json_problem()
            self.post_message(self.Changed(self))

    def _typed(self, name: str, text: str) -> None:
        if name in self._texts and self._texts[name] != text:
            self._texts[name] = text
            self._check_fields()
            self.post_message(self.Changed(self))


def _default(parameter: Parameter) -> str:
    if is_secret(parameter.name):
        return "hidden"
    return one_line(show_value(parameter.default, parameter), 40) if parameter.default is not None else "no default"
