"""Figures of this machine, by hand: `python -m tests.bench.NAME`. Never part of the test run."""
