"""The process that forks servers for the tests: what its children say of their end."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys

from tests.support.nursery import Child


def test_a_signal_to_a_child_that_has_ended_is_nothing() -> None:
    """Between its end and the word of it nobody can know."""
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    heard, told = os.pipe()
    child = Child(int(gone.stdout), io.BytesIO(), heard)
    child.send_signal(signal.SIGCONT)
    assert child.poll() is None
    os.write(told, b"-9")
    os.close(told)
    assert child.wait(10) == -9
    child.kill()
