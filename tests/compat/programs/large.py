"""Large flows for the benchmark. Runs inside the environment of the real Prefect 1 client.

`python large.py NAME` registers one of them and prints `{flow_id, seconds, requests}`.
"""

import json
import sys
import time

import prefect
from prefect import Flow, Parameter, task
from prefect.run_configs import LocalRun
from prefect.storage import Local

PROJECT = "large"
LAYERS, WIDTH = 30, 20


@task
def first():
    return None


@task
def step(before):
    return before


@task
def numbers(count):
    return list(range(count))


@task
def square(number):
    return number * number


@task
def write_lines(count):
    log = prefect.context.logger.info
    for number in range(count):
        log("line %05d of a believable length, with a few words about what the task was doing", number)


with Flow("wide") as wide:
    layer = [first.copy(name=f"step-00-{place:02d}")() for place in range(WIDTH)]
    for depth in range(1, LAYERS):
        layer = [step.copy(name=f"step-{depth:02d}-{place:02d}")(layer[place]) for place in range(WIDTH)]

with Flow("mapped") as mapped:
    square.map(numbers(Parameter("count", default=1_000)))

with Flow("lines") as lines:
    write_lines(Parameter("count", default=50_000))

FLOWS = {flow.name: flow for flow in (wide, mapped, lines)}
for flow in FLOWS.values():
    flow.storage = Local(path=__file__, stored_as_script=True, add_default_labels=False)
    flow.run_config = LocalRun()


def register(name):
    client = prefect.Client()
    client.create_project(PROJECT)
    sent = []
    send = client._send_request
    client._send_request = lambda *args, **kwargs: (sent.append(1), send(*args, **kwargs))[1]
    started = time.monotonic()
    flow_id = client.register(FLOWS[name], project_name=PROJECT, no_url=True)
    return {"flow_id": flow_id, "seconds": time.monotonic() - started, "requests": len(sent)}


if __name__ == "__main__":
    registered = register(sys.argv[1])
    print("RESULT " + json.dumps(registered))
