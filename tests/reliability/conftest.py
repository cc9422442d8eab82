"""A server full of hostile text, and what a terminal may be sent."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator

import pytest

from tests.support.hostile import ESCAPES, LOOKALIKES, MARKUP, SENDABLE, SHAPES
from tests.support.pty import Terminal
from tests.support.server import ServerProcess

NAME_LIMIT = 1_000
REGISTER_AGENT = "mutation($input: register_agent_input!) { register_agent(input: $input) { id } }"
QUIET_S = 0.25
"""A screen that has written nothing for so long has said what it had to say."""
MODES = (1000, 1003, 1004, 1006, 1015, 1049, 2004, 2026, 25, 7)
_MODES = b"|".join(str(mode).encode() for mode in MODES)
KNOWN = re.compile(
    rb"\x1b(?:\[[0-9;]*[mHJK]"
    rb"|\[\?(?:" + _MODES + rb")[hl]"
    rb"|\[\?(?:2026|2048)\$p"  # asks which of two modes the terminal knows
    rb"|\[>[0-9]+u|\[<u"  # how keys are reported
    rb"|\]22;[a-z-]*\x07)"  # shape of the mouse pointer
)


ACTS = re.compile(
    "[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\u3164"
    "\ud800-\udfff\ufeff\uffa0\ufdd0-\ufdef\ufffe\uffff\U000e0000-\U000e007f]"
)
"""What a terminal obeys or nobody can see; written down here again, so that the program is not its own judge."""


def unknown_bytes(raw: bytes) -> list[str]:
    """Return what else than known sequences and harmless text was written to a terminal, with its surroundings."""
    rest = KNOWN.sub(b"\n", raw).decode("utf-8", "surrogateescape")
    places = {found.group(): found.start() for found in ACTS.finditer(rest)}
    return [repr(rest[max(0, at - 40) : at + 40]) for at in places.values()]


def settle(terminal: Terminal, deadline_s: float = 5.0) -> str:
    """Read until the screen is quiet and return it.

    A terminal hands out 4 kB at a time, so it is the time that ends this, not a number of reads.
    """
    ends_at = time.monotonic() + deadline_s
    while time.monotonic() < ends_at and terminal.read_some(QUIET_S):
        pass
    return terminal.text


@pytest.fixture(scope="module")
def hostile_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server whose flows, runs, labels, parameters, messages and logs are hostile; the newest four hold it all."""
    with ServerProcess(tmp_path_factory.mktemp("hostile"), "--no-scheduler") as server:
        wire = server.wire()
        shapes = {name: text for name, text in SHAPES.items() if len(text) < 100}
        texts = [text for text in SENDABLE.values() if text and len(text) <= NAME_LIMIT]
        joined = ["".join(t for t in group.values() if t in texts) for group in (shapes, MARKUP, LOOKALIKES, ESCAPES)]
        flow_id = ""
        for number, text in enumerate([*texts, *joined]):
            if number % 4 == 0 or text in joined:
                flow_id = wire.create_flow(text[:NAME_LIMIT], [{"name": "text"}, {"name": text[:200]}])
            parameters = {"text": text, text[:200]: [text]}
            run_id = wire.create_run(flow_id, flow_run_name=text, parameters=parameters, labels=[text[:200]])
            wire.set_state(run_id, 1, "Running", text)
            wire.log(run_id, text, f"\n{text}")
        tenant = wire.data("{ tenant { id } }")["tenant"][0]["id"]
        for text in joined:
            agent = {"type": "LocalAgent", "name": text[:200], "labels": [text[:100]], "tenant_id": tenant}
            wire.data(REGISTER_AGENT, {"input": agent})
        yield server
