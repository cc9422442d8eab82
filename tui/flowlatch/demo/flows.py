"""The flows of the demo: what they are called, what they want, how their runs usually go. Pure values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from typing import Any

from flowlatch.model.run import Parameter

Draw = Callable[[Random, datetime], dict[str, Any]]

COLLEAGUE_FLOW = "quarter-close"
"""The flow whose runs the colleague edits by itself."""
CHILD_FLOW = "report-eu"
"""The flow that runs of `COLLEAGUE_FLOW` start a run of."""
SCHEDULED_AHEAD = timedelta(days=5)
"""How far the demo's schedules reach."""
UNSERVED_LABEL = "gpu"
"""No worker of the demo takes runs with this label, so they become late."""


@dataclass(frozen=True)
class SampleFlow:
    """One flow and the habits of its runs."""

    name: str
    project: str
    description: str
    parameters: tuple[Parameter, ...]
    tasks: tuple[str, ...]
    """Slugs, in the order in which they run."""
    draw: Draw
    """Makes the parameters of a run that is due at a time."""
    edges: tuple[tuple[str, str], ...] = ()
    """Which task another one waits for, `(first, second)`; empty = each for the one before it."""
    labels: tuple[str, ...] = ()
    cron: str | None = None
    is_active: bool = False
    """Whether its schedule is on."""
    weight: int = 1
    """How often it runs beside the others."""
    lasts_s: tuple[float, float] = (6.0, 25.0)
    """Shortest and longest run at speed 1."""
    fails: float = 0.08
    """Share of runs that end badly."""
    troubles: tuple[str, ...] = ("unexpected end of data",)
    """What the failing ones say."""
    done: str = "All tasks done"


def _param(name: str, annotation: str, *default: Any) -> Parameter:
    return Parameter(name=name, annotation=annotation, required=not default, default=default[0] if default else None)


def _day(due: datetime, back: int = 1) -> str:
    return (due - timedelta(days=back)).date().isoformat()


def _orders(random: Random, due: datetime) -> dict[str, Any]:
    return {
        "day": _day(due),
        "region": random.choice(["eu", "eu", "us", "apac"]),
        "limit": random.choice([5000, 50000]),
    }


def _billing(random: Random, due: datetime) -> dict[str, Any]:
    return {"day": _day(due), "currency": random.choice(["EUR", "USD", "GBP"]), "dry_run": random.random() < 0.2}


def _report(random: Random, due: datetime) -> dict[str, Any]:
    week = due.isocalendar()
    return {"week": f"{week.year}-W{week.week:02}", "recipients": ["sales", "board"][: random.randint(1, 2)]}


def _forecast(random: Random, due: datetime) -> dict[str, Any]:
    return {"horizon_days": random.choice([7, 14, 28]), "learning_rate": random.choice([0.01, 0.05, 0.1])}


