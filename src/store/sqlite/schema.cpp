#include "schema.hpp"

#include <spdlog/spdlog.h>

#include <array>
#include <string>

namespace lihandover::store::sqlite {

namespace {

// docs/store.md explains every table and column.
constexpr const char* version_1 = R"sql(
CREATE TABLE meta(
    name TEXT NOT NULL PRIMARY KEY,
    value NOT NULL
) WITHOUT ROWID;

CREATE TABLE filler(
    id INTEGER PRIMARY KEY,
    octets BLOB NOT NULL
);

CREATE TABLE schema_identifier(
    id INTEGER PRIMARY KEY,
    identifier TEXT NOT NULL UNIQUE
);

CREATE TABLE lane(
    id INTEGER PRIMARY KEY,
    destination TEXT NOT NULL,
    liid TEXT NOT NULL,
    provided INTEGER NOT NULL,
    UNIQUE(destination, liid)
);

CREATE TABLE profile(
    id INTEGER PRIMARY KEY,
    sender_country TEXT NOT NULL,
    sender_identifier TEXT NOT NULL,
    receiver_country TEXT NOT NULL,
    receiver_identifier TEXT NOT NULL,
    etsi_version TEXT NOT NULL,
    national_owner TEXT NOT NULL,
    national_version TEXT NOT NULL,
    schema_identifier TEXT NOT NULL,
    schema_url TEXT NOT NULL,
    writer_version INTEGER NOT NULL
);

CREATE TABLE item(
    id INTEGER PRIMARY KEY,
    lane INTEGER NOT NULL,
    profile INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    size INTEGER NOT NULL,
    received INTEGER NOT NULL,
    object_id BLOB NOT NULL,
    level_id INTEGER,
    sequence INTEGER
);

CREATE TABLE share(
    id INTEGER PRIMARY KEY,
    octets BLOB NOT NULL
);

CREATE TABLE aside(
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    profile INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    size INTEGER NOT NULL,
    received INTEGER NOT NULL,
    object_id BLOB NOT NULL,
    level_id INTEGER,
    sequence INTEGER,
    code INTEGER,
    code_kind INTEGER,
    words TEXT
);
CREATE INDEX aside_object ON aside(object_id);

CREATE TABLE repeats(
    event_micros INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY(event_micros, hash)
) WITHOUT ROWID;

CREATE TABLE late_repeats(
    period INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY(period, hash)
) WITHOUT ROWID;

CREATE TABLE conversation(
    lane INTEGER NOT NULL,
    level_id INTEGER NOT NULL,
    hash BLOB NOT NULL,
    next_sequence INTEGER NOT NULL,
    PRIMARY KEY(lane, level_id)
) WITHOUT ROWID;

CREATE TABLE record(
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    object_id BLOB,
    item INTEGER,
    level_id INTEGER,
    sequence INTEGER,
    received INTEGER
);
CREATE INDEX record_ended ON record(item) WHERE kind IN (4, 7);

CREATE TABLE record_note(
    record INTEGER PRIMARY KEY,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    code INTEGER,
    code_kind INTEGER,
    words TEXT
);

CREATE TABLE warrant(
    destination TEXT NOT NULL,
    liid TEXT NOT NULL,
    file TEXT NOT NULL,
    octets BLOB NOT NULL,
    PRIMARY KEY(destination, liid)
) WITHOUT ROWID;

INSERT INTO filler(id, octets) VALUES(1, zeroblob(3000)), (2, zeroblob(3000)), (3, zeroblob(3000)), (4, zeroblob(3000));
INSERT INTO meta(name, value) VALUES('secret', randomblob(32)), ('counters_upto', 0);
)sql";

// Binary objects. An item of version 1 has none, so nothing is rewritten.
constexpr const char* version_2 = R"sql(
CREATE TABLE blob(
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL,
    loss INTEGER NOT NULL,
    size INTEGER NOT NULL,
    sha256 BLOB,
    file BLOB,
    key BLOB,
    source BLOB
);
CREATE INDEX blob_file ON blob(file) WHERE file IS NOT NULL;
CREATE INDEX blob_source ON blob(source) WHERE source IS NOT NULL;

CREATE TABLE source_file(
    blob INTEGER PRIMARY KEY,
    path BLOB NOT NULL,
    device INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    modified_nanos INTEGER NOT NULL,
    changed_nanos INTEGER NOT NULL,
    give_up_at INTEGER NOT NULL
);

CREATE TABLE object(
    id INTEGER PRIMARY KEY,
    uuid BLOB NOT NULL,
    item INTEGER NOT NULL,
    item_uuid BLOB NOT NULL,
    position INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    state INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    lifetime INTEGER NOT NULL,
    expires_at INTEGER,
    deadline INTEGER,
    url TEXT NOT NULL,
    content_type BLOB NOT NULL,
    filename BLOB NOT NULL,
    csp_identifier BLOB NOT NULL,
    code INTEGER,
    code_kind INTEGER,
    words TEXT
);
CREATE INDEX object_uuid ON object(uuid);
CREATE INDEX object_item ON object(item, position);
CREATE INDEX object_blob ON object(blob);
CREATE INDEX object_expiry ON object(expires_at) WHERE state=1;
CREATE INDEX object_waiting ON object(id) WHERE state IN (2, 3);
CREATE INDEX object_item_uuid ON object(item_uuid) WHERE state IN (1, 2, 3);

CREATE INDEX record_object_ended ON record(object_id) WHERE kind IN (9, 13, 14);
)sql";

