"""Ids for what was given none."""

from __future__ import annotations

import subprocess
import sys

FORKING = """
import os
from flowlatch.store.names import random_id

random_id()
for _ in range(3):
    if not os.fork():
        print(random_id(), flush=True)
        os._exit(0)
    os.wait()
print(random_id())
"""


def test_processes_forked_from_one_give_ids_of_their_own() -> None:
    done = subprocess.run([sys.executable, "-c", FORKING], capture_output=True, text=True, check=True)
    assert len(set(done.stdout.split())) == 4
