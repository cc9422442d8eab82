"""The smallest Textual application: what any start of ours is compared with."""

from collections.abc import Iterator

from textual.app import App
from textual.widgets import Static


class Minimal(App[None]):
    """One line of text."""

    def compose(self) -> Iterator[Static]:
        """Show the line."""
        yield Static("minimal-marker")


if __name__ == "__main__":
    Minimal().run()