// SQLite makes a table of its own of an IN with more than two values, for each row that is inserted: a sixth of the
// writer's time. Queries have to say the condition with the same words to use the index.
constexpr const char* version_3 = R"sql(
DROP INDEX record_object_ended;
CREATE INDEX record_object_ended ON record(object_id) WHERE kind=9 OR kind=13 OR kind=14;
DROP INDEX object_item_uuid;
CREATE INDEX object_item_uuid ON object(item_uuid) WHERE state=1 OR state=2 OR state=3;

ALTER TABLE source_file DROP COLUMN device;
)sql";

// What is set aside, content sealed under keys that can be overwritten, and what tells one event from another of the
// same id. Items of earlier versions have no key: their content lies there as it is.
constexpr const char* version_4 = R"sql(
DROP INDEX object_waiting;
CREATE INDEX object_waiting ON object(id) WHERE state=2 OR state=3 OR state=4;
DROP INDEX object_item_uuid;
CREATE INDEX object_item_uuid ON object(item_uuid) WHERE state=1 OR state=2 OR state=3 OR state=4;

ALTER TABLE item ADD COLUMN key_slot INTEGER;
ALTER TABLE aside ADD COLUMN key_slot INTEGER;

ALTER TABLE repeats ADD COLUMN digest BLOB;
ALTER TABLE late_repeats ADD COLUMN digest BLOB;
)sql";

// Destinations that an operator has paused, which lasts over restarts.
constexpr const char* version_5 = R"sql(
CREATE TABLE pause(
    destination TEXT NOT NULL PRIMARY KEY,
    since INTEGER NOT NULL,
    who TEXT NOT NULL
) WITHOUT ROWID;
)sql";

// Whose file is gone, and waits for a word that it shall end.
constexpr const char* version_6 = R"sql(
ALTER TABLE warrant ADD COLUMN missing INTEGER NOT NULL DEFAULT 0;
)sql";

// Names, types, URLs and keys of binary objects, sealed with their bytes. Rows of earlier versions have them as they
// are.
constexpr const char* version_7 = R"sql(
ALTER TABLE blob ADD COLUMN key_slot INTEGER;
)sql";

// Up to which entry rows that would stay for ever were used. Of those that are there already it is only known that it
// was before now.
constexpr const char* version_8 = R"sql(
ALTER TABLE conversation ADD COLUMN last INTEGER NOT NULL DEFAULT 0;
ALTER TABLE lane ADD COLUMN last INTEGER NOT NULL DEFAULT 0;
ALTER TABLE profile ADD COLUMN last INTEGER NOT NULL DEFAULT 0;
INSERT INTO meta(name, value) SELECT 'last_known_from', coalesce(max(id), 0) FROM record;
)sql";

