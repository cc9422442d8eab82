"""The GraphQL documents that are sent, in the spelling every server of the contract understands (snake_case).

Values are always variables, never part of the text, so a server may keep a compiled document. `actor`, `idempotency`
and `flow_run_changes` exist only on our own server: documents for others leave them out (`Dialect`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from flowlatch.model.kin import How

PROBE_OURS = (
    "{ api { version capabilities { server_id locking idempotency_window_s read_only now } }"
    " flow_run_changes(limit: 1) { cursor } }"
)
PROBE_PREFECT1 = "{ api { version } flow_run(limit: 1) { id version } }"
NOW = "{ api { capabilities { now } } }"
HELLO = "{ hello }"

_ROW = (
    "id name flow_id version state state_timestamp state_start_time scheduled_start_time start_time end_time"
    " created updated labels auto_scheduled idempotency_key flow { name version }"
)
_STATE = "state message timestamp version start_time result serialized_state"
_VERSIONS = 10
"""Versions of a flow read at most, the newest ones."""
_FLOW = (
    "id name version version_group_id archived description parameters is_schedule_active schedule created"
    " project_id project { id name } flow_group { schedule"
    f" flows(order_by: {{version: desc}}, limit: {_VERSIONS}) {{ id version archived created }} }}"
)
_COPIES = 100
"""Runs made from one run, or by it, that are read at most."""
_OWN_TASKS = 1000
"""Task runs of a run that are looked at for the runs they made."""
_TASK_RUN = (
    "id name map_index version state state_message state_timestamp start_time end_time run_count task { slug name }"
)
_LOG = "id timestamp level name message task_run_id created"


@dataclass(frozen=True)
class Dialect:
    """What a server's schema has beyond Prefect 1's."""

    is_ours: bool

    @cached_property
    def row(self) -> str:
        """Fields of a list row but the state's message."""
        return f"{_ROW} actor" if self.is_ours else _ROW

    @cached_property
    def page(self) -> str:
        """One page of runs."""
        return self._page(f"{self.row} state_message")

    @cached_property
    def counted_page(self) -> str:
        """The same with the number of all matches, where counting them takes no time."""
        return self._page(f"{self.row} state_message", " c0: flow_run_aggregate(where: $where) { aggregate { count } }")

    @cached_property
    def page_without_messages(self) -> str:
        """The same when the messages make the answer too large."""
        return self._page(self.row)

    @staticmethod
    def _page(fields: str, more: str = "") -> str:
        return (
            "query page($where: flow_run_bool_exp, $order_by: [flow_run_order_by!], $limit: Int, $offset: Int) {"
            f" flow_run(where: $where, order_by: $order_by, limit: $limit, offset: $offset) {{ {fields} }}{more} }}"
        )

    @cached_property
    def run(self) -> str:
        """The whole run."""
        extra = " idempotency { expires_at uses }" if self.is_ours else ""
        return (
            f"query run($id: uuid!) {{ flow_run_by_pk(id: $id) {{ {self.row} state_message state_result parameters"
            f" context run_config agent_id heartbeat serialized_state{extra} }} }}"
        )

    @cached_property
    def kin(self) -> str:
        """The runs that are named as makers or sources of a run, its own task runs, and the runs made from it."""
        row = f"{self.row} state_message"
        copies = " ".join(
            f"{how}: flow_run(where: {{idempotency_key: {{_like: ${how}}}}}, order_by: {{created: asc}},"
            f" limit: {_COPIES}) {{ {row} }}"
            for how in How
        )
        patterns = ", ".join(f"${how}: String!" for how in How)
        return (
            f"query kin($id: uuid!, $ids: [uuid!]!, $tasks: [uuid!]!, {patterns}) {{"
            f" named: flow_run(where: {{id: {{_in: $ids}}}}) {{ {row} }}"
            f" makers: task_run(where: {{id: {{_in: $tasks}}}}) {{ name task {{ name }} flow_run {{ {row} }} }}"
            f" own_tasks: task_run(where: {{flow_run_id: {{_eq: $id}}}}, limit: {_OWN_TASKS}) {{ id map_index }}"
            f" {copies} }}"
        )

    @cached_property
    def children(self) -> str:
        """The runs that were made under these keys."""
        return (
            "query children($keys: [String!]!) { flow_run(where: {idempotency_key: {_in: $keys}},"
            f" order_by: {{created: asc}}, limit: {_COPIES}) {{ {self.row} state_message }} }}"
        )

    @cached_property
    def history(self) -> str:
        """The states of a run after a version."""
        actor = " actor" if self.is_ours else ""
        return (
            "query history($id: uuid!, $after: Int) { flow_run_state(where: {flow_run_id: {_eq: $id},"
            " version: {_gt: $after}}, order_by: [{version: asc}, {timestamp: asc}])"
            f" {{ {_STATE}{actor} }} }}"
        )

    @cached_property
    def set_state(self) -> str:
        """Set a state; only our server answers with the new version."""
        extra = " version" if self.is_ours else ""
        return (
            "mutation set_state($input: set_flow_run_state_input!)"
            f" {{ set_flow_run_state(input: $input) {{ id{extra} }} }}"
        )

    @cached_property
    def changes(self) -> str:
        """The changes since a cursor, by poll."""
        return (
            "query changes($since: String, $ids: [uuid!], $limit: Int)"
            f" {{ flow_run_changes(since: $since, ids: $ids, limit: $limit) {self._changes} }}"
        )

    @cached_property
    def subscription(self) -> str:
        """The changes since a cursor, by push."""
        return (
            "subscription changes($since: String, $ids: [uuid!])"
            f" {{ flow_run_changes(since: $since, ids: $ids) {self._changes} }}"
        )

    @property
    def _changes(self) -> str:
        return f"{{ cursor resync changes {{ id kind flow_run {{ {self.row} state_message }} }} }}"


