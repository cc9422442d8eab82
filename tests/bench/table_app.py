"""The usual way: Textual's own table with 200 rows, of which some change ten times a second."""

import itertools
from collections.abc import Iterator

from rich.text import Text
from textual.app import App
from textual.widgets import DataTable

ROWS, CHANGING, EVERY_S = 200, 16, 0.1
COLUMNS = ("STATE", "FLOW / RUN", "START", "DUR", "VER", "MESSAGE")


class TableApp(App[None]):
    """A table of runs that changes without any server."""

    def compose(self) -> Iterator[DataTable[Text]]:
        """Show the table."""
        yield DataTable(cursor_type="row")

    def on_mount(self) -> None:
        """Fill the table and begin to change it: state, version and message of the first rows."""
        table = self.query_one(DataTable)
        self.columns = table.add_columns(*COLUMNS)
        self.rows = [
            table.add_row("Running", f"etl-orders / run-{number:03d}", "2m ago", "41s", "v1", "step 0")
            for number in range(ROWS)
        ]
        self.steps = itertools.count(1)
        self.set_interval(EVERY_S, self.change)

    def change(self) -> None:
        """Change three cells of each of the first rows."""
        table, step = self.query_one(DataTable), next(self.steps)
        for row in self.rows[:CHANGING]:
            for column, text in ((0, ("Running", "Failed")[step % 2]), (4, f"v{step}"), (5, f"step {step}")):
                table.update_cell(row, self.columns[column], text)


if __name__ == "__main__":
    TableApp().run()
