"""The tables hold everything that the read side of the wire shows."""

from __future__ import annotations

import pytest

from flowlatch.store import schema

_STATE = "state_id state state_timestamp state_message state_result state_start_time actor"
_TIMING = "version! heartbeat start_time end_time duration"
_HISTORY = "timestamp! state! version message result start_time serialized_state! actor"
COLUMNS = {
    "tenant": "name! slug! info settings!",
    "project": "tenant_id name! description",
    "flow_group": "tenant_id name description labels schedule run_config settings! default_parameters!",
    "flow": "tenant_id project_id! flow_group_id! version_group_id version name! description archived! core_version "
    "parameters storage environment run_config serialized_flow schedule is_schedule_active! settings!",
    "task": "tenant_id flow_id! name slug description type max_retries retry_delay trigger mapped! auto_generated! "
    "cache_key is_root_task! is_terminal_task! is_reference_task! tags!",
    "edge": "tenant_id flow_id! upstream_task_id! downstream_task_id! key mapped!",
    "flow_run": "tenant_id flow_id! name parameters context labels! run_config scheduled_start_time! auto_scheduled! "
    f"idempotency_key agent_id times_resurrected {_TIMING} {_STATE}",
    "flow_run_state": f"tenant_id flow_run_id! {_HISTORY}",
    "task_run": f"tenant_id task_id! flow_run_id! map_index! run_count! cache_key name {_TIMING} {_STATE}",
    "task_run_state": f"tenant_id task_run_id! {_HISTORY}",
    "log": "tenant_id flow_run_id task_run_id timestamp! name level message info",
    "agent": "tenant_id agent_config_id name type core_version labels! last_queried",
    "agent_config": "tenant_id name settings!",
    "task_run_artifact": "tenant_id task_run_id! kind! data!",
}
"""Source: contract.md §3.2, with `actor` of design.md §9; `!` = not null. `serialized_state` of runs is a join."""


@pytest.mark.parametrize("name", COLUMNS)
def test_table_has_exactly_the_columns_of_the_contract(name: str) -> None:
    table = next(table for table in schema.WIRE_TABLES if table.name == name)
    wanted = {word.rstrip("!"): word.endswith("!") for word in f"id! created! updated! {COLUMNS[name]}".split()}
    shown = (column for column in table.columns.values() if column.name not in schema.INTERNAL_COLUMNS)
    found = {column.name: not column.nullable for column in shown}
    assert found == wanted


def test_every_table_of_the_wire_is_listed() -> None:
    assert {table.name for table in schema.WIRE_TABLES} == set(COLUMNS)