// What doors have read and not finished with. A source's copies lie in the order in which they came.
constexpr const char* version_9 = R"sql(
CREATE TABLE kept_source(
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE kept(
    source INTEGER NOT NULL,
    id INTEGER NOT NULL,
    key_slot INTEGER NOT NULL,
    octets BLOB NOT NULL,
    PRIMARY KEY(source, id)
) WITHOUT ROWID;
)sql";

// The chain of audit entries. Those that are there already stand before its beginning. `nanos` is what their times have
// below microseconds: 1000 times that of `at`, and that of `received`.
constexpr const char* version_10 = R"sql(
ALTER TABLE record ADD COLUMN nanos INTEGER;

CREATE TABLE chain(
    id INTEGER PRIMARY KEY,
    beginning BLOB NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL
);
INSERT INTO chain(id, beginning, number, hash) VALUES(1, randomblob(32), 0, zeroblob(32));
UPDATE chain SET hash=beginning;

CREATE TABLE chain_checkpoint(
    number INTEGER PRIMARY KEY,
    record INTEGER NOT NULL,
    hash BLOB NOT NULL,
    at INTEGER NOT NULL,
    nanos INTEGER NOT NULL,
    node TEXT NOT NULL,
    signature BLOB
);
INSERT INTO chain_checkpoint(number, record, hash, at, nanos, node)
    SELECT 0, (SELECT coalesce(max(id), 0) FROM record), hash, -9223372036854775808, 0, '' FROM chain;
)sql";

// Warrants that operators have revoked, while their files still order them.
constexpr const char* version_11 = R"sql(
CREATE TABLE revocation(
    destination TEXT NOT NULL,
    liid TEXT NOT NULL,
    from_seconds INTEGER NOT NULL,
    from_nanos INTEGER NOT NULL,
    file TEXT NOT NULL,
    at INTEGER NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY(destination, liid)
) WITHOUT ROWID;
)sql";

// Warrants that wait for people's approval.
constexpr const char* version_12 = R"sql(
CREATE TABLE pending_warrant(
    destination TEXT NOT NULL,
    liid TEXT NOT NULL,
    digest BLOB NOT NULL,
    file TEXT NOT NULL,
    since INTEGER NOT NULL,
    refused INTEGER NOT NULL,
    who TEXT NOT NULL,
    why TEXT NOT NULL,
    PRIMARY KEY(destination, liid)
) WITHOUT ROWID;

CREATE TABLE warrant_approval(
    destination TEXT NOT NULL,
    liid TEXT NOT NULL,
    uid INTEGER NOT NULL,
    who TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY(destination, liid, uid)
) WITHOUT ROWID;
)sql";

// The times of the entries that come before a checkpoint and behind the one before it.
constexpr const char* version_13 = R"sql(
ALTER TABLE chain_checkpoint ADD COLUMN oldest INTEGER;
ALTER TABLE chain_checkpoint ADD COLUMN newest INTEGER;
UPDATE chain_checkpoint SET (oldest, newest)=(SELECT min(r.at), max(r.at) FROM record r WHERE r.id <=
    chain_checkpoint.record AND r.id > (SELECT p.record FROM chain_checkpoint p WHERE p.number <
    chain_checkpoint.number ORDER BY p.number DESC LIMIT 1));
)sql";

// What a held item (a row of `aside`) needs to be queued, and what the first of two people has said of it. The index is
// so that a page of the items in one state costs the same however many wait in the others, emergencies first.
constexpr const char* version_14 = R"sql(
CREATE TABLE held(
    id INTEGER PRIMARY KEY,
    review INTEGER NOT NULL,
    schema_content INTEGER NOT NULL,
    conversation BLOB,
    first_by TEXT NOT NULL DEFAULT '',
    first_who TEXT NOT NULL DEFAULT '',
    first_rejects INTEGER NOT NULL DEFAULT 0,
    first_why TEXT NOT NULL DEFAULT ''
);

CREATE INDEX aside_state ON aside(state, (flags & 1), id);
)sql";

// Encryption at rest: the LIID, which `liid` stands for then by a keyed hash, and the key of a warrant's last good
// version.
constexpr const char* version_15 = R"sql(
ALTER TABLE lane ADD COLUMN sealed BLOB;
ALTER TABLE warrant ADD COLUMN key_slot INTEGER;
ALTER TABLE revocation ADD COLUMN name BLOB;
)sql";

