"""Creating a flow run: now or later, once per idempotency key. Source: contract.md §5."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from flowlatch.store.base import Tx
from flowlatch.store.operations.rows import (
    as_object,
    bad_input,
    check_text,
    from_json,
    insert,
    label_list,
    not_found,
    one,
    optional_json,
    to_json,
)
from flowlatch.store.operations.states import StateValue, insert_state
from flowlatch.store.operations.task_run_rows import create_task_runs
from flowlatch.store.times import canonical_time, text_after

KEY_LIMIT = 1_024
"""Bytes of an idempotency key at most."""
NAME_LIMIT = 1_024
"""Characters of a run's name at most."""

_FLOW = """SELECT flow.id, flow.tenant_id, flow.archived, flow.parameters, flow.run_config, flow.environment,
    flow_group.default_parameters, flow_group.labels, flow_group.run_config
FROM flow JOIN flow_group ON flow_group.id = flow.flow_group_id WHERE """
_FLOW_BY_ID = _FLOW + "flow.id = ?"
_FLOW_BY_GROUP = _FLOW + "flow.version_group_id = ? ORDER BY flow.archived, flow.version DESC LIMIT 1"

# Most uses of a live key are repeats. They write one row, and no index nor any owner is looked at.
_REPEAT = """UPDATE idempotency SET uses = uses + 1, expires_at = ?
WHERE flow_id = ? AND key = ? AND expires_at > ? RETURNING flow_run_id, fingerprints"""

# One statement decides who owns a key: it claims a free or expired one for the run about to be made, or counts one
# more use of a live one. Every use moves the end of the key's life.
_CLAIM = """INSERT INTO idempotency (flow_id, key, flow_run_id, expires_at, uses, fingerprints)
VALUES (:flow_id, :key, :run_id, :expires_at, 1, :fingerprints)
ON CONFLICT (flow_id, key) DO UPDATE SET
    flow_run_id = CASE WHEN idempotency.expires_at > :now THEN idempotency.flow_run_id ELSE excluded.flow_run_id END,
    fingerprints = CASE WHEN idempotency.expires_at > :now THEN idempotency.fingerprints ELSE excluded.fingerprints END,
    uses = CASE WHEN idempotency.expires_at > :now THEN idempotency.uses + 1 ELSE 1 END,
    expires_at = excluded.expires_at
RETURNING flow_run_id, fingerprints"""


@dataclass(frozen=True, slots=True)
class FlowFacts:
    """What a new run takes from its flow and flow group; JSON columns as values: shared, so never changed."""

    id: str
    tenant_id: str | None
    archived: bool
    parameters: list[dict[str, Any]]
    run_config: Any
    environment: Any
    default_parameters: dict[str, Any]
    labels: list[str] | None
    group_run_config: Any


def create_flow_run(
    tx: Tx,
    *,
    flow_id: str | None = None,
    version_group_id: str | None = None,
    parameters: Any = None,
    context: Any = None,
    run_config: Any = None,
    labels: list[str] | None = None,
    scheduled_start_time: str | None = None,
    idempotency_key: str | None = None,
    flow_run_name: str | None = None,
) -> dict[str, Any]:
    """Create a run in state Scheduled, or return the one that the live `idempotency_key` made before.

    `{id, replayed, mismatch, expires_at}`: `mismatch` names the inputs that differ from those of the key's first use,
    `expires_at` is when the key ends if it is not used again (None without a key). A repeat changes nothing but that.
    Refused: no such flow, an archived one, a required parameter that is missing.
    """
    flow = flow_facts(tx, flow_id, version_group_id)
    wanted = as_object(parameters, "parameters")
    given_context = as_object(context, "context")
    wanted_labels = None if labels is None else label_list(labels)
    start_time = _start_time(tx, scheduled_start_time)
    _check_texts(idempotency_key, flow_run_name)
    run = {
        "parameters": to_json(complete_parameters(flow, wanted), "parameters"),
        "context": to_json(given_context, "context"),
        "run_config": optional_json(_run_config(flow, run_config), "run_config"),
        "labels": to_json(_labels(flow, wanted_labels, run_config), "labels"),
        "scheduled_start_time": start_time,
        "idempotency_key": idempotency_key or None,
    }
    if idempotency_key:
        inputs = {
            "parameters": parameters,
            "context": context,
            "run_config": run_config,
            "labels": wanted_labels,
            "scheduled_start_time": None if scheduled_start_time is None else start_time,
            "flow_run_name": flow_run_name or None,
        }
        answer = _use_key(tx, flow.id, idempotency_key, inputs)
    else:
        answer = {"id": tx.new_id(), "replayed": False, "mismatch": [], "expires_at": None}
    if not answer["replayed"]:
        insert_run(tx, flow, {"id": answer["id"], "name": flow_run_name or tx.new_name(), **run})
    return answer


def _start_time(tx: Tx, given: str | None) -> str:
    if given is None:
        return tx.now_text
    try:
        return canonical_time(given)
    except ValueError as error:
        raise bad_input(f"scheduled_start_time: {error}") from None


def _check_texts(key: str | None, name: str | None) -> None:
    if key:
        check_text(key, "idempotency_key", KEY_LIMIT)
        if len(key.encode()) > KEY_LIMIT:
            raise bad_input(f"idempotency_key has more than {KEY_LIMIT} bytes")
    if name:
        check_text(name, "flow_run_name", NAME_LIMIT)


