"""What SQLite derives from the tables by itself: the full-text index of run names and the triggers that keep counters.

Triggers, not operations, keep these: whoever changes a run, also a cascade or a bulk load, cannot forget one of them.
One thing comes late: names of new runs enter the full-text index many at a time (`INDEX_NAMES`), because a commit with
one more name in it writes eight more pages. Names above `INDEXED` are looked at one by one until then (`name_matches`).
"""

from __future__ import annotations

UNINDEXED_NAMES = 256
"""New runs whose names are looked at one by one at most, about: some 0.3 ms for a search."""
NAMES_AT_ONCE = 4 * UNINDEXED_NAMES
INDEXED = "(SELECT coalesce(max(id), 0) FROM flow_run_name_docsize)"
"""`seq` of the newest run in the full-text index. Names enter it in the order of `seq`, and a new run gets a higher one
than any run there is, so that no run up to here is missing."""
UNINDEXED_COUNT = f"SELECT count(*) FROM flow_run WHERE seq > {INDEXED}"
INDEX_NAMES = f"""INSERT INTO flow_run_name (rowid, name)
SELECT seq, name FROM flow_run WHERE seq > {INDEXED} ORDER BY seq LIMIT {NAMES_AT_ONCE}"""


def name_matches(phrase: str) -> str:
    """Return a query for the `seq` of every run whose name may contain what the FTS5 expression `phrase` (SQL) says."""
    return (
        f"SELECT rowid FROM flow_run_name WHERE flow_run_name MATCH {phrase}"
        f" UNION ALL SELECT seq FROM flow_run WHERE seq > {INDEXED}"
    )


FULL_TEXT = (
    # Trigrams answer "contains" (3 characters and more) at any number of runs; the text stays in `flow_run`.
    """CREATE VIRTUAL TABLE flow_run_name USING fts5(
    name, content='flow_run', content_rowid='seq', tokenize='trigram'
)""",
)

TRIGGERS = (
    """CREATE TRIGGER flow_run_added AFTER INSERT ON flow_run BEGIN
    INSERT INTO state_count (state, runs) VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET runs = runs + 1;
END""",
    """CREATE TRIGGER flow_run_labelled AFTER INSERT ON flow_run WHEN new.labels <> '[]' BEGIN
    INSERT INTO flow_run_label (label, scheduled_start_time, run_seq)
        SELECT DISTINCT value, new.scheduled_start_time, new.seq FROM json_each(new.labels);
END""",
    f"""CREATE TRIGGER flow_run_gone AFTER DELETE ON flow_run BEGIN
    INSERT INTO flow_run_name (flow_run_name, rowid, name)
        SELECT 'delete', old.seq, old.name WHERE old.seq <= {INDEXED};
    DELETE FROM flow_run_label WHERE scheduled_start_time = old.scheduled_start_time AND run_seq = old.seq
        AND label IN (SELECT value FROM json_each(old.labels));
    UPDATE state_count SET runs = runs - 1 WHERE state = old.state;
END""",
    f"""CREATE TRIGGER flow_run_renamed AFTER UPDATE OF name ON flow_run
WHEN old.name IS NOT new.name AND old.seq <= {INDEXED} BEGIN
    INSERT INTO flow_run_name (flow_run_name, rowid, name) VALUES ('delete', old.seq, old.name);
    INSERT INTO flow_run_name (rowid, name) VALUES (new.seq, new.name);
END""",
    """CREATE TRIGGER flow_run_relabelled AFTER UPDATE OF labels ON flow_run WHEN old.labels IS NOT new.labels BEGIN
    DELETE FROM flow_run_label WHERE scheduled_start_time = old.scheduled_start_time AND run_seq = old.seq
        AND label IN (SELECT value FROM json_each(old.labels));
    INSERT INTO flow_run_label (label, scheduled_start_time, run_seq)
        SELECT DISTINCT value, new.scheduled_start_time, new.seq FROM json_each(new.labels);
END""",
    """CREATE TRIGGER flow_run_moved AFTER UPDATE OF state ON flow_run WHEN old.state IS NOT new.state BEGIN
    UPDATE state_count SET runs = runs - 1 WHERE state = old.state;
    INSERT INTO state_count (state, runs) VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET runs = runs + 1;
END""",
)

STATEMENTS = (*FULL_TEXT, *TRIGGERS)
"""All of it, in the order in which it must be created."""
