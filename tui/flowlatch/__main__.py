"""`python -m flowlatch` and the `flowlatch` command."""

from __future__ import annotations

import gc
import os
import sys

from flowlatch.version import __version__


def main() -> None:
    """Run the command line and exit with its code (design.md §3). `--version` alone imports nothing else."""
    _open_what_is_closed()
    if sys.argv[1:] == ["--version"]:
        sys.stdout.write(f"flowlatch {__version__}\n")
        return
    gc.disable()  # what is imported stays: to look for garbage in it takes a tenth of the start
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # to look for some among all packages takes 20 ms
    from flowlatch.cli.crash import tell_crash
    from flowlatch.cli.main import run

    sys.excepthook = tell_crash
    sys.exit(run(sys.argv[1:]))


def _open_what_is_closed() -> None:
    """Put the null device where a standard stream was closed (`<&-`, `>&-`).

    Python has None there, and the next file or socket opened, a database say, would be stdin, stdout or stderr.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is not None:
            continue
        null = os.open(os.devnull, os.O_RDWR)
        if null == number:
            os.set_inheritable(null, True)
        else:
            os.dup2(null, number)
            os.close(null)
        stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


if __name__ == "__main__":
    main()
