"""Flows that a real Prefect 1 client registers and a real agent runs. Runs inside the environment of that client.

`python flows.py NAME…` registers the named flows in the project `compat` and prints `{name: flow id}`.
"""

import datetime
import json
import os
import sys
import time

import pendulum
import prefect
from prefect import Flow, Parameter, task
from prefect.run_configs import LocalRun
from prefect.schedules import CronSchedule, IntervalSchedule, Schedule
from prefect.schedules.clocks import DatesClock, IntervalClock
from prefect.storage import Local
from prefect.tasks.prefect import create_flow_run, wait_for_flow_run

PROJECT = "compat"


@task
def greet(name):
    prefect.context.logger.info("hello %s", name)
    return f"hello {name}"


@task
def fail():
    raise ValueError("no such table: orders")


@task(max_retries=1, retry_delay=datetime.timedelta(seconds=1))
def fail_once():
    if prefect.context.task_run_count < 2:
        raise ValueError("the first try always fails")
    return "the second try works"


@task
def numbers(count):
    return list(range(count))


@task
def square(number):
    return number * number


@task
def total(parts):
    prefect.context.logger.info("total %d", sum(parts))
    return sum(parts)


@task
def linger(seconds, gate):
    """Go on for `seconds`, or until there is a file called `gate`."""
    prefect.context.logger.info("lingering")
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at and not (gate and os.path.exists(gate)):
        time.sleep(0.05)


@task
def follow_up(before):
    prefect.context.logger.info("following up")


@task
def write_lines(count):
    for number in range(count):
        prefect.context.logger.info("line %d", number)


with Flow("success") as success:
    greet(Parameter("name", default="operator"))

with Flow("failure") as failure:
    fail()

with Flow("retry") as retry:
    fail_once()

with Flow("mapped") as mapped:
    total(square.map(numbers(Parameter("count", default=5))))

with Flow("long") as long:
    linger(Parameter("seconds", default=120), Parameter("gate", default=None))

with Flow("steps") as steps:
    follow_up(linger(Parameter("seconds", default=120), Parameter("gate", default=None)))

with Flow("parent") as parent:
    child_run_id = create_flow_run(flow_name="success", project_name=PROJECT, parameters={"name": "child"})
    wait_for_flow_run(child_run_id, raise_final_state=True)

with Flow("undeployable", run_config=LocalRun(working_dir="/nowhere/at/all")) as undeployable:
    greet("nobody")

with Flow("logs") as logs:
    write_lines(Parameter("count", default=200))

with Flow("again") as again:
    greet("again")

hourly_clock = IntervalSchedule(interval=datetime.timedelta(hours=1))
with Flow("hourly", schedule=hourly_clock) as hourly:
    greet("hourly")

with Flow("nightly", schedule=CronSchedule("30 4 * * *")) as nightly:
    greet("nightly")

with_defaults = IntervalClock(datetime.timedelta(days=1), parameter_defaults={"name": "the clock"})
with Flow("defaults", schedule=Schedule(clocks=[with_defaults])) as defaults:
    greet(Parameter("name", default="nobody"))

soon = [pendulum.now("utc").add(seconds=seconds) for seconds in (4, 8, 3_600)]
with Flow("soon", schedule=Schedule(clocks=[DatesClock(soon)])) as at_dates:
    greet("soon")

with Flow("by-command") as by_command:
    greet("by command")

FLOWS = {
    flow.name: flow
    for flow in (
        *(success, failure, retry, mapped, long, steps, parent, undeployable, logs),
        *(again, hourly, nightly, defaults, at_dates, by_command),
    )
}


def store_as_script(flows):
    for flow in flows:
        flow.storage = Local(path=__file__, stored_as_script=True, add_default_labels=False)
        flow.run_config = flow.run_config or LocalRun()


store_as_script(FLOWS.values())


def register(names):
    client = prefect.Client()
    client.create_project(PROJECT)
    return {name: client.register(FLOWS[name], project_name=PROJECT, no_url=True) for name in names}


if __name__ == "__main__":
    registered = register(sys.argv[1:])
    print("RESULT " + json.dumps(registered))
