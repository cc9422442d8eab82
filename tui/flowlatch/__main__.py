"""`python -m flowlatch` and the `flowlatch` command."""

from __future__ import annotations

import sys

from flowlatch.version import __version__


def main() -> None:
    """Run the command line and exit with its code (design.md §3). `--version` alone imports nothing else."""
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"flowlatch {__version__}\n")
        return
    from flowlatch.cli.crash import tell_crash
    from flowlatch.cli.main import run

    sys.excepthook = tell_crash
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
