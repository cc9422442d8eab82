"""Agents: who asks this server for work, for which labels, and when they were last heard of."""

from __future__ import annotations

from textual.content import Content

from flowlatch.model.run import Agent
from flowlatch.text import one_line
from flowlatch.ui.format import age
from flowlatch.ui.screens.listing import Listing
from flowlatch.ui.screens.times import Times
from flowlatch.ui.widgets.rows import Column, Row

ALIVE_S = 60.0
"""An agent asks for work every few seconds; one that was silent for this long is shown as silent."""


class AgentsScreen(Listing[Agent]):
    """The agents, the one last heard of first."""

    heading = "Agents"
    columns = (
        Column("", 1),
        Column("AGENT", 36),
        Column("TYPE", 20),
        Column("LAST HEARD", 14),
        Column("CORE", 10, from_width=90),
        Column("LABELS", 20, is_last=True),
    )
    nothing = "no agent has asked this server for work"

    async def read(self) -> dict[str, Agent]:
        """Ask for the agents."""
        return {agent.id: agent for agent in await self.session.backend.agents()}

    def _is_alive(self, agent: Agent) -> bool:
        heard = agent.last_queried
        return heard is not None and (self.session.now() - heard).total_seconds() < ALIVE_S

    def row(self, key: str, value: Agent) -> Row:
        """Return mark, name, type, last contact, labels."""
        alive = self._is_alive(value)
        return Row(
            key,
            (
                ("+" if alive else "-", "success" if alive else "late"),
                (one_line(value.name or value.id, 60), ""),
                (one_line(value.type or "-", 40), "muted"),
                (Times(self.session).short(value.last_queried), "" if alive else "late"),
                (one_line(value.core_version or "-", 20), "muted"),
                (" ".join(one_line(label, 40) for label in value.labels) or "any", "muted"),
            ),
        )

    def about(self, value: Agent) -> Content:
        """Return id and last contact in full."""
        heard = value.last_queried
        words = "never heard of" if heard is None else f"last asked for work {Times(self.session).whole(heard)}"
        silent = ""
        if heard is not None and not self._is_alive(value):
            silent = f"\nsilent since {age(heard, self.session.now())}: runs that only this agent can take will wait"
        return Content(f"{one_line(value.name or value.id, 100)}  id {one_line(value.id, 60)}\n{words}{silent}")