def flow_facts(tx: Tx, flow_id: str | None, version_group_id: str | None) -> FlowFacts:
    """Return what a run needs to know of its flow: that one, or the newest one of the group that is not archived.

    Raises `Refusal` when it does not exist or is archived.
    """
    if flow_id:
        row = one(tx, _FLOW_BY_ID, (flow_id,))
        if row is None:
            raise not_found("flow", flow_id)
    elif version_group_id:
        row = one(tx, _FLOW_BY_GROUP, (version_group_id,))
        if row is None:
            raise not_found("version group", version_group_id)
    else:
        raise bad_input("flow_id or version_group_id must be given")
    flow = _facts(row)
    if flow.archived:
        raise bad_input(f"flow {flow.id} is archived; no run can be created")
    return flow


@lru_cache(maxsize=64)
def _facts(row: tuple[Any, ...]) -> FlowFacts:
    """Return a row of `_FLOW` with its JSON read. The same row is the same flow: most runs come from few flows."""
    return FlowFacts(row[0], row[1], bool(row[2]), from_json(row[3]) or [], *(from_json(text) for text in row[4:]))


def complete_parameters(flow: FlowFacts, given: dict[str, Any]) -> dict[str, Any]:
    """Return the flow's defaults, over them the group's, over them the given ones.

    Unlike the open server, defaults of 0, "", false and null are kept. Raises `Refusal` naming what is missing.
    """
    complete = {
        parameter["name"]: parameter.get("default")
        for parameter in flow.parameters
        if "name" in parameter and not parameter.get("required")
    }
    complete.update(flow.default_parameters or {})
    complete.update(given)
    missing = [p["name"] for p in flow.parameters if p.get("required") and p.get("name") not in complete]
    if missing:
        raise bad_input(f"required parameters are missing: {', '.join(missing)}")
    return complete


def _run_config(flow: FlowFacts, given: Any) -> Any:
    return next((found for found in (given, flow.group_run_config, flow.run_config) if found is not None), None)


def _labels(flow: FlowFacts, given: list[str] | None, run_config: Any) -> list[str]:
    """Return the labels by the order of contract.md §5, sorted."""
    if given is not None:
        return given
    if run_config is not None:
        return _labels_in(run_config)
    if flow.labels is not None:
        return sorted(set(flow.labels))
    for source in (flow.group_run_config, flow.run_config, flow.environment):
        if source is not None:
            return _labels_in(source)
    return []


def _labels_in(source: Any) -> list[str]:
    found = source.get("labels") if isinstance(source, dict) else None
    return label_list(found or [], "run_config.labels")


def fingerprints(inputs: dict[str, Any]) -> dict[str, str]:
    """Return input name → SHA-256 of its canonical JSON; an input that was not given has none."""
    return {
        name: hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        for name, value in inputs.items()
        if value is not None
    }


def _use_key(tx: Tx, flow_id: str, key: str, inputs: dict[str, Any]) -> dict[str, Any]:
    """Count one more use of a live key, or claim it for a run about to be made; return the answer to the create."""
    mine = fingerprints(inputs)
    expires_at = text_after(tx.now, tx.idempotency_window_s)
    used = tx.execute(_REPEAT, (expires_at, flow_id, key, tx.now_text)).fetchall()
    run_id = "" if used else tx.new_id()
    ((owner, stored),) = used or _claim(tx, flow_id, key, run_id, expires_at, mine)
    first = mine if owner == run_id else from_json(stored)
    mismatch = [name for name in inputs if mine.get(name) != first.get(name)]
    return {"id": owner, "replayed": owner != run_id, "mismatch": mismatch, "expires_at": expires_at}


def _claim(tx: Tx, flow_id: str, key: str, run_id: str, expires_at: str, mine: dict[str, str]) -> list[tuple[str, str]]:
    """Claim a key and return its owner and the fingerprints of its first use, as the one row that there is."""
    values = {"flow_id": flow_id, "key": key, "run_id": run_id, "now": tx.now_text, "expires_at": expires_at}
    claimed: list[tuple[str, str]] = tx.execute(
        _CLAIM, {**values, "fingerprints": to_json(mine, "fingerprints")}
    ).fetchall()
    return claimed


def insert_run(tx: Tx, flow: FlowFacts, run: dict[str, Any], *, auto_scheduled: bool = False) -> None:
    """Write a run with its first state (Scheduled, version 1) and a pending task run for each task of its flow."""
    start_time, run_id = run["scheduled_start_time"], run["id"]
    state = _first_state(start_time)
    seq = tx.changed(run_id, "added")
    state_id = tx.new_row_id()
    insert(
        tx,
        "flow_run",
        {
            **run,
            "tenant_id": flow.tenant_id,
            "flow_id": flow.id,
            "version": 1,
            "auto_scheduled": int(auto_scheduled),
            "state_id": state_id,
            "state": state.type,
            "state_timestamp": tx.now_text,
            "state_message": state.message,
            "state_start_time": state.start_time,
            "actor": tx.origin.actor,
            "change_seq": seq,
            "added_seq": seq,
        },
    )
    insert_state(tx, "flow_run_state", "flow_run_id", run_id, flow.tenant_id, state, 1, tx.now_text, state_id)
    create_task_runs(tx, run_id, flow.id, flow.tenant_id)


def _first_state(start_time: str) -> StateValue:
    message = "Flow run scheduled."
    serialized = (
        f'{{"type":"Scheduled","message":"{message}","start_time":"{start_time}","context":{{}},"cached_inputs":{{}},'
        '"_result":{"type":"NoResultType"}}'
    )
    return StateValue("Scheduled", message, start_time, {}, serialized)
