"""What a list costs at 10k, 100k and 1M runs: `python -m tests.bench.size [--runs 10000 1000000] [--in DIR] [--json]`.

One client, one request after the other; each question is asked until its figure is steady, and again on every size.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.fill import fill
from tests.bench.report import Figure, median, quantile, show
from tests.bench.startup import resident_mib
from tests.support.server import ServerProcess
from tests.support.wire import CREATE_RUN, Wire

SIZES = (10_000, 100_000, 1_000_000)
SAMPLES = 15
AT_MOST_S = 8.0
"""No question is asked longer than this."""
ORDER = "[{scheduled_start_time: desc}, {id: desc}]"
FIELDS = "id name version state state_message scheduled_start_time start_time end_time flow { id name }"


def page(where: str = "", offset: str = "0", order: str = ORDER) -> str:
    """Return the question for a page of 200 as the dashboard asks it."""
    condition = f"where: {{{where}}}, " if where else ""
    return f"{{ flow_run({condition}order_by: {order}, limit: 200, offset: {offset}) {{ {FIELDS} }} }}"


def count(where: str) -> str:
    """Return the question how many runs meet a condition."""
    return f"flow_run_aggregate(where: {{{where}}}) {{ aggregate {{ count }} }}"


def questions(wire: Wire, runs: int) -> dict[str, str]:
    """Return every read that is measured, by its name."""
    some = wire.data("{ flow_run(limit: 1, offset: 500) { id name flow_id labels } }")["flow_run"][0]
    labelled = wire.data("{ flow_run(limit: 1, where: {labels: {_neq: []}}) { labels } }")["flow_run"]
    label = labelled[0]["labels"][0] if labelled else "prod"
    flow, name = f'flow_id: {{_eq: "{some["flow_id"]}"}}', some["name"]
    states = ("Scheduled", "Running", "Success", "Failed", "Cancelled")
    counts = " ".join(f"{state}: " + count(f'state: {{_eq: "{state}"}}') for state in states)
    return {
        "page, newest": page(),
        "page, middle": page(offset=str(runs // 2)),
        "page, end": page(offset=str(runs - 200)),
        "page, state Failed": page('state: {_eq: "Failed"}'),
        "page, states Running or Failed": page('state: {_in: ["Running", "Failed"]}'),
        "page, one flow": page(flow),
        "page, one flow and Failed": page(f'{flow}, state: {{_eq: "Failed"}}'),
        "page, one label": page(f'labels: {{_contains: ["{label}"]}}'),
        "page, text in the name, frequent": page(f'name: {{_ilike: "%{name[:4]}%"}}'),
        "page, text in the name, one run": page(f'name: {{_ilike: "%{name}%"}}'),
        "page, text in no name": page('name: {_ilike: "%zqxjk%"}'),
        "page, by name": page(order="[{name: asc}, {id: asc}]"),
        "page, by end time": page(order="[{end_time: desc}, {id: desc}]"),
        "counts of the five states": f"{{ {counts} }}",
        "count of all": f"{{ {count('')} }}",
        "count, one flow": f"{{ {count(flow)} }}",
        "count, one label": f'{{ {count(f"""labels: {{_contains: ["{label}"]}}""")} }}',
        "one run by its id, with history": (
            f'{{ flow_run_by_pk(id: "{some["id"]}") {{ {FIELDS} parameters states {{ version state }} }} }}'
        ),
    }


def timed(ask: Callable[[], Any]) -> list[float]:
    """Return latencies in ms of asking the same again and again, the first (it is compiled then) left out."""
    began = time.perf_counter()
    taken: list[float] = []
    ask()
    while len(taken) < SAMPLES and (time.perf_counter() - began < AT_MOST_S or not taken):
        started = time.perf_counter()
        ask()
        taken.append((time.perf_counter() - started) * 1e3)
    return taken


def measured(server: ServerProcess, runs: int) -> dict[str, list[float]]:
    """Return latencies by name on one running server."""
    wire = server.wire()
    found = {name: timed(lambda q=text: wire.data(q)) for name, text in questions(wire, runs).items()}  # type: ignore[misc]
    flow_id = wire.data("{ flow(limit: 1) { id } }")["flow"][0]["id"]
    run_id, versions = wire.create_run(flow_id), iter(range(1, 10_000))
    found["set state, version checked"] = timed(lambda: wire.set_state(run_id, next(versions), "Running"))

    def create() -> Any:
        return wire.data(CREATE_RUN, {"input": {"flow_id": flow_id, "idempotency_key": str(uuid.uuid4())}})

    found["create, new key"] = timed(create)
    return found


def main() -> None:
    """Measure every size and print one table, the largest against the smallest."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.size", description=__doc__)
    parser.add_argument("--runs", type=int, nargs="+", default=SIZES, help="sizes (10000 100000 1000000)")
    parser.add_argument("--in", dest="place", type=Path, help="keep the filled databases in this directory")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flowlatch-bench-") as name:
        place = arguments.place or Path(name)
        figures: list[Figure] = []
        first: dict[str, float] = {}
        for runs in arguments.runs:
            directory = place / str(runs)
            if not (directory / "data").exists():
                fill(directory / "data", runs, random.Random(1), datetime.now(UTC))
            started = time.perf_counter()
            with ServerProcess(directory, "--no-scheduler") as server:
                figures.append(Figure(f"start → ready, {runs:,}", (time.perf_counter() - started) * 1e3, "ms"))
                for what, taken in measured(server, runs).items():
                    value = median(taken)
                    ratio = value / first.setdefault(what, value)
                    tail = f"{what}, {runs:,} (p95 {quantile(taken, 0.95):.1f} ms)"
                    figures.append(Figure(tail, value, "ms", ratio, f"{arguments.runs[0]:,}"))
                figures.append(Figure(f"server, resident memory, {runs:,}", resident_mib(server.pid), "MiB"))
    show("Reads and writes by size of the database, c=1", figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