def counts(number: int) -> str:
    """Return the document that counts `number` conditions `$w0 …`, each up to its limit `$l0 …` (null = none)."""
    variables = ", ".join(f"$w{index}: flow_run_bool_exp, $l{index}: Int" for index in range(number))
    fields = " ".join(
        f"c{index}: flow_run_aggregate(where: $w{index}, limit: $l{index}) {{ aggregate {{ count }} }}"
        for index in range(number)
    )
    return f"query counts({variables}) {{ {fields} }}"


TASK_RUNS = (
    "query task_runs($id: uuid!) { task_run(where: {flow_run_id: {_eq: $id}},"
    f" order_by: [{{created: asc}}, {{map_index: asc}}]) {{ {_TASK_RUN} }} }}"
)
_EDGES = 5_000
"""Edges of a flow that are read at most."""
TASK_EDGES = (
    f"query edges($flow: uuid!) {{ edge(where: {{flow_id: {{_eq: $flow}}}}, limit: {_EDGES})"
    " { upstream_task { slug } downstream_task { slug } } }"
)
LOGS = (
    "query logs($where: log_bool_exp, $order_by: [log_order_by!], $limit: Int, $offset: Int)"
    f" {{ log(where: $where, order_by: $order_by, limit: $limit, offset: $offset) {{ {_LOG} }} }}"
)
FLOWS = (
    "query flows($where: flow_bool_exp, $limit: Int) { flow(where: $where, distinct_on: [name, version_group_id],"
    f" order_by: [{{name: asc}}, {{version_group_id: asc}}, {{version: desc}}], limit: $limit) {{ {_FLOW} }} }}"
)
FLOW = f"query flow($id: uuid!) {{ flow_by_pk(id: $id) {{ {_FLOW} }} }}"
AGENTS = (
    "query agents { agent(order_by: {last_queried: desc_nulls_last}, limit: 1000)"
    " { id name type labels core_version last_queried } }"
)
CREATE_RUN = "mutation create($input: create_flow_run_input!) { create_flow_run(input: $input) { id } }"
RUN_BY_KEY = (
    "query by_key($flow: uuid!, $key: String!) { flow_run(where: {flow_id: {_eq: $flow}, idempotency_key: {_eq: $key}},"
    " order_by: {created: desc}, limit: 1) { id parameters labels name scheduled_start_time } }"
)
CANCEL = "mutation cancel($input: cancel_flow_run_input!) { cancel_flow_run(input: $input) { state } }"
DELETE = "mutation delete($input: delete_flow_run_input!) { delete_flow_run(input: $input) { success } }"
RENAME = "mutation rename($input: set_flow_run_name_input!) { set_flow_run_name(input: $input) { success } }"
SET_LABELS = "mutation labels($input: set_flow_run_labels_input!) { set_flow_run_labels(input: $input) { success } }"
PROJECT = "query project($name: String!) { project(where: {name: {_eq: $name}}, limit: 1) { id } }"
TENANT = "{ tenant(limit: 1) { id } }"
CREATE_PROJECT = "mutation project($input: create_project_input!) { create_project(input: $input) { id } }"
CREATE_FLOW = "mutation flow($input: create_flow_input!) { create_flow(input: $input) { id } }"
ARCHIVE_FLOW = "mutation archive($input: archive_flow_input!) { archive_flow(input: $input) { success } }"


def set_schedule(active: bool) -> str:
    """Return the document that switches a schedule on or off."""
    field = "set_schedule_active" if active else "set_schedule_inactive"
    return f"mutation schedule($input: {field}_input!) {{ {field}(input: $input) {{ success }} }}"
