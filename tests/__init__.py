"""The tests. Imported before anything else of them, so what a process compiles is kept from the first import on."""

import os
import sys

# Each worker, and each of the hundreds of processes it starts, would else compile all of ours it imports where the
# environment forbids to keep it: an installed program is compiled.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