// Revoked warrants (`lane`) whose items from behind `after` up to `upto` are to be held, and how many people decide
// about each; `upto` is NULL while more of them may come. In `held`: 1 for such an item, which has its numbers.
constexpr const char* version_16 = R"sql(
ALTER TABLE held ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;

CREATE TABLE withholding(
    lane INTEGER PRIMARY KEY,
    review INTEGER NOT NULL,
    after INTEGER NOT NULL,
    upto INTEGER
);
)sql";

constexpr std::array<MigrationStep, 16> steps_of_this_program = {{{1, version_1},
                                                                  {2, version_2},
                                                                  {3, version_3},
                                                                  {4, version_4},
                                                                  {5, version_5},
                                                                  {6, version_6},
                                                                  {7, version_7},
                                                                  {8, version_8},
                                                                  {9, version_9},
                                                                  {10, version_10},
                                                                  {11, version_11},
                                                                  {12, version_12},
                                                                  {13, version_13},
                                                                  {14, version_14},
                                                                  {15, version_15},
                                                                  {16, version_16}}};

}  // namespace

std::span<const MigrationStep> migration_steps() {
    return steps_of_this_program;
}

model::Result<std::int64_t> known_version(Connection& connection, std::span<const MigrationStep> steps) {
    const std::int64_t version = connection.integer("PRAGMA user_version");
    const std::int64_t application = connection.integer("PRAGMA application_id");
    const bool empty = connection.integer("SELECT count(*) FROM sqlite_schema") == 0;
    const bool fresh = application == 0 && version == 0 && empty;
    if (application != application_id && !fresh) {
        return model::Error{
            "the database is not a store of this daemon: give another state_dir, or move the file away"};
    }
    const std::int64_t newest = steps.empty() ? 0 : steps.back().version;
    if (version > newest) {
        return model::Error{"the store was written by a newer version of this daemon (its schema is " +
                            std::to_string(version) + ", this program knows up to " + std::to_string(newest) +
                            "): install that version again, or restore the store as it was before the upgrade"};
    }
    return version;
}

model::Status migrate(Connection& connection, std::span<const MigrationStep> steps) {
    const auto found = known_version(connection, steps);
    if (!found) {
        return found.error();
    }
    std::int64_t version = *found;
    const bool fresh = version == 0;
    for (const MigrationStep& step : steps) {
        if (step.version <= version) {
            continue;
        }
        ScopedTransaction transaction(connection);
        connection.execute(step.sql);
        connection.execute("PRAGMA user_version=" + std::to_string(step.version));
        connection.execute("PRAGMA application_id=" + std::to_string(application_id));
        transaction.commit();
        if (!fresh) {
            spdlog::info("store: schema upgraded to version {}", step.version);
        }
        version = step.version;
    }
    return {};
}

void set_up_writer(Connection& connection) {
    // The first three only count before a new file gets its first page.
    connection.execute("PRAGMA page_size=4096");
    // So that free pages can be given back while it runs: 0.4 µs per item.
    connection.execute("PRAGMA auto_vacuum=INCREMENTAL");
    connection.execute("PRAGMA encoding='UTF-8'");
    Statement mode = connection.prepare("PRAGMA journal_mode=WAL");
    {
        Rows rows(mode);
        if (!rows.next() || rows->bytes(0) != "wal") {
            throw SqlFailure(Trouble::failing, SQLITE_IOERR);
        }
    }
    connection.execute("PRAGMA synchronous=FULL");
    // What is deleted is overwritten with zeros: 0.3 µs per item.
    connection.execute("PRAGMA secure_delete=ON");
    connection.execute("PRAGMA cache_size=-10240");
    connection.execute("PRAGMA temp_store=MEMORY");
    connection.execute("PRAGMA foreign_keys=OFF");
    connection.execute("PRAGMA trusted_schema=OFF");
    // The writer decides about checkpoints itself.
    connection.execute("PRAGMA wal_autocheckpoint=0");
}

void set_up_reader(Connection& connection) {
    connection.execute("PRAGMA query_only=ON");
    connection.execute("PRAGMA cache_size=-2048");
    connection.execute("PRAGMA temp_store=MEMORY");
    connection.execute("PRAGMA trusted_schema=OFF");
}

}  // namespace lihandover::store::sqlite
