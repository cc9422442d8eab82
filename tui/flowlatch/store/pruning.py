"""Deleting old runs, a part at a time, in whatever database."""

from __future__ import annotations

from datetime import timedelta

from flowlatch.store.base import Refusal, Store, StoreUnusable
from flowlatch.store.operations.pruning import prune_runs
from flowlatch.store.times import utc_text

PART = 500
"""Runs deleted in one transaction."""


async def prune_store(store: Store, name: str, older_than: timedelta, *, part: int = PART) -> int:
    """Delete the runs that were finished, and not touched since, for longer than `older_than`; return how many.

    Their states, task runs and logs go along. Closes the store; `name` is what it is called in errors.
    """
    before = utc_text(store.now() - older_than)
    deleted = 0
    try:
        while True:
            gone = await store.write(lambda tx: prune_runs(tx, before=before, limit=part))
            deleted += len(gone["flow_run_ids"])
            if len(gone["flow_run_ids"]) < part:
                return deleted
    except Refusal as refusal:
        raise StoreUnusable(f"{name}: {refusal.message}; {deleted} runs were deleted before") from refusal
    finally:
        await store.close()
