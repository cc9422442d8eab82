"""`python -m flowlatch` and the `flowlatch` command."""

from __future__ import annotations

import gc
import os
import sys

from flowlatch.version import __version__


def main() -> None:
    """Run the command line and exit with its code (design.md §3). `--version` alone imports nothing else."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"flowlatch {__version__}\n")
        return
    gc.disable()  # what is imported stays: to look for garbage in it takes a tenth of the start
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for some among all packages takes 20 ms
    from flowlatch.cli.crash import tell_crash
    from flowlatch.cli.main import run

    sys.excepthook = tell_crash
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
