/// The tables, as the steps that made them. A step that was released is never changed; a change is a further step.
enum Schema {
    struct Step: Sendable {
        let name: String
        let sql: String
    }

    static let steps = [
        Step(
            name: "1 jobs, tokens, uploads",
            sql: """
                CREATE TABLE job (
                    number INTEGER PRIMARY KEY AUTOINCREMENT,
                    id TEXT NOT NULL UNIQUE,
                    user TEXT NOT NULL,
                    organisation TEXT NOT NULL,
                    name TEXT NOT NULL,
                    workspace_id TEXT,
                    script TEXT NOT NULL,
                    environment BLOB NOT NULL,
                    timeout_seconds INTEGER NOT NULL,
                    processors INTEGER NOT NULL,
                    memory_mebibytes INTEGER NOT NULL,
                    created_at INTEGER NOT NULL,
                    state TEXT NOT NULL,
                    stop_requested INTEGER NOT NULL,
                    machine TEXT,
                    accelerator TEXT,
                    image TEXT,
                    started_at INTEGER,
                    end_cause TEXT,
                    exit_code INTEGER,
                    error_code TEXT,
                    error_message TEXT,
                    duration_milliseconds INTEGER,
                    finished_at INTEGER,
                    CHECK (state NOT IN ('running', 'sleeping') OR machine IS NOT NULL),
                    CHECK (state NOT IN ('completed', 'error', 'stopped') OR finished_at IS NOT NULL)
                ) STRICT;
                CREATE INDEX job_newest ON job (organisation, user, number);
                CREATE INDEX job_by_name ON job (organisation, user, name, number);
                CREATE INDEX job_by_workspace ON job (organisation, user, workspace_id, number)
                    WHERE workspace_id IS NOT NULL;
                CREATE INDEX job_unfinished ON job (number) WHERE finished_at IS NULL;
                CREATE INDEX job_finished ON job (finished_at) WHERE finished_at IS NOT NULL;
                CREATE TABLE job_file (
                    job INTEGER NOT NULL REFERENCES job (number) ON DELETE CASCADE,
                    position INTEGER NOT NULL,
                    upload TEXT NOT NULL,
                    PRIMARY KEY (job, position)
                ) STRICT, WITHOUT ROWID;
                CREATE TABLE token (
                    id TEXT NOT NULL PRIMARY KEY,
                    name TEXT NOT NULL,
                    user TEXT NOT NULL,
                    organisation TEXT NOT NULL,
                    hash BLOB NOT NULL UNIQUE,
                    created_at INTEGER NOT NULL,
                    expires_at INTEGER,
                    last_used_at INTEGER
                ) STRICT;
                CREATE TABLE upload (
                    id TEXT NOT NULL PRIMARY KEY,
                    user TEXT NOT NULL,
                    organisation TEXT NOT NULL,
                    name TEXT NOT NULL,
                    size INTEGER NOT NULL,
                    created_at INTEGER NOT NULL,
                    last_used_at INTEGER NOT NULL
                ) STRICT;
                CREATE INDEX upload_unused ON upload (last_used_at);
                """),
        Step(name: "2 disks of jobs", sql: "ALTER TABLE job ADD COLUMN disk_gigabytes INTEGER"),
        // What is large lies apart, so that no look at a job reads it.
        Step(
            name: "3 payloads of jobs",
            sql: """
                CREATE TABLE job_payload (
                    job INTEGER PRIMARY KEY REFERENCES job (number) ON DELETE CASCADE,
                    script TEXT NOT NULL,
                    environment BLOB NOT NULL
                ) STRICT;
                INSERT INTO job_payload (job, script, environment) SELECT number, script, environment FROM job;
                ALTER TABLE job ADD COLUMN payload_size INTEGER NOT NULL DEFAULT 0;
                UPDATE job SET payload_size = length(CAST(script AS BLOB)) + length(environment);
                ALTER TABLE job DROP COLUMN script;
                ALTER TABLE job DROP COLUMN environment;
                """),
        Step(
            name: "4 no payloads of ended jobs",
            sql: "DELETE FROM job_payload WHERE job IN (SELECT number FROM job WHERE finished_at IS NOT NULL)"),
        Step(
            name: "5 execs",
            sql: """
                CREATE TABLE exec (
                    id TEXT NOT NULL PRIMARY KEY,
                    job TEXT NOT NULL REFERENCES job (id) ON DELETE CASCADE,
                    key TEXT,
                    fingerprint BLOB NOT NULL,
                    timeout_seconds INTEGER NOT NULL,
                    created_at INTEGER NOT NULL,
                    stop_requested INTEGER NOT NULL,
                    started_at INTEGER,
                    end_cause TEXT,
                    exit_code INTEGER,
                    error_code TEXT,
                    error_message TEXT,
                    duration_milliseconds INTEGER,
                    finished_at INTEGER
                ) STRICT, WITHOUT ROWID;
                CREATE UNIQUE INDEX exec_by_key ON exec (job, key);
                CREATE INDEX exec_unfinished ON exec (created_at) WHERE finished_at IS NULL;
                CREATE INDEX exec_finished ON exec (finished_at) WHERE finished_at IS NOT NULL;
                """),
    ]
}
