"""How benchmarks speak: medians, ratios, one table, and the same as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Figure:
    """One line of a table. `ratio` is against what `against` names; `goal` is the gate, in words."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    against: str = ""
    goal: str = ""


def quantile(samples: Sequence[float], share: float) -> float:
    """Return the sample below which `share` of them lie."""
    ordered = sorted(samples)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def median(samples: Sequence[float]) -> float:
    """Return the middle sample."""
    return statistics.median(samples)


def machine() -> dict[str, str | int]:
    """Return what the figures were measured on; no names of hosts or users."""
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "cores": os.cpu_count() or 1,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def show(title: str, figures: Sequence[Figure], *, as_json: bool) -> None:
    """Print a Markdown table, or one JSON object."""
    if as_json:
        json.dump({"title": title, "machine": machine(), "figures": [asdict(f) for f in figures]}, sys.stdout)
        print()
        return
    facts = ", ".join(f"{name} {value}" for name, value in machine().items())
    print(f"\n## {title}\n\n{facts}\n\n| what | figure | ratio | goal |\n|---|---:|---:|---|")
    for figure in figures:
        ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}× {figure.against}"
        print(f"| {figure.name} | {_number(figure.value)} {figure.unit} | {ratio} | {figure.goal} |")


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