def _crm(random: Random, due: datetime) -> dict[str, Any]:
    since = (due - timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    return {"since": since.isoformat(), "account": random.choice(["acme", "globex", "initech", "umbrella"])}


def _quarter(random: Random, due: datetime) -> dict[str, Any]:
    return {"quarter": f"{due.year}-Q{(due.month + 2) // 3}", "approver": random.choice(["mira", "jonas"])}


FLOWS = (
    SampleFlow(
        "etl-orders",
        "warehouse",
        "Loads the orders of one day into the warehouse.",
        (
            _param("day", "date"),
            _param("region", "eu|us|apac", "eu"),
            _param("limit", "int", 50000),
            _param("full_reload", "bool", False),
        ),
        ("extract", "validate", "load", "publish", "archive"),
        _orders,
        edges=(
            ("extract", "validate"),
            ("extract", "load"),
            ("validate", "load"),
            ("load", "publish"),
            ("load", "archive"),
        ),
        labels=("prod",),
        cron="15 * * * *",
        weight=8,
        troubles=("Timeout calling S3", "Bad parameter day: no partition", "Duplicate key in orders_2026"),
    ),
    SampleFlow(
        "nightly-billing",
        "finance",
        "Writes the invoices of the day before.",
        (_param("day", "date"), _param("currency", "EUR|USD|GBP", "EUR"), _param("dry_run", "bool", False)),
        ("collect", "price", "invoice", "post"),
        _billing,
        labels=("prod", "finance"),
        cron="30 2 * * *",
        is_active=True,
        weight=3,
        lasts_s=(10.0, 40.0),
        troubles=("Ledger is locked by the audit", "Rate for GBP missing"),
        done="Invoices posted",
    ),
    SampleFlow(
        "report-eu",
        "reports",
        "Sends the weekly sales report.",
        (
            _param("week", "str"),
            _param("recipients", "json", ["sales"]),
            _param("format", "pdf|html", "pdf"),
        ),
        ("query", "render", "send"),
        _report,
        labels=("eu",),
        cron="0 7 * * 1-5",
        weight=2,
        lasts_s=(4.0, 12.0),
        fails=0.05,
        troubles=("SMTP: mailbox over quota",),
        done="Report sent",
    ),
    SampleFlow(
        "train-forecast",
        "ml",
        "Trains the demand forecast.",
        (
            _param("horizon_days", "int", 28),
            _param("learning_rate", "float", 0.05),
            _param("features", "json", ["price", "weather"]),
        ),
        ("features", "fit", "score"),
        _forecast,
        labels=("ml",),
        weight=1,
        lasts_s=(30.0, 75.0),
        fails=0.15,
        troubles=("CUDA out of memory", "Loss is NaN after epoch 3"),
        done="Model 12 is better than model 11 by 1.8 %",
    ),
    SampleFlow(
        "sync-crm",
        "integrations",
        "Copies contacts between the CRM and the warehouse.",
        (_param("since", "datetime"), _param("account", "str"), _param("batch", "int", 500)),
        ("pull", "merge", "push"),
        _crm,
        labels=("prod",),
        weight=5,
        lasts_s=(3.0, 15.0),
        fails=0.1,
        troubles=("429 Too Many Requests from the CRM", "Field 'email' is no e-mail address"),
        done="Contacts in step",
    ),
    SampleFlow(
        COLLEAGUE_FLOW,
        "finance",
        "Closes the books of a quarter; a colleague keeps an eye on it.",
        (_param("quarter", "str"), _param("approver", "str", "mira"), _param("post", "bool", False)),
        ("reconcile", "accrue", "approve"),
        _quarter,
        labels=("finance",),
        weight=0,
        lasts_s=(120.0, 180.0),
        fails=0.0,
        done="Books closed",
    ),
)


def serialized(flow: SampleFlow, now: datetime) -> dict[str, Any]:
    """Return the flow as the document that registers it (contract.md §2.2.1), its tasks in a row."""
    schedule = None
    if flow.cron:
        clock = {
            "type": "CronClock",
            "cron": flow.cron,
            "day_or": True,
            "start_date": _moment(now),
            "end_date": _moment(now + SCHEDULED_AHEAD),
            "parameter_defaults": flow.draw(Random(flow.name), now),
            "labels": None,
        }
        schedule = {"type": "Schedule", "clocks": [clock], "filters": [], "or_filters": [], "not_filters": []}
    return {
        "name": flow.name,
        "type": "prefect.core.flow.Flow",
        "parameters": [
            {**vars(parameter), "slug": parameter.name, "type": "prefect.core.parameter.Parameter"}
            for parameter in flow.parameters
        ],
        "schedule": schedule,
        "storage": None,
        "run_config": {"type": "UniversalRun", "labels": list(flow.labels), "env": {}},
        "tasks": [_task(slug) for slug in flow.tasks],
        "edges": [
            {"upstream_task": {"slug": first}, "downstream_task": {"slug": second}, "key": None, "mapped": False}
            for first, second in flow.edges or pairwise(flow.tasks)
        ],
        "reference_tasks": [],
    }


def _moment(moment: datetime) -> dict[str, str]:
    return {"dt": moment.replace(tzinfo=None, microsecond=0).isoformat(), "tz": "UTC"}


def _task(slug: str) -> dict[str, Any]:
    return {
        "slug": slug,
        "name": slug,
        "type": "prefect.tasks.core.function.FunctionTask",
        "tags": [],
        "max_retries": 0,
        "retry_delay": None,
        "trigger": {"fn": "prefect.triggers.all_successful"},
        "auto_generated": False,
        "cache_key": None,
        "mapped": False,
    }


_FIRST = "amber brisk calm dusty eager faint gentle hidden ivory jolly keen loud merry odd plain quick rusty shy tidy"
_SECOND = "lynx otter wren yak crow mole goat hawk newt finch panda heron vole ibex seal toad swan moth crab deer"


def run_name(random: Random) -> str:
    """Return two words, e.g. `amber-lynx`."""
    return f"{random.choice(_FIRST.split())}-{random.choice(_SECOND.split())}"
