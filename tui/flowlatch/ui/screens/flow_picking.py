"""Picking a flow of the server: the first ones are loaded, the rest is searched for there."""

from __future__ import annotations

from collections.abc import Iterable

from flowlatch.live.session import Session
from flowlatch.model.run import Flow
from flowlatch.text import one_line
from flowlatch.ui.widgets.picker import Item, Picker

LOADED = 200
"""Flows loaded at once; more are searched for by what is typed."""


def flow_items(flows: Iterable[Flow]) -> list[Item]:
    """Return flows as items of a picker, by name; version and project tell two of one name apart."""
    by_name = sorted(flows, key=lambda flow: (flow.name.lower(), -(flow.version or 0)))
    return [Item(flow.id, one_line(flow.name, 120), _detail(flow)) for flow in by_name]


def _detail(flow: Flow) -> str:
    return " · ".join(word for word in (f"v{flow.version}" if flow.version else "", flow.project or "") if word)


class FlowPicking:
    """The flows behind one picker. Methods that read raise `BackendError`."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._flows: dict[str, Flow] = {}
        self._asked: set[str] = set()

    def get(self, flow_id: str | None) -> Flow | None:
        """Return a flow that was loaded."""
        return self._flows.get(flow_id or "")

    def add(self, flow: Flow) -> Item:
        """Take a flow that is known already and return its item."""
        self._flows[flow.id] = flow
        return flow_items([flow])[0]

    async def load(self, picker: Picker, text: str = "") -> None:
        """Load flows whose name contains `text` and offer all that are known."""
        self._asked.add(text)
        found = await self.session.backend.flows(text=text, limit=LOADED)
        self._flows |= {str(flow.id): flow for flow in found}
        picker.set_items(flow_items(self._flows.values()))

    def should_search(self, picker: Picker) -> bool:
        """True when what is typed names none of the flows known and the server was not asked for it yet."""
        return bool(picker.text) and picker.text not in self._asked and not picker.hits()
