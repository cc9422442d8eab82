"""The past of the demo: some weeks of runs, made up from a seed. Pure: the same seed and time give the same runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from random import Random
from typing import Any

from flowlatch.demo.flows import FLOWS, UNSERVED_LABEL, SampleFlow, run_name

RUNS = 600
DAYS = 24
PAST_ENDS = timedelta(minutes=2)
"""Nothing of the past is due later than so long ago; what is due after that belongs to the workers."""
OUTAGE_FLOW = "etl-orders"
OUTAGE_TROUBLE = "S3: connection refused"
OUTAGE_RUNS = 6
OUTAGE_BEGINS = time(13, 15)
"""Yesterday, in the operator's zone: by day, so that it is yesterday's by any other clock within some hours as well."""


@dataclass(frozen=True)
class PlannedRun:
    """One run of the past: what it was asked for and how it ended."""

    flow: SampleFlow
    name: str
    due_at: datetime
    parameters: dict[str, Any]
    labels: tuple[str, ...]
    key: str | None
    states: tuple[dict[str, Any], ...]
    """The states after Running, the last one final; several where it was tried again, none where it waits."""
    lasts: float
    """How long it stays Running while it is seeded, 0–1."""

    @property
    def is_good(self) -> bool:
        """True when it ends in success."""
        return bool(self.states) and self.states[-1]["type"] == "Success"


def past(seed: int, now: datetime, runs: int = RUNS) -> list[PlannedRun]:
    """Return the runs of the weeks before `now`, latest first: dense in the last hours, thinner before."""
    random = Random(f"past {seed}")
    flows = [flow for flow in FLOWS for _ in range(flow.weight)]
    planned = []
    for index in range(runs):
        back = PAST_ENDS + timedelta(days=DAYS) * ((index / runs) ** 2)
        due = (now - back - timedelta(seconds=random.randint(0, 50))).replace(microsecond=0)
        planned.append(_planned(random, random.choice(flows), due))
    return planned


def outage(seed: int, now: datetime) -> list[PlannedRun]:
    """Return the runs of one flow that failed yesterday as a store was away, latest first; by the zone of `now`."""
    random = Random(f"outage {seed}")
    flow = next(flow for flow in FLOWS if flow.name == OUTAGE_FLOW)
    begins_at = datetime.combine(now.date() - timedelta(days=1), OUTAGE_BEGINS, now.tzinfo)
    failed = ({"type": "Failed", "message": OUTAGE_TROUBLE},)
    planned = []
    for index in reversed(range(OUTAGE_RUNS)):
        due = begins_at + timedelta(minutes=10 * index, seconds=random.randint(0, 50))
        planned.append(replace(_planned(random, flow, due), states=failed))
    return planned


def whole_past(seed: int, now: datetime) -> list[PlannedRun]:
    """Return everything that has ended before `now`, latest first; `now` in the operator's zone."""
    return sorted([*past(seed, now), *outage(seed, now)], key=lambda run: run.due_at, reverse=True)


def late(seed: int, now: datetime) -> list[PlannedRun]:
    """Return runs that nobody takes: they wait for a worker with a label that there is none of."""
    random = Random(f"late {seed}")
    flow = next(flow for flow in FLOWS if flow.name == "train-forecast")
    return [
        PlannedRun(
            flow,
            run_name(random),
            (now - timedelta(minutes=minutes)).replace(microsecond=0),
            flow.draw(random, now),
            (UNSERVED_LABEL, *flow.labels),
            None,
            (),
            0.0,
        )
        for minutes in (6, 47)
    ]


def ending(random: Random, flow: SampleFlow) -> tuple[dict[str, Any], ...]:
    """Return how a run of a flow goes on after Running: usually well, sometimes after another try, sometimes not."""
    chance = random.random()
    if chance < flow.fails:
        kind = "TimedOut" if random.random() < 0.1 else "Failed"
        return ({"type": kind, "message": random.choice(flow.troubles)},)
    if chance < flow.fails + 0.03:
        return ({"type": "Cancelled", "message": "Cancelled by mira"},)
    good = {"type": "Success", "message": flow.done}
    if chance < flow.fails + 0.08:
        again = {"type": "Retrying", "message": f"{random.choice(flow.troubles)}; try 2 of 3", "run_count": 2}
        return (again, {"type": "Running", "message": "Running, try 2 of 3"}, good)
    return (good,)


def _planned(random: Random, flow: SampleFlow, due: datetime) -> PlannedRun:
    key = f"{flow.name}-{due:%Y-%m-%dT%H:%M:%S}" if flow.cron and random.random() < 0.7 else None
    return PlannedRun(
        flow,
        run_name(random),
        due,
        flow.draw(random, due),
        flow.labels,
        key,
        ending(random, flow),
        random.random() ** 2,
    )
