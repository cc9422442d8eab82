CREATE TABLE tenant (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    name TEXT NOT NULL,
    slug TEXT NOT NULL,
    info TEXT,
    settings TEXT DEFAULT '{}' NOT NULL,
    PRIMARY KEY (seq),
    UNIQUE (id)
)
---
CREATE UNIQUE INDEX tenant_slug ON tenant (slug)
---
CREATE TABLE project (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    name TEXT NOT NULL,
    description TEXT,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
)
---
CREATE UNIQUE INDEX project_name ON project (tenant_id, name)
---
CREATE TABLE flow_group (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    name TEXT,
    description TEXT,
    labels TEXT,
    schedule TEXT,
    run_config TEXT,
    settings TEXT DEFAULT '{}' NOT NULL,
    default_parameters TEXT DEFAULT '{}' NOT NULL,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
)
---
CREATE UNIQUE INDEX flow_group_name ON flow_group (tenant_id, name)
---
CREATE TABLE flow (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    project_id TEXT NOT NULL,
    flow_group_id TEXT NOT NULL,
    version_group_id TEXT,
    version INTEGER,
    name TEXT NOT NULL,
    description TEXT,
    archived INTEGER DEFAULT 0 NOT NULL,
    core_version TEXT,
    parameters TEXT,
    storage TEXT,
    environment TEXT,
    run_config TEXT,
    serialized_flow TEXT,
    schedule TEXT,
    is_schedule_active INTEGER DEFAULT 0 NOT NULL,
    settings TEXT DEFAULT '{}' NOT NULL,
    registration_key TEXT,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY (project_id) REFERENCES project (id) ON DELETE CASCADE,
    FOREIGN KEY (flow_group_id) REFERENCES flow_group (id) ON DELETE CASCADE
)
---
CREATE INDEX flow_project ON flow (project_id, name)
---
CREATE INDEX flow_name ON flow (name)
---
CREATE INDEX flow_group_version ON flow (flow_group_id, version)
---
CREATE INDEX flow_version_group ON flow (version_group_id, version)
---
CREATE TABLE task (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    flow_id TEXT NOT NULL,
    name TEXT,
    slug TEXT,
    description TEXT,
    type TEXT,
    max_retries INTEGER,
    retry_delay INTEGER,
    trigger TEXT,
    mapped INTEGER DEFAULT 0 NOT NULL,
    auto_generated INTEGER DEFAULT 0 NOT NULL,
    cache_key TEXT,
    is_root_task INTEGER DEFAULT 0 NOT NULL,
    is_terminal_task INTEGER DEFAULT 0 NOT NULL,
    is_reference_task INTEGER DEFAULT 0 NOT NULL,
    tags TEXT DEFAULT '[]' NOT NULL,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY (flow_id) REFERENCES flow (id) ON DELETE CASCADE
)
---
CREATE UNIQUE INDEX task_slug ON task (flow_id, slug)
---
CREATE TABLE edge (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    flow_id TEXT NOT NULL,
    upstream_task_id TEXT NOT NULL,
    downstream_task_id TEXT NOT NULL,
    key TEXT,
    mapped INTEGER DEFAULT 0 NOT NULL,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY (flow_id) REFERENCES flow (id) ON DELETE CASCADE,
    FOREIGN KEY (upstream_task_id) REFERENCES task (id) ON DELETE CASCADE,
    FOREIGN KEY (downstream_task_id) REFERENCES task (id) ON DELETE CASCADE
)
---
CREATE INDEX edge_flow ON edge (flow_id)
---
CREATE INDEX edge_upstream ON edge (upstream_task_id)
---
CREATE INDEX edge_downstream ON edge (downstream_task_id)
---
CREATE TABLE flow_run (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    flow_id TEXT NOT NULL,
    name TEXT,
    version INTEGER DEFAULT 0 NOT NULL,
    parameters TEXT,
    context TEXT,
    labels TEXT DEFAULT '[]' NOT NULL,
    run_config TEXT,
    scheduled_start_time TEXT NOT NULL,
    auto_scheduled INTEGER DEFAULT 0 NOT NULL,
    heartbeat TEXT,
    start_time TEXT,
    end_time TEXT,
    duration INTEGER,
    idempotency_key TEXT,
    agent_id TEXT,
    times_resurrected INTEGER,
    state_id TEXT,
    state TEXT,
    state_timestamp TEXT,
    state_message TEXT,
    state_result TEXT,
    state_start_time TEXT,
    actor TEXT,
    change_seq INTEGER NOT NULL,
    added_seq INTEGER NOT NULL,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY (flow_id) REFERENCES flow (id) ON DELETE CASCADE
)
---
CREATE INDEX flow_run_time ON flow_run (scheduled_start_time, id)
---
CREATE INDEX flow_run_state_time ON flow_run (state, scheduled_start_time, id)
---
CREATE INDEX flow_run_flow_time ON flow_run (flow_id, scheduled_start_time, id)
---
CREATE INDEX flow_run_flow_state_time ON flow_run (flow_id, state, scheduled_start_time, id)
---
CREATE INDEX flow_run_end ON flow_run (end_time, id)
---
CREATE INDEX flow_run_updated ON flow_run (updated)
---
CREATE INDEX flow_run_created ON flow_run (created)
---
CREATE INDEX flow_run_name_order ON flow_run (name)
---
CREATE INDEX flow_run_message ON flow_run (state_message) WHERE length(state_message) <= 200
---
CREATE INDEX flow_run_long_message ON flow_run (state_timestamp) WHERE length(state_message) > 200
---
CREATE UNIQUE INDEX flow_run_change ON flow_run (change_seq)
---
CREATE INDEX flow_run_due ON flow_run (state_start_time) WHERE state_start_time IS NOT NULL
---
CREATE INDEX flow_run_key ON flow_run (idempotency_key) WHERE idempotency_key IS NOT NULL
---
CREATE INDEX flow_run_agent ON flow_run (agent_id) WHERE agent_id IS NOT NULL
---
CREATE TABLE flow_run_state (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    flow_run_id TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER,
    message TEXT,
    result TEXT,
    start_time TEXT,
    serialized_state TEXT NOT NULL,
    actor TEXT,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY (flow_run_id) REFERENCES flow_run (id) ON DELETE CASCADE
)
---
CREATE UNIQUE INDEX flow_run_state_version ON flow_run_state (flow_run_id, version)
---
CREATE TABLE task_run (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    flow_run_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    map_index INTEGER DEFAULT -1 NOT NULL,
    name TEXT,
    version INTEGER DEFAULT 0 NOT NULL,
    run_count INTEGER DEFAULT 0 NOT NULL,
    cache_key TEXT,
    heartbeat TEXT,
    start_time TEXT,
    end_time TEXT,
    duration INTEGER,
    state_id TEXT,
    state TEXT,
    state_timestamp TEXT,
    state_message TEXT,
    state_result TEXT,
    state_start_time TEXT,
    actor TEXT,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY (flow_run_id) REFERENCES flow_run (id) ON DELETE CASCADE,
    FOREIGN KEY (task_id) REFERENCES task (id) ON DELETE CASCADE
)
---
CREATE UNIQUE INDEX task_run_place ON task_run (flow_run_id, task_id, map_index)
---
CREATE INDEX task_run_task ON task_run (task_id)
---
CREATE INDEX task_run_state_time ON task_run (state, state_timestamp)
---
CREATE INDEX task_run_due ON task_run (state_start_time) WHERE state_start_time IS NOT NULL
---
CREATE INDEX task_run_cache ON task_run (cache_key) WHERE cache_key IS NOT NULL
---
CREATE TABLE task_run_state (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    task_run_id TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER,
    message TEXT,
    result TEXT,
    start_time TEXT,
    serialized_state TEXT NOT NULL,
    actor TEXT,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY (task_run_id) REFERENCES task_run (id) ON DELETE CASCADE
)
---
CREATE UNIQUE INDEX task_run_state_version ON task_run_state (task_run_id, version)
---
CREATE TABLE log (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    flow_run_id TEXT,
    task_run_id TEXT,
    timestamp TEXT NOT NULL,
    name TEXT,
    level TEXT,
    message TEXT,
    info TEXT,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY (flow_run_id) REFERENCES flow_run (id) ON DELETE CASCADE
)
---
CREATE INDEX log_flow_run ON log (flow_run_id, timestamp)
---
CREATE INDEX log_task_run ON log (task_run_id, timestamp) WHERE task_run_id IS NOT NULL
---
CREATE TABLE agent_config (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    name TEXT,
    settings TEXT DEFAULT '{}' NOT NULL,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
)
---
CREATE TABLE agent (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    agent_config_id TEXT,
    name TEXT,
    type TEXT,
    core_version TEXT,
    labels TEXT DEFAULT '[]' NOT NULL,
    last_queried TEXT,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE
)
---
CREATE TABLE task_run_artifact (
    seq INTEGER NOT NULL,
    id TEXT NOT NULL,
    created TEXT NOT NULL,
    updated TEXT NOT NULL,
    tenant_id TEXT,
    task_run_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (seq),
    UNIQUE (id),
    FOREIGN KEY (tenant_id) REFERENCES tenant (id) ON DELETE CASCADE,
    FOREIGN KEY (task_run_id) REFERENCES task_run (id) ON DELETE CASCADE
)
---
CREATE INDEX artifact_task_run ON task_run_artifact (task_run_id)
---
CREATE TABLE idempotency (
    flow_id TEXT NOT NULL,
    key TEXT NOT NULL,
    flow_run_id TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    uses INTEGER NOT NULL,
    fingerprints TEXT NOT NULL,
    PRIMARY KEY (flow_id, key),
    FOREIGN KEY (flow_id) REFERENCES flow (id) ON DELETE CASCADE,
    FOREIGN KEY (flow_run_id) REFERENCES flow_run (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
) WITHOUT ROWID
---
CREATE INDEX idempotency_run ON idempotency (flow_run_id)
---
CREATE TABLE flow_run_label (
    label TEXT NOT NULL,
    scheduled_start_time TEXT NOT NULL,
    run_seq INTEGER NOT NULL,
    PRIMARY KEY (label, scheduled_start_time, run_seq)
) WITHOUT ROWID
---
CREATE TABLE state_count (
    state TEXT NOT NULL,
    runs INTEGER NOT NULL,
    PRIMARY KEY (state)
) WITHOUT ROWID
---
CREATE TABLE gone_run (
    change_seq INTEGER NOT NULL,
    run_id TEXT NOT NULL,
    PRIMARY KEY (change_seq)
)
---
CREATE TABLE store_meta (
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (name)
) WITHOUT ROWID
---
CREATE TABLE store_clock (
    one INTEGER NOT NULL CHECK (one = 1),
    last_time TEXT NOT NULL,
    change_seq INTEGER NOT NULL,
    gone_floor INTEGER NOT NULL,
    PRIMARY KEY (one)
)
---
CREATE VIRTUAL TABLE flow_run_name USING fts5(
    name, content='flow_run', content_rowid='seq', tokenize='trigram'
)
---
CREATE TRIGGER flow_run_added AFTER INSERT ON flow_run BEGIN
    INSERT INTO state_count (state, runs) VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET runs = runs + 1;
END
---
CREATE TRIGGER flow_run_labelled AFTER INSERT ON flow_run WHEN new.labels <> '[]' BEGIN
    INSERT INTO flow_run_label (label, scheduled_start_time, run_seq)
        SELECT DISTINCT value, new.scheduled_start_time, new.seq FROM json_each(new.labels);
END
---
CREATE TRIGGER flow_run_gone AFTER DELETE ON flow_run BEGIN
    INSERT INTO flow_run_name (flow_run_name, rowid, name)
        SELECT 'delete', old.seq, old.name WHERE old.seq <= (SELECT coalesce(max(id), 0) FROM flow_run_name_docsize);
    DELETE FROM flow_run_label WHERE scheduled_start_time = old.scheduled_start_time AND run_seq = old.seq
        AND label IN (SELECT value FROM json_each(old.labels));
    UPDATE state_count SET runs = runs - 1 WHERE state = old.state;
END
---
CREATE TRIGGER flow_run_renamed AFTER UPDATE OF name ON flow_run
WHEN old.name IS NOT new.name AND old.seq <= (SELECT coalesce(max(id), 0) FROM flow_run_name_docsize) BEGIN
    INSERT INTO flow_run_name (flow_run_name, rowid, name) VALUES ('delete', old.seq, old.name);
    INSERT INTO flow_run_name (rowid, name) VALUES (new.seq, new.name);
END
---
CREATE TRIGGER flow_run_relabelled AFTER UPDATE OF labels ON flow_run WHEN old.labels IS NOT new.labels BEGIN
    DELETE FROM flow_run_label WHERE scheduled_start_time = old.scheduled_start_time AND run_seq = old.seq
        AND label IN (SELECT value FROM json_each(old.labels));
    INSERT INTO flow_run_label (label, scheduled_start_time, run_seq)
        SELECT DISTINCT value, new.scheduled_start_time, new.seq FROM json_each(new.labels);
END
---
CREATE TRIGGER flow_run_moved AFTER UPDATE OF state ON flow_run WHEN old.state IS NOT new.state BEGIN
    UPDATE state_count SET runs = runs - 1 WHERE state = old.state;
    INSERT INTO state_count (state, runs) VALUES (new.state, 1) ON CONFLICT (state) DO UPDATE SET runs = runs + 1;
END
