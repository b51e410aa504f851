"""A store as the first version of the runtime made it: a copy of its schema, meant to stay, and some messages."""

import json
import sqlite3
from pathlib import Path

SCHEMA = """
-- The runtime's own tables. Columns carry IRIS's property names in snake case.
-- AUTOINCREMENT: an id is never given twice, not even after a purge.

CREATE TABLE message_header (
    id                       INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id               INTEGER NOT NULL,
    type                     INTEGER NOT NULL,  -- 1 Request, 2 Response
    invocation               INTEGER NOT NULL,  -- 1 Queue, 2 InProc
    status                   INTEGER NOT NULL,  -- 1 Created 2 Queued 3 Delivered 4 Discarded 5 Suspended
                                                -- 6 Deferred 7 Aborted 8 Error 9 Completed
    priority                 INTEGER NOT NULL,  -- 1 HighSync 2 Sync 4 SimSync 6 Async
    source_config_name       TEXT NOT NULL,
    target_config_name       TEXT NOT NULL,
    source_business_type     INTEGER NOT NULL,  -- 1 Service 2 Process 3 Operation 0 unknown
    target_business_type     INTEGER NOT NULL,
    target_queue_name        TEXT NOT NULL,
    return_queue_name        TEXT NOT NULL,     -- empty: nobody takes the response
    business_process_id      INTEGER NOT NULL,
    message_body_class_name  TEXT NOT NULL,
    message_body_id          INTEGER NOT NULL,  -- 0: no body
    description              TEXT NOT NULL,
    time_created             TEXT NOT NULL,     -- ISO 8601, UTC, microseconds
    time_processed           TEXT NOT NULL,
    is_error                 INTEGER NOT NULL,
    error_text               TEXT NOT NULL,
    corresponding_message_id INTEGER NOT NULL   -- request <-> response
);
CREATE INDEX message_header_session ON message_header (session_id);
-- The queues: only what is still waiting is in this index, however many messages are kept.
CREATE INDEX message_header_queue ON message_header (target_queue_name, priority, id) WHERE status = 2;

CREATE TABLE message_body (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    class_name TEXT NOT NULL,   -- the class IRIS stores it in: IOP.Message, Ens.StringRequest, ...
    classname  TEXT NOT NULL,   -- the Python class: msg.MLRequest
    content    TEXT NOT NULL
);

CREATE TABLE event_log (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    type          INTEGER NOT NULL,  -- 1 Assert 2 Error 3 Warning 4 Info 5 Trace 6 Alert
    config_name   TEXT NOT NULL,
    job           INTEGER NOT NULL,
    message_id    INTEGER NOT NULL,
    session_id    INTEGER NOT NULL,
    source_class  TEXT NOT NULL,
    source_method TEXT NOT NULL,
    text          TEXT NOT NULL,
    stack         TEXT NOT NULL,
    trace_cat     TEXT NOT NULL,
    time_logged   TEXT NOT NULL
);
CREATE INDEX event_log_session ON event_log (session_id) WHERE session_id > 0;

-- A business process between its messages: what it waits for and what it keeps.
CREATE TABLE business_process (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    config_name         TEXT NOT NULL,
    primary_request_id  INTEGER NOT NULL,  -- header id
    response            TEXT,              -- JSON of the Body that would be answered now
    replied             INTEGER NOT NULL,
    pending             TEXT NOT NULL,     -- JSON: header id of a call -> its completion key
    properties          TEXT NOT NULL,     -- JSON: persistent properties
    completed           INTEGER NOT NULL
);

CREATE INDEX business_process_request ON business_process (primary_request_id) WHERE completed = 0;

-- Productions as they are configured: `source` is what the file said last, `current` what runs.
CREATE TABLE production (
    name            TEXT PRIMARY KEY,
    source          TEXT NOT NULL,
    current         TEXT NOT NULL,
    last_start_time TEXT NOT NULL DEFAULT '',
    last_stop_time  TEXT NOT NULL DEFAULT ''
);

-- Python components by the class name that IRIS knows them under.
CREATE TABLE component (
    class_name TEXT PRIMARY KEY,
    module     TEXT NOT NULL,
    classname  TEXT NOT NULL,
    classpaths TEXT NOT NULL
);

-- Single values: the default production, the first run's marker.
CREATE TABLE keep (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);
"""


def make_store(home: Path, module: str) -> Path:
    """Write `home/messages.db`: a finished session, a queued request to Echo, a process that waits for an answer.

    `module` is the one of the components. The process (1) was begun by message 4, which is done, and
    waits for the answer to message 5, which is queued at Echo.
    """
    home.mkdir(mode=0o700)
    path = home / "messages.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(f"BEGIN;{SCHEMA}; PRAGMA user_version = 1; COMMIT;")
    bodies = [(f"{module}.Ask", "old"), (f"{module}.Answer", "Hello old!"), (f"{module}.Ask", "waiting"),
              (f"{module}.Ask", "fan a"), (f"{module}.Ask", "a")]  # fmt: skip
    connection.executemany(
        "INSERT INTO message_body (class_name, classname, content) VALUES ('IOP.Message', ?, ?)",
        [(classname, json.dumps({"text": text})) for classname, text in bodies],
    )
    tester, echo, chain = ("EnsLib.Testing.Service", 1), ("Echo", 3), ("Chain", 2)
    # session, type, status, priority, from, to, queue, return queue, process, body, corresponding
    rows = [
        (1, 1, 9, 2, tester, echo, "Echo", "_SyncCall:1", 0, 1, 2),
        (1, 2, 9, 2, echo, tester, "_SyncCall:1", "", 0, 2, 1),
        (3, 1, 2, 6, tester, echo, "Echo", "", 0, 3, 0),
        (4, 1, 9, 6, tester, chain, "Chain", "", 0, 4, 0),
        (4, 1, 2, 6, chain, echo, "Echo", "Chain", 1, 5, 0),
    ]
    for session, type_, status, priority, sender, receiver, queue, back, process, body, corresponding in rows:
        connection.execute(
            "INSERT INTO message_header (session_id, type, invocation, status, priority, source_config_name, "
            "target_config_name, source_business_type, target_business_type, target_queue_name, return_queue_name, "
            "business_process_id, message_body_class_name, message_body_id, description, time_created, time_processed, "
            "is_error, error_text, corresponding_message_id) "
            "VALUES (?, ?, 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'IOP.Message', ?, '', ?, ?, 0, '', ?)",
            (session, type_, status, priority, sender[0], receiver[0], sender[1], receiver[1], queue, back, process,
             body, "2026-01-02 03:04:05.000006", "2026-01-02 03:04:05.000007", corresponding),
        )  # fmt: skip
    connection.execute(
        "INSERT INTO business_process (config_name, primary_request_id, response, replied, pending, properties, "
        "completed) VALUES ('Chain', 4, ?, 0, ?, ?, 0)",
        (json.dumps(["IOP.Message", f"{module}.Answer", "{}"]), json.dumps({"5": "a"}), json.dumps({"seen": 41})),
    )
    connection.execute(
        "INSERT INTO event_log (type, config_name, job, message_id, session_id, source_class, source_method, text, "
        "stack, trace_cat, time_logged) VALUES (4, 'Echo', 1, 1, 1, 'Echo', 'ask', 'asked old', '', '', "
        "'2026-01-02 03:04:05.000006')"
    )
    connection.execute("INSERT INTO keep VALUES ('default_production', 'Test.Production')")
    connection.close()
    return path
