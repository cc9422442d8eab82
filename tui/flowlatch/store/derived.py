"""What SQLite derives from the tables by itself: the full-text index of run names and the triggers that keep counters.

Triggers, not operations, keep these: whoever changes a run, also a cascade or a bulk load, cannot forget one of them.
"""

from __future__ import annotations

FULL_TEXT = (
    # Trigrams answer "contains" (3 characters and more) at any number of runs; the text stays in `flow_run`.
    """CREATE VIRTUAL TABLE flow_run_name USING fts5(
    name, content='flow_run', content_rowid='seq', tokenize='trigram'
)""",
)

TRIGGERS = (
    """CREATE TRIGGER flow_run_added AFTER INSERT ON flow_run BEGIN
    INSERT INTO flow_run_name (rowid, name) VALUES (new.seq, new.name);
    INSERT INTO flow_run_label (label, scheduled_start_time, run_seq)
        SELECT DISTINCT value, new.scheduled_start_time, new.seq FROM json_each(new.labels);
    INSERT INTO state_count (state, runs) VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET runs = runs + 1;
END""",
    """CREATE TRIGGER flow_run_gone AFTER DELETE ON flow_run BEGIN
    INSERT INTO flow_run_name (flow_run_name, rowid, name) VALUES ('delete', old.seq, old.name);
    DELETE FROM flow_run_label WHERE scheduled_start_time = old.scheduled_start_time AND run_seq = old.seq
        AND label IN (SELECT value FROM json_each(old.labels));
    UPDATE state_count SET runs = runs - 1 WHERE state = old.state;
END""",
    """CREATE TRIGGER flow_run_renamed AFTER UPDATE OF name ON flow_run WHEN old.name IS NOT new.name BEGIN
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
