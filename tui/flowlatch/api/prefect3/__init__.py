"""Prefect 3 servers over REST and their socket of events. Source: prefect3.md."""
