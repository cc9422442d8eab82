"""One run: overview, history, logs, tasks, parameters, raw JSON. It stays on its run and follows it."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual.binding import BindingType

from flowlatch.ui import keys
from flowlatch.ui.messages import OpenCancel, OpenCreate, OpenEditState, OpenRetry, OpenSchedule
from flowlatch.ui.screens.run_view import RunView


class RunScreen(RunView):
    """Everything about one run. Opens forms for it; writes nothing itself."""

    BINDINGS: ClassVar[list[BindingType]] = [
        replace(keys.PREVIOUS_TAB, show=False),
        keys.EDIT_STATE,
        keys.CANCEL,
        keys.RETRY,
        replace(keys.NEW_FROM, description="Clone", show=True),
        keys.LOGS,
        replace(keys.NEXT_TAB, description="Tabs", key_display="[ ]", show=True),
        keys.HISTORY,
        keys.COPY,
        replace(keys.EXPORT, show=False),
        keys.OPEN_WEB,
        keys.RAW,
        keys.UNDO,
        replace(keys.NEW_RUN, show=False),
        replace(keys.SCHEDULE, show=False),
        keys.REFRESH,
        replace(keys.TIME_STYLE, action="app.time_style"),
        replace(keys.QUIT, action="app.quit"),
        replace(keys.BACK, action="app.back", show=True),
    ]

    def action_next_tab(self) -> None:
        """Next tab; behind the last, the first."""
        self.step_tab(1)

    def action_previous_tab(self) -> None:
        """Previous tab; before the first, the last."""
        self.step_tab(-1)

    def action_logs(self) -> None:
        """Show the log over the whole width; again goes back to the overview."""
        self.show_tab("overview" if self.tab == "logs" else "logs")

    def action_history(self) -> None:
        """Show the history; again goes back to the overview."""
        self.show_tab("overview" if self.tab == "history" else "history")

    def action_raw(self) -> None:
        """Show the run as the server sent it; again goes back to the overview."""
        self.show_tab("overview" if self.tab == "raw" else "raw")

    def action_refresh(self) -> None:
        """Read everything anew; without a link, try to connect now."""
        self.session.retry_now()
        self.detail.reload()

    def action_edit_state(self) -> None:
        """Open the state form."""
        if run := self._first_run():
            self.post_message(OpenEditState(run))

    def action_cancel(self) -> None:
        """Ask whether to cancel."""
        if run := self._first_run():
            self.post_message(OpenCancel(run))

    def action_retry(self) -> None:
        """Ask whether to run it again."""
        if run := self._first_run():
            self.post_message(OpenRetry([run]))

    def action_new_from(self) -> None:
        """Open the form with the parameters of this run."""
        if run := self._first_run():
            self.post_message(OpenCreate(source=run))

    def action_new_run(self) -> None:
        """Open the form for a new run."""
        self.post_message(OpenCreate())

    def action_schedule(self) -> None:
        """Open the form for a run that starts later."""
        runs = self.chosen_runs()
        self.post_message(OpenSchedule(source=runs[0] if runs else None))
