"""What our SQL calls in PostgreSQL beyond what it has: functions like those for SQLite, triggers, text search.

They are made with the tables, in the same schema, and are called by the same names as in SQLite.
"""

from __future__ import annotations

FUNCTIONS = (
    # An array of texts (or of numbers, as texts) as rows with the column `value`.
    """CREATE FUNCTION flowlatch_json_each(list text, OUT value text) RETURNS SETOF text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT json_array_elements_text(list::json) $$""",
    # A switch of a document: `$.name` is 1, 0 or null.
    """CREATE FUNCTION flowlatch_json_extract(document text, path text) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT CASE document::json ->> substr(path, 3) WHEN 'true' THEN 1 WHEN 'false' THEN 0 END $$""",
    # What stands at `$."a"[0]`, as it was written.
    """CREATE FUNCTION flowlatch_json_at(document text, path text) RETURNS json
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT document::json #> coalesce(
    (SELECT array_agg(coalesce(step[1], step[2]))
        FROM regexp_matches(path, '\\."([^"]+)"|\\[(\\d+)\\]', 'g') AS step),
    '{}') $$""",
    # Values that are equal whatever the order of their keys.
    """CREATE FUNCTION flowlatch_json_key(document text) RETURNS jsonb
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT document::jsonb $$""",
    """CREATE FUNCTION flowlatch_json_contains(whole text, part text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT (whole::jsonb @> part::jsonb)::integer $$""",
    """CREATE FUNCTION flowlatch_json_has_keys(whole text, keys text, every integer) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT CASE every
    WHEN 1 THEN jsonb_exists_all(whole::jsonb, ARRAY(SELECT value FROM flowlatch_json_each(keys)))
    ELSE jsonb_exists_any(whole::jsonb, ARRAY(SELECT value FROM flowlatch_json_each(keys))) END::integer $$""",
    """CREATE FUNCTION flowlatch_json_in(document text, choices text) RETURNS integer
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS
$$ SELECT (document::jsonb IN (SELECT jsonb_array_elements(choices::jsonb)))::integer $$""",
    # Microseconds as `00:01:02.5` or `1 day 02:00:00`.
    """CREATE FUNCTION flowlatch_interval(us numeric) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT
    CASE WHEN days = 0 THEN '' WHEN days = 1 AND sign = '' THEN '1 day ' ELSE concat(sign, days, ' days ') END
    || CASE WHEN rest > 0 THEN sign ELSE '' END
    || concat(lpad(div(rest, 3600000000)::text, greatest(2, length(div(rest, 3600000000)::text)), '0'), ':',
        lpad((div(rest, 60000000) % 60)::text, 2, '0'), ':', lpad((div(rest, 1000000) % 60)::text, 2, '0'))
    || CASE WHEN rest % 1000000 > 0
        THEN concat('.', rtrim(lpad((rest % 1000000)::text, 6, '0'), '0')) ELSE '' END
FROM (SELECT div(abs(us), 86400000000) AS days, abs(us) % 86400000000 AS rest,
    CASE WHEN us < 0 THEN '-' ELSE '' END AS sign) AS parts $$""",
)

TRIGGERS = (
    """CREATE FUNCTION flowlatch_flow_run_added() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO state_count (state, runs) VALUES (new.state, 1)
        ON CONFLICT (state) DO UPDATE SET runs = state_count.runs + 1;
    IF new.labels <> '[]' THEN
        INSERT INTO flow_run_label (label, scheduled_start_time, run_seq)
            SELECT DISTINCT value, new.scheduled_start_time, new.seq FROM flowlatch_json_each(new.labels);
    END IF;
    RETURN NULL;
END $$""",
    """CREATE TRIGGER flow_run_added AFTER INSERT ON flow_run
FOR EACH ROW EXECUTE FUNCTION flowlatch_flow_run_added()""",
    """CREATE FUNCTION flowlatch_flow_run_gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM flow_run_label WHERE scheduled_start_time = old.scheduled_start_time AND run_seq = old.seq
        AND label IN (SELECT value FROM flowlatch_json_each(old.labels));
    UPDATE state_count SET runs = runs - 1 WHERE state = old.state;
    RETURN NULL;
END $$""",
    """CREATE TRIGGER flow_run_gone AFTER DELETE ON flow_run
FOR EACH ROW EXECUTE FUNCTION flowlatch_flow_run_gone()""",
    """CREATE FUNCTION flowlatch_flow_run_relabelled() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    DELETE FROM flow_run_label WHERE scheduled_start_time = old.scheduled_start_time AND run_seq = old.seq
        AND label IN (SELECT value FROM flowlatch_json_each(old.labels));
    INSERT INTO flow_run_label (label, scheduled_start_time, run_seq)
        SELECT DISTINCT value, new.scheduled_start_time, new.seq FROM flowlatch_json_each(new.labels);
    RETURN NULL;
END $$""",
    """CREATE TRIGGER flow_run_relabelled AFTER UPDATE OF labels ON flow_run
FOR EACH ROW WHEN (old.labels IS DISTINCT FROM new.labels) EXECUTE FUNCTION flowlatch_flow_run_relabelled()""",
    """CREATE FUNCTION flowlatch_flow_run_moved() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    UPDATE state_count SET runs = runs - 1 WHERE state = old.state;
    INSERT INTO state_count (state, runs) VALUES (new.state, 1)
        ON CONFLICT (state) DO UPDATE SET runs = state_count.runs + 1;
    RETURN NULL;
END $$""",
    """CREATE TRIGGER flow_run_moved AFTER UPDATE OF state ON flow_run
FOR EACH ROW WHEN (old.state IS DISTINCT FROM new.state) EXECUTE FUNCTION flowlatch_flow_run_moved()""",
)

COMMIT_MARK = "CREATE TABLE commit_mark (id TEXT PRIMARY KEY, number BIGINT NOT NULL, marked_at TIMESTAMPTZ NOT NULL)"
"""Which transaction of each server was the last one that was committed; see `session`."""

COLLATIONS = (
    "CREATE COLLATION flowlatch_any_case (provider = icu, locale = 'und')",
    "CREATE COLLATION flowlatch_any_case (provider = libc, locale = 'C.UTF-8')",
    'CREATE COLLATION flowlatch_any_case FROM "C"',
)
"""What tells the case of letters beyond ASCII; the first that this build of PostgreSQL has. Columns compare bytes."""

EXTENSION = "CREATE EXTENSION IF NOT EXISTS pg_trgm"
TEXT_INDEXES = (
    "CREATE INDEX flow_run_name_text ON flow_run USING gin (name COLLATE flowlatch_any_case gin_trgm_ops)",
    "CREATE INDEX flow_run_message_text ON flow_run USING gin (state_message COLLATE flowlatch_any_case gin_trgm_ops)",
)
"""Trigrams answer "contains" at any number of runs; without the extension every row is looked at."""
