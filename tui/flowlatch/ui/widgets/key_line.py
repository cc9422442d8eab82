"""The last line: the keys that work here, read from the bindings, so that it cannot go stale."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.content import Content
from textual.widget import Widget

from flowlatch.ui.keys import shown

KEPT = ("command", "help")
"""Actions that stay on the line when others find no room."""
LAST = ("back", *KEPT)
"""Actions that come behind all others, wherever they are bound."""
SPACE = 2


@dataclass(frozen=True)
class _Hint:
    action: str
    key: str
    word: str

    @property
    def width(self) -> int:
        return len(self.key) + 1 + len(self.word)


def takes_text(widget: Widget | None) -> bool:
    """True when a letter typed now is text for this widget."""
    return widget is not None and widget.check_consume_key("a", "a")


class KeyLine(Widget):
    """Shows the keys of the active screen; a click presses one."""

    DEFAULT_CSS = """
    KeyLine { height: 1; width: 1fr; padding: 0 1; background: $panel; color: $muted; }
    """

    def on_mount(self) -> None:
        """Repaint when focus or bindings change."""
        self.screen.bindings_updated_signal.subscribe(self, lambda _: self._look_again())
        self._hints: list[_Hint] = []
        self.call_after_refresh(self._look_again)

    def _look_again(self) -> None:
        if self.is_attached and self.screen.is_active:
            hints = self._gather()
            if hints != self._hints:
                self._hints = hints
                self.refresh()

    def _gather(self) -> list[_Hint]:
        """Return one hint for each shown action that is enabled, with its first key, in the order of the bindings."""
        hints: dict[str, _Hint] = {}
        is_typing = takes_text(self.screen.focused)
        for key, active in self.screen.active_bindings.items():
            binding = active.binding
            if binding.show and active.enabled and binding.description:
                name = binding.id or binding.action
                if is_typing and len(shown(key)) == 1:
                    continue
                hints.setdefault(name, _Hint(name, binding.key_display or shown(key), binding.description))
        last = [hints.pop(name) for name in LAST if name in hints]
        return [*hints.values(), *last]

    def _placed(self) -> list[tuple[int, _Hint]]:
        """Return the hints that fit, each with its first column; those in KEPT always have their place."""
        width = self.content_size.width
        kept = [hint for hint in self._hints if hint.action in KEPT]
        others = [hint for hint in self._hints if hint.action not in KEPT]
        room = width - sum(hint.width + SPACE for hint in kept)
        chosen: list[_Hint] = []
        for hint in others:
            if hint.width > room:
                break
            chosen.append(hint)
            room -= hint.width + SPACE
        placed: list[tuple[int, _Hint]] = []
        column = 0
        for hint in (*chosen, *kept):
            placed.append((column, hint))
            column += hint.width + SPACE
        return placed

    def render(self) -> Content:
        """Write key and word of each hint."""
        parts: list[Content | str] = []
        for column, hint in self._placed():
            if column:
                parts.append(" " * SPACE)
            parts += [Content.styled(hint.key, "$accent bold"), " ", Content(hint.word)]
        return Content.assemble(*parts)

    async def on_click(self, event: events.Click) -> None:
        """Do what the key under the pointer does."""
        column = event.x - self.gutter.left
        for start, hint in self._placed():
            if start <= column < start + hint.width:
                for active in self.screen.active_bindings.values():
                    if (active.binding.id or active.binding.action) == hint.action:
                        await self.app.run_action(active.binding.action, active.node)
                        return
