#include "engine.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "lihandover/model/uuid.hpp"
#include "schema.hpp"
#include "wal_vfs.hpp"

namespace lihandover::store {

namespace {

constexpr std::int64_t flag_emergency = 1;
constexpr std::int64_t flag_carries_schema = 2;
constexpr std::int64_t flag_has_objects = 4;

std::int64_t number_of(ItemState state) {
    return static_cast<std::int64_t>(state);
}

model::Uuid uuid_of(std::string_view bytes) {
    model::Uuid uuid;
    if (bytes.size() != uuid.bytes.size()) {
        throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
    }
    std::memcpy(uuid.bytes.data(), bytes.data(), bytes.size());
    return uuid;
}

std::uint32_t bit_of(std::int64_t schema_number) {
    return schema_number >= 1 && schema_number <= 32 ? std::uint32_t{1} << (schema_number - 1) : 0;
}

}  // namespace

void Effects::clear() {
    counts.clear();
    queued.clear();
    stored.clear();
    retried.clear();
    withdrawn.clear();
    prepared.clear();
    uploads.clear();
    uploads_withdrawn.clear();
    provided.clear();
    lanes.clear();
    profiles.clear();
    waiting_bytes = 0;
    repeats = 0;
}

Effects::Change& Effects::of(std::uint32_t destination) {
    if (destination >= counts.size()) {
        counts.resize(destination + 1);
    }
    return counts[destination];
}

Engine::Engine(const StateDirectory& directory, const model::Clock& clock, Secret& secret, Catalogue& catalogue,
               std::chrono::seconds repeat_memory, std::uint64_t wal_limit, std::shared_ptr<ObjectFiles> files)
    : directory_(directory),
      clock_(clock),
      secret_(secret),
      catalogue_(catalogue),
      wal_limit_(wal_limit),
      conversations_(secret),
      repeats_(repeat_memory),
      objects_(*this, std::move(files)) {}

bool Engine::is_emergency(std::int64_t item_flags) {
    return (item_flags & flag_emergency) != 0;
}

model::Status Engine::open() {
    connect();
    if (auto migrated = migrate(connection_, migration_steps()); !migrated) {
        return migrated;
    }
    return load();
}

model::Status Engine::reopen() {
    // A look at the tables alone moves next_id_ on: were what follows to fail then, the next try would know no more
    // which rows nobody heard of.
    if (!last_known_) {
        last_known_ = next_id_ - 1;
    }
    close();
    if (auto opened = open(); !opened) {
        return opened;
    }
    Statement left_behind = connection_.prepare("SELECT id, lane, flags FROM item WHERE id > ? ORDER BY id");
    left_behind.bind(1, *last_known_);
    for (Rows rows(left_behind); rows.next();) {
        effects_.queued.push_back({rows->integer(0), rows->integer(1), is_emergency(rows->integer(2))});
    }
    objects_.resolve_doubts();
    last_known_.reset();
    return {};
}

void Engine::close() {
    conversations_.close();
    repeats_.close();
    objects_.close();
    statements_ = {};
    effects_.clear();
    connection_ = Connection();
}

void Engine::connect() {
    connection_ = Connection(directory_.database(), wal_vfs());
    set_up_writer(connection_);
    connection_.execute("PRAGMA journal_size_limit=" + std::to_string(wal_limit_));
    wal_frames_ = 0;
    sqlite3_wal_hook(
        connection_.handle(),
        [](void* engine, sqlite3*, const char*, int frames) {
            static_cast<Engine*>(engine)->wal_frames_ = static_cast<std::uint64_t>(frames);
            static_cast<Engine*>(engine)->wrote_ = true;
            return SQLITE_OK;
        },
        this);
}

model::Status Engine::load() {
    {
        Statement secret = connection_.prepare("SELECT value FROM meta WHERE name='secret'");
        Rows rows(secret);
        const bool known = rows.next();
        if (!opened_before_ && (!known || !secret_.set(rows->bytes(0)))) {
            return model::Error{"the store holds no key for its hashes: restore it from a backup"};
        }
    }
    page_size_ = static_cast<std::uint64_t>(connection_.integer("PRAGMA page_size"));

    auto& s = statements_;
    auto& c = connection_;
    s.begin = c.prepare("BEGIN IMMEDIATE");
    s.commit = c.prepare("COMMIT");
    s.page_count = c.prepare("PRAGMA page_count");
    s.freelist_count = c.prepare("PRAGMA freelist_count");
    s.insert_item = c.prepare(
        "INSERT INTO item(id, lane, profile, flags, size, received, object_id, level_id, sequence) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)");
    s.insert_share = c.prepare("INSERT INTO share(id, octets) VALUES(?, ?)");
    s.insert_made = c.prepare(
        "INSERT INTO record(id, at, kind, lane, object_id, level_id, sequence, received) VALUES(?, ?, ?, ?, ?, ?, ?, "
        "?)");
    s.insert_record = c.prepare("INSERT INTO record(id, at, kind, lane, object_id, item) VALUES(?, ?, ?, ?, ?, ?)");
    s.insert_note =
        c.prepare("INSERT INTO record_note(record, who, why, code, code_kind, words) VALUES(?, ?, ?, ?, ?, ?)");
    s.update_filler = c.prepare("UPDATE filler SET octets=? WHERE id=?");
    s.find_item = c.prepare("SELECT lane, flags, size, object_id FROM item WHERE id=?");
    s.delete_item = c.prepare("DELETE FROM item WHERE id=?");
    s.delete_share = c.prepare("DELETE FROM share WHERE id=?");
    s.find_aside =
        c.prepare("SELECT state, lane, flags, size, object_id, code, code_kind, words FROM aside WHERE id=?");
    s.delete_aside = c.prepare("DELETE FROM aside WHERE id=?");
    s.was_delivered = c.prepare("SELECT 1 FROM record WHERE kind IN (4, 7) AND kind=4 AND item=?");
    s.provide = c.prepare("UPDATE lane SET provided=? WHERE id=?");
    s.put_aside = c.prepare(
        "INSERT INTO aside(id, state, changed, lane, profile, flags, size, received, object_id, level_id, sequence, "
        "code, "
        "code_kind, words) SELECT id, ?2, ?3, lane, profile, flags, size, received, object_id, level_id, sequence, ?4, "
        "?5, ?6 FROM item WHERE id=?1");
    s.take_back = c.prepare(
        "INSERT INTO item(id, lane, profile, flags, size, received, object_id, level_id, sequence) "
        "SELECT id, lane, profile, flags, size, received, object_id, level_id, sequence FROM aside WHERE id=?");
    s.aside_by_object = c.prepare("SELECT id FROM aside WHERE object_id=?");
    s.refused_after = c.prepare("SELECT id, state, lane, code FROM aside WHERE id > ? ORDER BY id LIMIT ?");
    s.objects_after =
        c.prepare("SELECT id, state, lane, code FROM object WHERE state IN (2, 3) AND id > ? ORDER BY id LIMIT ?");
    s.find_lane = c.prepare("SELECT id FROM lane WHERE destination=? AND liid=?");
    s.insert_lane = c.prepare("INSERT INTO lane(destination, liid, provided) VALUES(?, ?, 0)");
    s.first_records = c.prepare("SELECT id, at FROM record ORDER BY id LIMIT ?");
    s.delete_records = c.prepare("DELETE FROM record WHERE id <= ?");
    s.delete_notes = c.prepare("DELETE FROM record_note WHERE record <= ?");

    load_catalogue();
    conversations_.open(connection_);
    repeats_.open(connection_);
    load_counts();
    objects_.open(connection_);
    next_id_ = 1 + std::max({c.integer("SELECT max(id) FROM record"), c.integer("SELECT max(id) FROM item"),
                             c.integer("SELECT max(id) FROM aside"), c.integer("SELECT max(id) FROM object"),
                             conversations_.upto()});
    oldest_record_at_ = std::numeric_limits<std::int64_t>::max();
    {
        s.first_records.bind(1, std::int64_t{1});
        Rows rows(s.first_records);
        if (rows.next()) {
            oldest_record_at_ = rows->integer(1);
        }
    }
    measure();
    opened_before_ = true;
    return {};
}

void Engine::load_catalogue() {
    Statement profiles = connection_.prepare(
        "SELECT id, sender_country, sender_identifier, receiver_country, receiver_identifier, etsi_version, "
        "national_owner, national_version, schema_identifier, schema_url, writer_version, "
        "(SELECT s.id FROM schema_identifier s WHERE s.identifier=profile.schema_identifier) FROM profile ORDER BY id");
    for (Rows rows(profiles); rows.next();) {
        model::Profile profile;
        profile.sender = {std::string(rows->bytes(1)), std::string(rows->bytes(2))};
        profile.receiver = {std::string(rows->bytes(3)), std::string(rows->bytes(4))};
        profile.etsi_version = rows->bytes(5);
        profile.national_profile_owner = rows->bytes(6);
        profile.national_profile_version = rows->bytes(7);
        profile.schema_identifier = rows->bytes(8);
        profile.schema_url = rows->bytes(9);
        profile.writer_version = static_cast<std::uint32_t>(rows->integer(10));
        catalogue_.add_profile(rows->integer(0), std::move(profile), bit_of(rows->integer(11)));
    }
    Statement lanes = connection_.prepare("SELECT id, destination, liid, provided FROM lane ORDER BY id");
    for (Rows rows(lanes); rows.next();) {
        catalogue_.add_lane({rows->integer(0), std::string(rows->bytes(1)), std::string(rows->bytes(2))},
                            static_cast<std::uint32_t>(rows->integer(3)));
    }
}

void Engine::load_counts() {
    counts_.assign(catalogue_.destinations().size(), {});
    waiting_bytes_ = 0;
    const auto lane_counts = [this](LaneId lane) -> Effects::Change& {
        const auto* facts = catalogue_.lane_facts(lane);
        if (facts == nullptr) {
            throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
        }
        return counts_[facts->destination];
    };
    Statement items = connection_.prepare("SELECT lane, size FROM item");
    for (Rows rows(items); rows.next();) {
        ++lane_counts(rows->integer(0)).queued;
        waiting_bytes_ += rows->integer(1) + item_overhead;
    }
    Statement aside = connection_.prepare("SELECT lane, size, state FROM aside");
    for (Rows rows(aside); rows.next();) {
        Effects::Change& change = lane_counts(rows->integer(0));
        ++(rows->integer(2) == number_of(ItemState::held) ? change.held : change.refused);
        waiting_bytes_ += rows->integer(1) + item_overhead;
    }
}

void Engine::measure() {
    const auto read = [](Statement& statement) {
        Rows rows(statement);
        return rows.next() ? static_cast<std::uint64_t>(rows->integer(0)) : 0;
    };
    free_pages_ = read(statements_.freelist_count);
    live_pages_ = read(statements_.page_count) - free_pages_;
}

void Engine::begin() {
    effects_.clear();
    now_ = clock_.wall();
    begun_at_id_ = next_id_;
    statements_.begin.run();
}

void Engine::commit() {
    measure();
    wrote_ = false;  // SQLite calls the hook for commits that have something to write
    statements_.commit.run();
    conversations_.commit();
    if (counts_.size() < effects_.counts.size()) {
        counts_.resize(effects_.counts.size());
    }
    for (std::size_t i = 0; i < effects_.counts.size(); ++i) {
        counts_[i].held += effects_.counts[i].held;
        counts_[i].queued += effects_.counts[i].queued;
        counts_[i].refused += effects_.counts[i].refused;
        for (std::size_t state = 0; state < counts_[i].objects.size(); ++state) {
            counts_[i].objects[state] += effects_.counts[i].objects[state];
        }
    }
    waiting_bytes_ += effects_.waiting_bytes;
    objects_.committed();
}

void Engine::roll_back() noexcept {
    connection_.roll_back();
    conversations_.roll_back();
    objects_.rolled_back();
    next_id_ = begun_at_id_;
    for (const auto& [lane, bit] : effects_.provided) {
        catalogue_.lane_facts(lane)->provided &= ~bit;
    }
    effects_.clear();
}

void Engine::publish() {
    for (Effects::NewProfile& added : effects_.profiles) {
        catalogue_.add_profile(added.id, std::move(added.profile), added.schema_bit);
    }
    for (Lane& lane : effects_.lanes) {
        catalogue_.add_lane(std::move(lane), 0);
    }
    effects_.clear();
}

void Engine::record(RecordKind kind, LaneId lane, std::span<const std::uint8_t> object_id, RowId item) {
    auto& insert = statements_.insert_record;
    insert.bind(1, next_id_++).bind(2, now_.micros()).bind(3, static_cast<std::int64_t>(kind)).bind(4, lane);
    if (item == 0) {
        insert.bind_null(5).bind_null(6);
    } else {
        insert.bind(5, object_id).bind(6, item);
    }
    insert.run();
    oldest_record_at_ = std::min(oldest_record_at_, now_.micros());
}

void Engine::note(std::string_view who, std::string_view why, const Refusal* refusal) {
    auto& insert = statements_.insert_note;
    insert.bind(1, next_id_ - 1).bind(2, who).bind(3, why);
    if (refusal == nullptr) {
        insert.bind_null(4).bind_null(5).bind_null(6);
    } else {
        insert.bind(4, static_cast<std::int64_t>(refusal->code))
            .bind(5, static_cast<std::int64_t>(refusal->kind))
            .bind(6, refusal->words);
    }
    insert.run();
}

void Engine::count_object(LaneId lane, ObjectState state, std::int64_t by) {
    const auto* facts = catalogue_.lane_facts(lane);
    if (facts == nullptr) {
        throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
    }
    effects_.of(facts->destination).objects[static_cast<std::size_t>(state)] += by;
}

void Engine::loaded_objects(LaneId lane, ObjectState state, std::int64_t count) {
    const auto* facts = catalogue_.lane_facts(lane);
    if (facts == nullptr) {
        throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
    }
    counts_[facts->destination].objects[static_cast<std::size_t>(state)] += count;
}

void Engine::count(const Waiting& waiting, ItemState state, std::int64_t by) {
    const auto* facts = catalogue_.lane_facts(waiting.lane);
    if (facts == nullptr) {
        throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
    }
    Effects::Change& change = effects_.of(facts->destination);
    switch (state) {
        case ItemState::held:
            change.held += by;
            break;
        case ItemState::queued:
            change.queued += by;
            break;
        default:
            change.refused += by;
            break;
    }
}

std::optional<Engine::Waiting> Engine::find_queued(RowId row) {
    statements_.find_item.bind(1, row);
    Rows rows(statements_.find_item);
    if (!rows.next()) {
        return std::nullopt;
    }
    return Waiting{
        row,         ItemState::queued, rows->integer(0), rows->integer(1), rows->integer(2), uuid_of(rows->bytes(3)),
        std::nullopt};
}

std::optional<Engine::Waiting> Engine::find_aside(RowId row) {
    statements_.find_aside.bind(1, row);
    Rows rows(statements_.find_aside);
    if (!rows.next()) {
        return std::nullopt;
    }
    Waiting waiting{row,
                    rows->integer(0) == number_of(ItemState::held) ? ItemState::held : ItemState::refused,
                    rows->integer(1),
                    rows->integer(2),
                    rows->integer(3),
                    uuid_of(rows->bytes(4)),
                    std::nullopt};
    if (!rows->is_null(5)) {
        waiting.refusal = Refusal{static_cast<std::uint64_t>(rows->integer(5)),
                                  static_cast<Refusal::Kind>(rows->integer(6)), std::string(rows->bytes(7))};
    }
    return waiting;
}

std::optional<RowId> Engine::find_aside(const model::Uuid& object_id) {
    statements_.aside_by_object.bind(1, std::span<const std::uint8_t>(object_id.bytes));
    Rows rows(statements_.aside_by_object);
    return rows.next() ? std::optional(rows->integer(0)) : std::nullopt;
}

void Engine::erase(const Waiting& waiting) {
    (waiting.state == ItemState::queued ? statements_.delete_item : statements_.delete_aside)
        .bind(1, waiting.row)
        .run();
    statements_.delete_share.bind(1, waiting.row).run();
    count(waiting, waiting.state, -1);
    effects_.waiting_bytes -= waiting.size + item_overhead;
}

void Engine::accepted(const Acceptance& item) {
    std::optional<Waiting> waiting = find_queued(item.row);
    if (!waiting) {
        waiting = find_aside(item.row);
    }
    if (waiting) {
        erase(*waiting);
    } else {
        // An operator rejected it meanwhile, or this acceptance is told a second time.
        statements_.was_delivered.bind(1, item.row);
        Rows rows(statements_.was_delivered);
        if (rows.next()) {
            return;
        }
    }
    record(RecordKind::item_delivered, item.lane, item.object_id.bytes, item.row);
    if (item.has_objects || (waiting && (waiting->flags & flag_has_objects) != 0)) {
        objects_.item_accepted(item.row);
    }

    if (!item.carried_schema) {
        return;
    }
    const auto* profile = catalogue_.profile_facts(item.profile);
    auto* lane = catalogue_.lane_facts(item.lane);
    if (profile == nullptr || lane == nullptr || (lane->provided | profile->schema_bit) == lane->provided) {
        return;
    }
    lane->provided |= profile->schema_bit;
    effects_.provided.emplace_back(item.lane, profile->schema_bit);
    statements_.provide.bind(1, std::int64_t{lane->provided}).bind(2, item.lane).run();
}

void Engine::refused(RowId row, const Refusal& refusal) {
    const std::optional<Waiting> waiting = find_queued(row);
    if (!waiting) {
        return;
    }
    statements_.put_aside.bind(1, row)
        .bind(2, number_of(ItemState::refused))
        .bind(3, now_.micros())
        .bind(4, static_cast<std::int64_t>(refusal.code))
        .bind(5, static_cast<std::int64_t>(refusal.kind))
        .bind(6, refusal.words)
        .run();
    statements_.delete_item.bind(1, row).run();
    count(*waiting, ItemState::queued, -1);
    count(*waiting, ItemState::refused, 1);
    record(RecordKind::item_refused, waiting->lane, waiting->object_id.bytes, row);
    note("", "", &refusal);
}

void Engine::back_to_queue(const Waiting& waiting, std::string_view who) {
    statements_.take_back.bind(1, waiting.row).run();
    statements_.delete_aside.bind(1, waiting.row).run();
    count(waiting, waiting.state, -1);
    count(waiting, ItemState::queued, 1);
    record(RecordKind::item_retried, waiting.lane, waiting.object_id.bytes, waiting.row);
    note(who, "");
    effects_.retried.push_back({waiting.row, waiting.lane, (waiting.flags & flag_emergency) != 0});
}

bool Engine::retry(const model::Uuid& object_id, std::string_view who) {
    const std::optional<RowId> row = find_aside(object_id);
    const std::optional<Waiting> waiting = row ? find_aside(*row) : std::nullopt;
    // Objects wait by themselves only once their item has gone.
    if (!waiting) {
        return objects_.retry(object_id, who);
    }
    if (waiting->state != ItemState::refused) {
        return false;
    }
    back_to_queue(*waiting, who);
    return true;
}

std::size_t Engine::retry_some(std::string_view destination, std::optional<std::uint64_t> code, std::string_view who,
                               std::optional<RowId>& cursor, std::size_t limit) {
    struct Match {
        RowId id = 0;
        bool object = false;
    };
    std::vector<Match> matching;
    const RowId after = cursor.value_or(0);
    RowId upto = std::numeric_limits<RowId>::max();
    const auto look = [&](Statement& statement, std::int64_t wanted_state, bool object) {
        RowId last = after;
        std::size_t seen = 0;
        statement.bind(1, after).bind(2, static_cast<std::int64_t>(limit));
        for (Rows rows(statement); rows.next(); ++seen) {
            last = rows->integer(0);
            const auto* facts = catalogue_.lane_facts(rows->integer(2));
            if (facts == nullptr || catalogue_.destinations()[facts->destination] != destination) {
                continue;
            }
            if (rows->integer(1) != wanted_state) {
                continue;
            }
            if (code && static_cast<std::uint64_t>(rows->integer(3)) != *code) {
                continue;
            }
            matching.push_back({last, object});
        }
        // What lies beyond the end of the shorter look waits for the next step.
        if (seen >= limit) {
            upto = std::min(upto, last);
        }
    };
    look(statements_.refused_after, number_of(ItemState::refused), false);
    look(statements_.objects_after, static_cast<std::int64_t>(ObjectState::refused), true);
    std::erase_if(matching, [upto](const Match& match) { return match.id > upto; });
    for (const Match& match : matching) {
        if (match.object) {
            objects_.retry(match.id, who);
        } else if (const auto waiting = find_aside(match.id)) {
            back_to_queue(*waiting, who);
        }
    }
    cursor = upto == std::numeric_limits<RowId>::max() ? std::nullopt : std::optional(upto);
    return matching.size();
}

bool Engine::reject(const model::Uuid& object_id, const std::vector<Located>& located, std::string_view who,
                    std::string_view why) {
    std::optional<Waiting> waiting;
    if (const auto row = find_aside(object_id)) {
        waiting = find_aside(*row);
    } else {
        const auto found = std::ranges::find(located, object_id, &Located::object_id);
        if (found != located.end()) {
            waiting = find_queued(found->row);
        }
    }
    if (!waiting || waiting->object_id != object_id) {
        return objects_.reject(object_id, who, why);
    }
    erase(*waiting);
    record(RecordKind::item_rejected, waiting->lane, object_id.bytes, waiting->row);
    note(who, why, waiting->refusal ? &*waiting->refusal : nullptr);
    if ((waiting->flags & flag_has_objects) != 0) {
        objects_.item_rejected(waiting->row, who, why);
    }
    if (waiting->state == ItemState::queued) {
        effects_.withdrawn.push_back({waiting->row, waiting->lane, (waiting->flags & flag_emergency) != 0});
    }
    return true;
}

bool Engine::insert(NewItem& item) {
    if (!repeats_.remember(item, now_)) {
        ++effects_.repeats;
        return false;
    }
    const auto* lane = catalogue_.lane_facts(item.lane);
    const auto* profile = catalogue_.profile_facts(item.profile);
    const RowId row = next_id_++;
    std::optional<model::ApplicationCorrelation> correlation;
    if (item.conversation_hash) {
        correlation = conversations_.next(item.lane, *item.conversation_hash);
    }
    const bool carries_schema = item.schema_content == SchemaContent::always ||
                                (item.schema_content == SchemaContent::first &&
                                 (profile->schema_bit == 0 || (lane->provided & profile->schema_bit) == 0));
    const bool has_objects = item.objects && !item.objects->empty();
    const std::int64_t flags = (item.emergency ? flag_emergency : 0) | (carries_schema ? flag_carries_schema : 0) |
                               (has_objects ? flag_has_objects : 0);
    const auto size = static_cast<std::int64_t>(item.share.size());
    const std::span<const std::uint8_t> object_id(item.object_id.bytes);

    auto& insert_item = statements_.insert_item;
    insert_item.bind(1, row)
        .bind(2, item.lane)
        .bind(3, item.profile)
        .bind(4, flags)
        .bind(5, size)
        .bind(6, item.received_at.micros())
        .bind(7, object_id);
    auto& insert_made = statements_.insert_made;
    insert_made.bind(1, row)
        .bind(2, now_.micros())
        .bind(3, static_cast<std::int64_t>(RecordKind::item_made))
        .bind(4, item.lane)
        .bind(5, object_id)
        .bind(8, item.received_at.micros());
    if (correlation) {
        const auto level_id = static_cast<std::int64_t>(correlation->level_id);
        const auto sequence = static_cast<std::int64_t>(correlation->sequence_number);
        insert_item.bind(8, level_id).bind(9, sequence);
        insert_made.bind(6, level_id).bind(7, sequence);
    } else {
        insert_item.bind_null(8).bind_null(9);
        insert_made.bind_null(6).bind_null(7);
    }
    insert_item.run();
    statements_.insert_share.bind(1, row).bind_blob(2, item.share).run();
    insert_made.run();
    if (has_objects) {
        objects_.insert(row, item);
    }
    oldest_record_at_ = std::min(oldest_record_at_, now_.micros());

    ++effects_.of(lane->destination).queued;
    effects_.waiting_bytes += size + item_overhead;
    effects_.queued.push_back({row, item.lane, item.emergency});
    if (item.objects) {
        return true;  // what becomes of these changes while the item waits: to be read when it goes
    }
    StoredItem& stored = effects_.stored.emplace_back();
    stored.row = row;
    stored.lane = item.lane;
    stored.profile = item.profile;
    stored.object_id = item.object_id;
    stored.emergency = item.emergency;
    stored.carries_schema = carries_schema;
    stored.correlation = correlation;
    // As it comes back from the disk: what is written of an item must not depend on its way.
    stored.received_at = model::Instant::from_micros(item.received_at.micros());
    stored.share = std::move(item.share);
    return true;
}

void Engine::filler() {
    // As many pages as one item touches, so that the time of a commit does not tell one from the other.
    std::array<std::uint8_t, 3000> bytes{};
    model::random_bytes(bytes.data(), 16);
    for (std::int64_t id = 1; id <= 4; ++id) {
        statements_.update_filler.bind(1, std::span<const std::uint8_t>(bytes)).bind(2, id).run();
    }
}

LaneId Engine::lane(std::string_view destination, std::string_view liid) {
    {
        statements_.find_lane.bind(1, destination).bind(2, liid);
        Rows rows(statements_.find_lane);
        if (rows.next()) {
            return rows->integer(0);
        }
    }
    statements_.insert_lane.bind(1, destination).bind(2, liid).run();
    const LaneId id = sqlite3_last_insert_rowid(connection_.handle());
    effects_.lanes.push_back({id, std::string(destination), std::string(liid)});
    return id;
}

std::int64_t Engine::schema_number(std::string_view identifier) {
    Statement find = connection_.prepare("SELECT id FROM schema_identifier WHERE identifier=?");
    {
        find.bind(1, identifier);
        Rows rows(find);
        if (rows.next()) {
            return rows->integer(0);
        }
    }
    connection_.prepare("INSERT INTO schema_identifier(identifier) VALUES(?)").bind(1, identifier).run();
    return sqlite3_last_insert_rowid(connection_.handle());
}

ProfileId Engine::profile(const model::Profile& profile) {
    if (const ProfileId known = catalogue_.find_profile_like(profile); known != 0) {
        return known;
    }
    const std::int64_t schema = schema_number(profile.schema_identifier);
    Statement insert = connection_.prepare(
        "INSERT INTO profile(sender_country, sender_identifier, receiver_country, receiver_identifier, etsi_version, "
        "national_owner, national_version, schema_identifier, schema_url, writer_version) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    insert.bind(1, profile.sender.country_code)
        .bind(2, profile.sender.unique_identifier)
        .bind(3, profile.receiver.country_code)
        .bind(4, profile.receiver.unique_identifier)
        .bind(5, profile.etsi_version)
        .bind(6, profile.national_profile_owner)
        .bind(7, profile.national_profile_version)
        .bind(8, profile.schema_identifier)
        .bind(9, profile.schema_url)
        .bind(10, std::int64_t{profile.writer_version})
        .run();
    const ProfileId id = sqlite3_last_insert_rowid(connection_.handle());
    effects_.profiles.push_back({id, bit_of(schema), profile});
    return id;
}

std::vector<StoredWarrant> Engine::warrants() {
    std::vector<StoredWarrant> warrants;
    Statement select = connection_.prepare("SELECT file, destination, liid, octets FROM warrant");
    for (Rows rows(select); rows.next();) {
        warrants.push_back({std::string(rows->bytes(0)), std::string(rows->bytes(1)), std::string(rows->bytes(2)),
                            std::string(rows->bytes(3))});
    }
    return warrants;
}

void Engine::change_warrants(const WarrantChanges& changes) {
    Statement put = connection_.prepare(
        "INSERT INTO warrant(destination, liid, file, octets) VALUES(?, ?, ?, ?) "
        "ON CONFLICT(destination, liid) DO UPDATE SET file=excluded.file, octets=excluded.octets");
    Statement erase_warrant = connection_.prepare("DELETE FROM warrant WHERE destination=? AND liid=?");
    const auto tell = [&](RecordKind kind, const StoredWarrant& warrant) {
        record(kind, lane(warrant.destination, warrant.liid), {}, 0);
        note(changes.who, warrant.file);
    };
    for (const auto& [list, kind] : {std::pair(&changes.in_force, RecordKind::warrant_in_force),
                                     std::pair(&changes.changed, RecordKind::warrant_changed)}) {
        for (const StoredWarrant& warrant : *list) {
            put.bind(1, warrant.destination)
                .bind(2, warrant.liid)
                .bind(3, warrant.file)
                .bind_blob(4, warrant.bytes)
                .run();
            tell(kind, warrant);
        }
    }
    for (const StoredWarrant& warrant : changes.ended) {
        erase_warrant.bind(1, warrant.destination).bind(2, warrant.liid).run();
        tell(RecordKind::warrant_ended, warrant);
    }
}

bool Engine::prune_due(std::chrono::seconds record_retention) const {
    const model::Instant now = clock_.wall();
    return repeats_.prune_due(now) ||
           (record_retention.count() > 0 && oldest_record_at_ < now.micros() - record_retention.count() * 1'000'000);
}

void Engine::prune(std::chrono::seconds record_retention, std::int64_t limit) {
    if (repeats_.prune_due(now_)) {
        repeats_.prune(now_, limit);
    }
    const std::int64_t cutoff = now_.micros() - record_retention.count() * 1'000'000;
    if (record_retention.count() <= 0 || oldest_record_at_ >= cutoff) {
        return;
    }

    std::int64_t edge = 0;
    bool needed_for_counters = false;
    oldest_record_at_ = std::numeric_limits<std::int64_t>::max();
    {
        statements_.first_records.bind(1, limit);
        for (Rows rows(statements_.first_records); rows.next();) {
            oldest_record_at_ = rows->integer(1);
            if (oldest_record_at_ >= cutoff) {
                break;
            }
            needed_for_counters = rows->integer(0) > conversations_.upto();
            if (needed_for_counters) {
                break;
            }
            edge = rows->integer(0);
        }
    }
    statements_.delete_records.bind(1, edge).run();
    statements_.delete_notes.bind(1, edge).run();
    // They go with the next step, once the counters are known without them.
    if (needed_for_counters) {
        flush();
    }
}

bool Engine::checkpoint(Checkpoint kind) {
    int mode = SQLITE_CHECKPOINT_PASSIVE;
    if (kind == Checkpoint::restart) {
        mode = SQLITE_CHECKPOINT_RESTART;
    }
    if (kind == Checkpoint::truncate) {
        mode = SQLITE_CHECKPOINT_TRUNCATE;
    }
    // Readers are short; the writer must not stand still for one that is not.
    sqlite3_busy_timeout(connection_.handle(), 20);
    int frames = 0;
    int copied = 0;
    const int code = sqlite3_wal_checkpoint_v2(connection_.handle(), nullptr, mode, &frames, &copied);
    sqlite3_busy_timeout(connection_.handle(), 5000);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        return false;
    }
    if (code != SQLITE_OK) {
        throw SqlFailure(connection_.handle(), code);
    }
    if (frames == copied) {
        wal_frames_ = 0;
    }
    return frames == copied;
}

}  // namespace lihandover::store
