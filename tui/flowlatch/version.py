"""The version, in a module that imports nothing, so that `flowlatch --version` is instant."""

__version__ = "0.1.0"
