"""The tests. Imported before anything else of them, so what a process compiles is kept from the first import on."""

import os
import sys
from pathlib import Path

COMPILED = Path(__file__).parents[1] / "__pycache__" / "tests"
"""Where processes keep compiled modules, also where the environment forbids to: an installed program has them."""

# Each worker, and each of the hundreds of processes it starts, would else compile all it imports; the plug-in of
# hypothesis has its hundred modules rewritten by pytest too.
sys.dont_write_bytecode, sys.pycache_prefix = False, str(COMPILED)
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
os.environ["PYTHONPYCACHEPREFIX"] = str(COMPILED)
