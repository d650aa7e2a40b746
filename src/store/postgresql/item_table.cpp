#include "item_table.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "columns.hpp"
#include "common/contents.hpp"
#include "common/numbered.hpp"
#include "lihandover/base/invariant.hpp"
#include "lihandover/store/people.hpp"
#include "row_names.hpp"

namespace lihandover::store::postgresql {

namespace {

/// Of a row of `aside`.
ItemState aside_state_of(std::int64_t number) {
    const auto state = static_cast<ItemState>(number);
    if (state != ItemState::held && state != ItemState::refused && state != ItemState::set_aside) {
        throw PgFailure(Trouble::damaged);
    }
    return state;
}

std::optional<std::int64_t> level_id_of(const std::optional<model::ApplicationCorrelation>& correlation) {
    return correlation ? std::optional(static_cast<std::int64_t>(correlation->level_id)) : std::nullopt;
}

std::optional<std::int64_t> sequence_of(const std::optional<model::ApplicationCorrelation>& correlation) {
    return correlation ? std::optional(static_cast<std::int64_t>(correlation->sequence_number)) : std::nullopt;
}

constexpr RowId beyond_all = RowId{1} << 62;
/// What one transaction holds of a revoked warrant: rows that it looks at, items that it holds, about how much content
/// it seals anew for that, and items whose content it reads at once.
constexpr std::int64_t withholding_look = 2000;
constexpr std::size_t withholding_step = 256;
constexpr std::uint64_t withholding_bytes = std::uint64_t{1} << 20;
constexpr std::size_t withholding_read = 32;

constexpr std::string_view moved_columns =
    "id, lane, profile, flags, size, received, level_id, sequence, object_id, key, octets";
/// Those that stay when it is sealed anew.
constexpr std::string_view kept_columns = "id, lane, profile, flags, size, received, level_id, sequence, object_id";

}  // namespace

void ItemTable::open(Connection& connection) {
    withholding_before_.reset();
    withholding_.clear();
    read_withholding(connection);
}

void ItemTable::learn_withholding(Connection& connection) {
    remember_withholding();
    read_withholding(connection);
}

void ItemTable::read_withholding(Connection& connection) {
    const std::vector<Withholding> before = std::exchange(withholding_, {});
    const Rows rows = connection.read("SELECT lane, review, after, upto FROM withholding ORDER BY lane");
    for (int row = 0; row < rows.size(); ++row) {
        Withholding& one = withholding_.emplace_back();
        one.lane = rows.integer(row, 0);
        // What is not known to this program must not be taken for fewer people.
        one.review =
            rows.integer(row, 1) == static_cast<std::int64_t>(Review::required) ? Review::required : Review::dual;
        one.after = rows.integer(row, 2);
        one.upto = rows.optional_integer(row, 3);
        const auto same = std::ranges::find(before, one.lane, &Withholding::lane);
        one.up_to_date = same != before.end() && same->up_to_date && same->after == one.after && same->upto == one.upto;
    }
}

void ItemTable::leave_out_withheld(std::vector<Arrived>& arrived) const {
    std::erase_if(arrived, [this](const Arrived& one) {
        return (one.kind == Arrived::Kind::queued || one.kind == Arrived::Kind::retried) &&
               is_withheld(one.item.lane, one.item.row);
    });
}

void ItemTable::take_stock(
    Connection& connection,
    const std::function<void(LaneId lane, ItemState state, std::int64_t count, std::int64_t bytes)>& visit) {
    const Rows rows = connection.read(
        "SELECT lane, {item.queued}::bigint, count(*), sum(size)::bigint FROM item GROUP BY lane UNION ALL "
        "SELECT lane, state, count(*), sum(size)::bigint FROM aside GROUP BY lane, state");
    for (int row = 0; row < rows.size(); ++row) {
        const std::int64_t count = rows.integer(row, 2);
        visit(rows.integer(row, 0), static_cast<ItemState>(rows.integer(row, 1)), count,
              rows.integer(row, 3) + count * overhead);
    }
}

void ItemTable::lock_lanes(Transaction& transaction, const std::set<LaneId>& lanes) {
    wait_for_lanes_ = !lanes.empty();
    if (wait_for_lanes_) {
        // In the order of their numbers, so that two daemons never wait for each other.
        lanes_ =
            transaction.connection.ask("SELECT id, provided FROM lane WHERE id=ANY($1) ORDER BY id FOR NO KEY UPDATE",
                                       Parameters().add(std::vector<std::int64_t>(lanes.begin(), lanes.end())));
    }
}

void ItemTable::know_lanes(Transaction& transaction, const Rows& rows) {
    for (int row = 0; row < rows.size(); ++row) {
        if (auto* facts = transaction.catalogue.lane_facts(rows.integer(row, 0))) {
            facts->provided = static_cast<std::uint32_t>(rows.integer(row, 1));
        }
    }
}

void ItemTable::begin(Transaction& transaction, std::span<const NewItem* const> items,
                      std::span<const Acceptance* const> accepted) {
    clear();
    std::set<LaneId> lanes;
    std::size_t numbers = items.size() + accepted.size();
    for (const NewItem* item : items) {
        lanes.insert(item->lane);
        numbers += item->objects ? 2 * item->objects->size() : 0;
    }
    std::vector<std::int64_t> gone;
    for (const Acceptance* acceptance : accepted) {
        gone.push_back(acceptance->row);
        if (acceptance->carried_schema) {
            lanes.insert(acceptance->lane);
        }
    }
    lock_lanes(transaction, lanes);
    transaction.numbers.want(transaction.connection, numbers);
    repeats_.ask(transaction.connection, items, transaction.trusted);
    conversations_.ask(transaction.connection, items);
    objects_.ask(transaction.connection, items);
    if (!gone.empty()) {
        deleted_queued_ = transaction.connection.ask(
            "DELETE FROM item WHERE id=ANY($1) RETURNING id, lane, profile, flags, size, received, object_id",
            Parameters().add(gone));
        deleted_aside_ = transaction.connection.ask(
            "DELETE FROM aside WHERE id=ANY($1) RETURNING id, lane, profile, flags, size, received, object_id, state",
            Parameters().add(gone));
    }
}

ItemTable::Waiting ItemTable::gone_of(const Rows& rows, int row, ItemState state) {
    Waiting waiting;
    waiting.row = rows.integer(row, 0);
    waiting.state = state;
    waiting.lane = rows.integer(row, 1);
    waiting.profile = rows.integer(row, 2);
    waiting.flags = rows.integer(row, 3);
    waiting.size = rows.integer(row, 4);
    waiting.received = rows.integer(row, 5);
    waiting.object_id = uuid_of(rows.bytes(row, 6));
    return waiting;
}

void ItemTable::accept(Transaction& transaction, std::span<const Acceptance* const> accepted) {
    if (accepted.empty()) {
        return;
    }
    std::map<RowId, Waiting> gone;
    const Rows queued = transaction.connection.answer(deleted_queued_);
    for (int row = 0; row < queued.size(); ++row) {
        gone.emplace(queued.integer(row, 0), gone_of(queued, row, ItemState::queued));
    }
    const Rows aside = transaction.connection.answer(deleted_aside_);
    for (int row = 0; row < aside.size(); ++row) {
        gone.emplace(aside.integer(row, 0), gone_of(aside, row, aside_state_of(aside.integer(row, 7))));
    }
    if (std::exchange(wait_for_lanes_, false)) {
        know_lanes(transaction, transaction.connection.answer(lanes_));
    }
    std::vector<RowId> missing;
    for (const Acceptance* item : accepted) {
        if (!gone.contains(item->row)) {
            missing.push_back(item->row);
        }
    }
    std::set<RowId> delivered = audit_.delivered(transaction.connection, missing);
    for (const Acceptance* item : accepted) {
        // Told a second time.
        if (!delivered.insert(item->row).second) {
            continue;
        }
        const auto found = gone.find(item->row);
        if (found != gone.end()) {
            count_gone(transaction, found->second);
        }
        audit::Entry entry = transaction.entry(audit::Kind::item_delivered, item->lane);
        entry.object_id = item->object_id;
        Refusal said;
        if (item->already_there_code != 0) {
            said = {item->already_there_code, Refusal::Kind::hi1_error, ""};
            entry.why = already_there;
            entry.refusal = &said;
        }
        audit_.append(transaction, item->lane, item->row, entry);
        if (item->has_objects || (found != gone.end() && found->second.has_objects())) {
            objects_.item_accepted(transaction, item->row);
        }
        if (item->carried_schema) {
            provide_schema(transaction, *item);
        }
    }
}

void ItemTable::provide_schema(Transaction& transaction, const Acceptance& item) {
    const auto* profile = transaction.catalogue.profile_facts(item.profile);
    auto* lane = transaction.catalogue.lane_facts(item.lane);
    if (profile == nullptr || lane == nullptr || (lane->provided | profile->schema_bit) == lane->provided) {
        return;
    }
    lane->provided |= profile->schema_bit;
    transaction.connection.write("UPDATE lane SET provided=provided|$2 WHERE id=$1",
                                 Parameters().add(item.lane).add(std::int64_t{profile->schema_bit}));
}

bool ItemTable::insert(Transaction& transaction, const NewItem& item) {
    if (std::exchange(wait_for_lanes_, false)) {
        know_lanes(transaction, transaction.connection.answer(lanes_));
    }
    switch (repeats_.remember(transaction.connection, item, transaction.trusted)) {
        case Repeats::Found::unknown:
            break;
        case Repeats::Found::repeat:
            ++transaction.effects.repeats;
            return false;
        case Repeats::Found::other:
            ++transaction.effects.reused_ids;
            break;
    }
    const auto* lane = transaction.catalogue.lane_facts(item.lane);
    const auto* profile = transaction.catalogue.profile_facts(item.profile);
    LIHANDOVER_INVARIANT(lane != nullptr && profile != nullptr, "an item's lane and profile are known");
    const RowId row = transaction.take_id();
    if (item.review != Review::none) {
        insert_held(transaction, row, item);
        return true;
    }
    std::optional<model::ApplicationCorrelation> correlation;
    if (item.conversation_hash) {
        correlation = conversations_.next(transaction.connection, item.lane, *item.conversation_hash);
    }
    const bool carries_schema = takes_schema(item.schema_content, lane->provided, profile->schema_bit);
    const bool has_objects = item.objects && !item.objects->empty();
    Waiting waiting;
    waiting.row = row;
    waiting.lane = item.lane;
    waiting.profile = item.profile;
    waiting.flags = (item.emergency ? item_flag_emergency : 0) | (carries_schema ? item_flag_carries_schema : 0) |
                    (has_objects ? item_flag_has_objects : 0);
    waiting.size = static_cast<std::int64_t>(item.share.size());
    waiting.received = item.received_at.micros();
    waiting.object_id = item.object_id;
    add_queued(transaction, waiting, correlation, item.share);
    audit::Entry made = transaction.entry(audit::Kind::item_made, item.lane);
    made.object_id = item.object_id;
    made.received_at = item.received_at;
    made.correlation = correlation;
    audit_.append_made(item.lane, row, made);
    if (has_objects) {
        objects_.insert(transaction, row, item);
    }
    if (item.objects || is_withheld(item.lane, row) || !transaction.holdings.has(item.lane)) {
        return true;  // what becomes of these changes while the item waits: to be read when it goes
    }
    StoredItem& stored = transaction.effects.stored.emplace_back();
    stored.row = row;
    stored.lane = item.lane;
    stored.profile = item.profile;
    stored.object_id = item.object_id;
    stored.emergency = item.emergency;
    stored.carries_schema = carries_schema;
    stored.correlation = correlation;
    // As it comes back from the database: what is written of an item must not depend on its way.
    stored.received_at = model::Instant::from_micros(waiting.received);
    stored.share = item.share;  // the item may have to be inserted once more
    return true;
}

void ItemTable::add_queued(Transaction& transaction, const Waiting& waiting,
                           const std::optional<model::ApplicationCorrelation>& correlation, std::string_view share) {
    RowKey key = RowKey::draw(keyring_);
    Queued& q = queued_;
    q.id.push_back(waiting.row);
    q.lane.push_back(waiting.lane);
    q.profile.push_back(waiting.profile);
    q.flags.push_back(waiting.flags);
    q.size.push_back(waiting.size);
    q.received.push_back(waiting.received);
    q.level_id.push_back(level_id_of(correlation));
    q.sequence.push_back(sequence_of(correlation));
    q.object_id.emplace_back(text_of(waiting.object_id));
    q.octets.push_back(
        seal_content(key.key, waiting.row, share, bound_of_item(waiting.lane, text_of(waiting.object_id), false)));
    q.key.push_back(std::move(key.column));
    ++transaction.counts_of(waiting.lane).of(ItemState::queued);
    transaction.effects.waiting_bytes += waiting.size + overhead;
    tell_queued(transaction, transaction.effects.queued, {waiting.row, waiting.lane, waiting.emergency()});
}

void ItemTable::flush(Connection& connection) {
    const Queued& q = queued_;
    if (!q.id.empty()) {
        connection.write(
            "INSERT INTO item(id, lane, profile, flags, size, received, level_id, sequence, object_id, key, octets) "
            "SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], "
            "$7::bigint[], $8::bigint[], $9::bytea[], $10::bytea[], $11::bytea[])",
            Parameters()
                .add(q.id)
                .add(q.lane)
                .add(q.profile)
                .add(q.flags)
                .add(q.size)
                .add(q.received)
                .add(q.level_id)
                .add(q.sequence)
                .add(q.object_id)
                .add(q.key)
                .add(q.octets));
    }
    queued_ = {};
}

void ItemTable::clear() {
    wait_for_lanes_ = false;
    queued_ = {};
}

void ItemTable::insert_held(Transaction& transaction, RowId row, const NewItem& item) {
    const bool has_objects = item.objects && !item.objects->empty();
    const auto size = static_cast<std::int64_t>(item.share.size());
    const RowKey key = RowKey::draw(keyring_);
    transaction.connection.write(
        "INSERT INTO aside(id, state, changed, lane, profile, flags, size, received, object_id, key, octets) "
        "VALUES($1, "
        "{item.held}, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        Parameters()
            .add(row)
            .add(transaction.now.micros())
            .add(item.lane)
            .add(item.profile)
            .add(std::int64_t{(item.emergency ? item_flag_emergency : 0) | (has_objects ? item_flag_has_objects : 0)})
            .add(size)
            .add(item.received_at.micros())
            .add(text_of(item.object_id))
            .add(std::string_view(key.column))
            .add(std::string_view(
                seal_content(key.key, row, item.share, bound_of_item(item.lane, text_of(item.object_id), true)))));
    std::optional<std::string> conversation;
    if (item.conversation_hash) {
        conversation = text_of(std::span<const std::uint8_t>(*item.conversation_hash));
    }
    transaction.connection.write(
        "INSERT INTO held(id, review, schema_content, conversation, first_by, first_rejects) VALUES($1, $2, $3, $4, "
        "$5, "
        "0)",
        Parameters()
            .add(row)
            .add(static_cast<std::int64_t>(item.review))
            .add(static_cast<std::int64_t>(item.schema_content))
            .add_optional(conversation)
            .add(std::string_view(sealed(keyring_, "held.first_by", held_name(row, item.review), ""))));
    audit::Entry entry = transaction.entry(audit::Kind::item_held, item.lane);
    entry.object_id = item.object_id;
    entry.received_at = item.received_at;
    audit_.append_made(item.lane, row, entry);
    if (has_objects) {
        objects_.insert(transaction, row, item);
    }
    ++transaction.counts_of(item.lane).of(ItemState::held);
    transaction.effects.waiting_bytes += size + overhead;
}

std::optional<ItemTable::Waiting> ItemTable::find_queued(Connection& connection, std::string_view condition,
                                                         const Parameters& parameters) const {
    const Rows rows = connection.read("SELECT id, lane, profile, flags, size, received, object_id FROM item WHERE " +
                                          std::string(condition) + " LIMIT 1 FOR UPDATE",
                                      parameters);
    return rows.empty() ? std::nullopt : std::optional(gone_of(rows, 0, ItemState::queued));
}

std::optional<ItemTable::Waiting> ItemTable::find_aside(Connection& connection, std::string_view condition,
                                                        const Parameters& parameters) const {
    const Rows rows = connection.read(
        "SELECT id, lane, profile, flags, size, received, object_id, state, code, code_kind, words FROM aside WHERE " +
            std::string(condition) + " LIMIT 1 FOR UPDATE",
        parameters);
    if (rows.empty()) {
        return std::nullopt;
    }
    Waiting waiting = gone_of(rows, 0, aside_state_of(rows.integer(0, 7)));
    waiting.refusal = refusal_of(keyring_, "aside.words", row_name(waiting.row), rows, 0, 8);
    return waiting;
}

std::optional<ItemTable::Waiting> ItemTable::find_aside(Connection& connection, const model::Uuid& object_id) const {
    return find_aside(connection, "object_id=$1", Parameters().add(text_of(object_id)));
}

audit::Entry ItemTable::entry_about(const Transaction& transaction, audit::Kind kind, const Waiting& waiting) {
    audit::Entry entry = transaction.entry(kind, waiting.lane);
    entry.object_id = waiting.object_id;
    return entry;
}

void ItemTable::count_gone(Transaction& transaction, const Waiting& waiting) const {
    if (waiting.state == ItemState::held) {
        transaction.connection.write("DELETE FROM held WHERE id=$1", Parameters().add(waiting.row));
    }
    --transaction.counts_of(waiting.lane).of(waiting.state);
    transaction.effects.waiting_bytes -= waiting.size + overhead;
}

void ItemTable::erase(Transaction& transaction, const Waiting& waiting) {
    transaction.connection.write(
        waiting.state == ItemState::queued ? "DELETE FROM item WHERE id=$1" : "DELETE FROM aside WHERE id=$1",
        Parameters().add(waiting.row));
    count_gone(transaction, waiting);
}

void ItemTable::put_aside(Transaction& transaction, RowId row, ItemState to, const Refusal& refusal) {
    flush(transaction.connection);
    std::optional<Waiting> waiting = find_queued(transaction.connection, "id=$1", Parameters().add(row));
    if (!waiting) {
        waiting = find_aside(transaction.connection, "id=$1", Parameters().add(row));
    }
    // An operator decided about it meanwhile, it is told a second time, or its next owner decides.
    if (!waiting || !may_move(waiting->state, to) || !transaction.may_settle(waiting->lane)) {
        return;
    }
    const Parameters parameters =
        Parameters()
            .add(row)
            .add(number_of(to))
            .add(transaction.now.micros())
            .add(static_cast<std::int64_t>(refusal.code))
            .add(static_cast<std::int64_t>(refusal.kind))
            .add(std::string_view(sealed(keyring_, "aside.words", row_name(row), refusal.words)));
    if (waiting->state == ItemState::queued) {
        const std::string columns(moved_columns);
        transaction.connection.write("WITH moved AS (DELETE FROM item WHERE id=$1 RETURNING *) INSERT INTO aside(" +
                                         columns + ", state, changed, code, code_kind, words) SELECT " + columns +
                                         ", $2, $3, $4, $5, $6 FROM moved",
                                     parameters);
    } else {
        transaction.connection.write(
            "UPDATE aside SET state=$2, changed=$3, code=$4, code_kind=$5, words=$6 WHERE id=$1", parameters);
    }
    Counts& counts = transaction.counts_of(waiting->lane);
    --counts.of(waiting->state);
    ++counts.of(to);
    if (waiting->state == to) {
        return;  // set aside as before: each attempt is not a decision
    }
    audit::Entry entry = entry_about(
        transaction, to == ItemState::refused ? audit::Kind::item_refused : audit::Kind::item_set_aside, *waiting);
    entry.refusal = &refusal;
    audit_.append(transaction, waiting->lane, row, entry);
}

void ItemTable::back_to_queue(Transaction& transaction, const Waiting& waiting, std::string_view who) {
    LIHANDOVER_INVARIANT(may_move(waiting.state, ItemState::queued), "an item goes back to the queue from beside it");
    const std::string columns(moved_columns);
    transaction.connection.write("WITH moved AS (DELETE FROM aside WHERE id=$1 RETURNING *) INSERT INTO item(" +
                                     columns + ") SELECT " + columns + " FROM moved",
                                 Parameters().add(waiting.row));
    Counts& counts = transaction.counts_of(waiting.lane);
    --counts.of(waiting.state);
    ++counts.of(ItemState::queued);
    audit::Entry entry = entry_about(transaction, audit::Kind::item_retried, waiting);
    entry.who = who;
    audit_.append(transaction, waiting.lane, waiting.row, entry);
    tell_queued(transaction, transaction.effects.retried, {waiting.row, waiting.lane, waiting.emergency()});
}

std::optional<bool> ItemTable::retry(Transaction& transaction, const model::Uuid& object_id, std::string_view who) {
    const std::optional<Waiting> waiting = find_aside(transaction.connection, object_id);
    if (!waiting) {
        return std::nullopt;
    }
    if (waiting->state == ItemState::held) {
        return false;
    }
    back_to_queue(transaction, *waiting, who);
    return true;
}

void ItemTable::retry(Transaction& transaction, RowId row, std::string_view who) {
    const std::optional<Waiting> waiting = find_aside(transaction.connection, "id=$1", Parameters().add(row));
    if (waiting && waiting->state != ItemState::held) {
        back_to_queue(transaction, *waiting, who);
    }
}

ItemTable::Held ItemTable::find_held(Connection& connection, RowId row) const {
    const Rows rows = connection.read(
        "SELECT review, schema_content, conversation, first_by, first_rejects, queued FROM held WHERE id=$1",
        Parameters().add(row));
    // What was altered, or is not known to this program, must not be taken for fewer people.
    Held held;
    held.review = Review::dual;
    if (rows.empty()) {
        keyring_.note_unreadable("held");
        return held;
    }
    const auto said = static_cast<Review>(rows.integer(0, 0));
    const auto first_by = opened(keyring_, "held.first_by", held_name(row, said), rows, 0, 3);
    if (said == Review::required && first_by) {
        held.review = Review::required;
    }
    held.schema_content = static_cast<SchemaContent>(rows.integer(0, 1));
    if (!rows.is_null(0, 2)) {
        held.conversation = short_hash_of(rows.bytes(0, 2));
    }
    held.first_by = first_by.value_or("");
    held.first_rejects = rows.integer(0, 4) != 0;
    held.queued = rows.integer(0, 5) != 0;
    return held;
}

std::optional<std::string> ItemTable::share_of(Connection& connection, const Waiting& waiting) const {
    const Rows rows = connection.read("SELECT key, octets FROM aside WHERE id=$1", Parameters().add(waiting.row));
    return rows.empty() ? std::nullopt : share_of(waiting, rows, 0, 0);
}

std::optional<std::string> ItemTable::share_of(const Waiting& waiting, const Rows& rows, int row, int column) const {
    const auto key = key_of(keyring_, rows.bytes(row, column));
    auto share =
        key ? unseal_content(*key, waiting.row, rows.bytes(row, column + 1),
                             bound_of_item(waiting.lane, text_of(waiting.object_id), waiting.state == ItemState::held))
            : std::nullopt;
    if (!share) {
        keyring_.note_unreadable(waiting.state == ItemState::queued ? "item.octets" : "aside.octets");
    }
    return share;
}

void ItemTable::queue_held(Transaction& transaction, const Waiting& waiting, const Held& held, std::string_view share) {
    erase(transaction, waiting);
    transaction.effects.rewritten_bytes += share.size();
    // What goes first was queued first: its place is behind all that is queued, and its numbers follow theirs.
    lock_lanes(transaction, {waiting.lane});
    transaction.numbers.drop();
    transaction.numbers.want(transaction.connection, 4);
    know_lanes(transaction, transaction.connection.answer(lanes_));
    wait_for_lanes_ = false;
    const auto* lane = transaction.catalogue.lane_facts(waiting.lane);
    const auto* facts = transaction.catalogue.profile_facts(waiting.profile);
    LIHANDOVER_INVARIANT(lane != nullptr && facts != nullptr, "a held item's lane and profile are known");
    Waiting made = waiting;
    made.row = transaction.take_id();
    made.state = ItemState::queued;
    made.flags |= takes_schema(held.schema_content, lane->provided, facts->schema_bit) ? item_flag_carries_schema : 0;
    std::optional<model::ApplicationCorrelation> correlation;
    if (held.conversation) {
        correlation = conversations_.next(transaction.connection, waiting.lane, *held.conversation);
    }
    add_queued(transaction, made, correlation, share);
    audit::Entry entry = entry_about(transaction, audit::Kind::item_made, waiting);
    entry.received_at = model::Instant::from_micros(waiting.received);
    entry.correlation = correlation;
    audit_.append_made(waiting.lane, made.row, entry);
    if (waiting.has_objects()) {
        ObjectTable::item_queued(transaction, waiting.row, made.row);
    }
}

Verdict ItemTable::hear(Transaction& transaction, const Waiting& waiting, const Held& held, const Reviewer& reviewer,
                        bool rejects, std::string_view why) {
    if (held.review == Review::required) {
        return Verdict::done;
    }
    const bool agrees = !held.first_by.empty() && held.first_rejects == rejects;
    if (agrees) {
        return are_two_people(held.first_by, reviewer.identity) ? Verdict::done : Verdict::repeated;
    }
    const std::string name = held_name(waiting.row, held.review);
    transaction.connection.write(
        "UPDATE held SET review=$6, first_by=$2, first_who=$3, first_rejects=$4, first_why=$5 WHERE id=$1",
        Parameters()
            .add(waiting.row)
            .add(std::string_view(sealed(keyring_, "held.first_by", name, reviewer.identity)))
            .add(std::string_view(sealed(keyring_, "held.first_who", name, reviewer.who)))
            .add(std::int64_t{rejects ? 1 : 0})
            .add(std::string_view(sealed(keyring_, "held.first_why", name, why)))
            .add(static_cast<std::int64_t>(held.review)));
    return Verdict::first;
}

Verdict ItemTable::approve(Transaction& transaction, const model::Uuid& object_id, const Reviewer& reviewer) {
    const std::optional<Waiting> waiting =
        reviewer.identity.empty() ? std::nullopt : find_aside(transaction.connection, object_id);
    if (!waiting || waiting->state != ItemState::held) {
        return Verdict::none;
    }
    const Held held = find_held(transaction.connection, waiting->row);
    const Verdict verdict = hear(transaction, *waiting, held, reviewer, false, "");
    if (verdict == Verdict::repeated) {
        return verdict;
    }
    // Queueing it seals it anew.
    const auto share = verdict == Verdict::done ? share_of(transaction.connection, *waiting) : std::nullopt;
    if (verdict == Verdict::done && !share) {
        return Verdict::unreadable;
    }
    audit::Entry entry = entry_about(transaction, audit::Kind::item_approved, *waiting);
    entry.who = reviewer.who;
    entry.why = approval_text(held.review, verdict == Verdict::first);
    audit_.append(transaction, waiting->lane, waiting->row, entry);
    if (share && held.queued) {
        put_back_withheld(transaction, *waiting, *share);
    } else if (share) {
        queue_held(transaction, *waiting, held, *share);
    }
    return verdict;
}

Verdict ItemTable::reject(Transaction& transaction, const Meant& meant, const Reviewer& reviewer, std::string_view why,
                          LaneId& lane) {
    flush(transaction.connection);
    std::optional<Waiting> waiting = find_aside(transaction.connection, meant.id);
    if (!waiting && meant.row != 0) {
        waiting = find_queued(transaction.connection, "id=$1", Parameters().add(meant.row));
    }
    if (!waiting || waiting->object_id != meant.id || !meant.as.has(waiting->state)) {
        return Verdict::none;
    }
    if (waiting->state == ItemState::held) {
        const Held held = find_held(transaction.connection, waiting->row);
        const Verdict verdict =
            reviewer.identity.empty() ? Verdict::none : hear(transaction, *waiting, held, reviewer, true, why);
        if (verdict == Verdict::first) {
            audit::Entry entry = entry_about(transaction, audit::Kind::item_disapproved, *waiting);
            entry.who = reviewer.who;
            entry.why = why;
            audit_.append(transaction, waiting->lane, waiting->row, entry);
        }
        if (verdict != Verdict::done) {
            return verdict;
        }
    } else if (waiting->state != ItemState::refused) {
        if (!transaction.holdings.has(waiting->lane)) {
            learn_withholding(transaction.connection);
        }
        if (is_withheld(waiting->lane, waiting->row)) {
            return Verdict::none;  // people decide about it, once it is held
        }
    }
    end_rejected(transaction, *waiting, reviewer.who, why);
    lane = waiting->lane;
    return Verdict::done;
}

void ItemTable::end_rejected(Transaction& transaction, const Waiting& waiting, std::string_view who,
                             std::string_view why) {
    erase(transaction, waiting);
    audit::Entry entry = entry_about(transaction, audit::Kind::item_rejected, waiting);
    entry.who = who;
    entry.why = why;
    entry.refusal = waiting.refusal ? &*waiting.refusal : nullptr;
    audit_.append(transaction, waiting.lane, waiting.row, entry);
    if (waiting.has_objects()) {
        objects_.item_rejected(transaction, waiting.row, who, why);
    }
    // Delivery may have these in memory.
    if (waiting.state == ItemState::queued || waiting.state == ItemState::set_aside) {
        transaction.effects.withdrawn.push_back({waiting.row, waiting.lane, waiting.emergency()});
    }
}

bool ItemTable::shown(Transaction& transaction, RowId row, const model::Uuid& object_id, std::string_view who,
                      std::string_view what) {
    std::optional<Waiting> waiting = find_queued(transaction.connection, "id=$1", Parameters().add(row));
    if (!waiting) {
        waiting = find_aside(transaction.connection, "id=$1", Parameters().add(row));
    }
    if (!waiting || waiting->object_id != object_id) {
        return false;
    }
    audit::Entry entry = entry_about(transaction, audit::Kind::content_shown, *waiting);
    entry.who = who;
    entry.why = what;
    audit_.append(transaction, waiting->lane, row, entry);
    return true;
}

std::vector<ItemTable::Aside> ItemTable::aside_after(Connection& connection, RowId after, std::size_t limit) {
    std::vector<Aside> found;
    const Rows rows = connection.read(
        "SELECT id, state, lane, code FROM aside WHERE id > $1 AND state IN ({item.refused}, {item.set_aside}) ORDER "
        "BY "
        "id LIMIT $2",
        Parameters().add(after).add(static_cast<std::int64_t>(limit)));
    found.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) {
        found.push_back(
            {rows.integer(row, 0), aside_state_of(rows.integer(row, 1)), rows.integer(row, 2), rows.integer(row, 3)});
    }
    return found;
}

void ItemTable::filler(Transaction& transaction, const Idle& idle) {
    constexpr std::size_t row_size = 3000;
    constexpr std::uint64_t beyond_share = 500;
    constexpr std::uint64_t most_rows = (std::uint64_t{4} << 20) / row_size;
    const std::uint64_t rows =
        std::min(most_rows, (idle.bytes + idle.events * beyond_share) / row_size + (idle.nothing_made ? 1 : 0));
    if (rows > 0) {
        std::string octets(row_size, '\0');
        model::random_bytes(reinterpret_cast<unsigned char*>(octets.data()), octets.size());
        transaction.connection.write(
            "INSERT INTO filler(node, id, octets) SELECT $1, n, $3 FROM generate_series(1::bigint, $2) AS n ON "
            "CONFLICT "
            "(node, id) DO UPDATE SET octets=excluded.octets",
            Parameters().add(transaction.node).add(static_cast<std::int64_t>(rows)).add(std::string_view(octets)));
    }
    if (idle.not_held > 0) {
        // As held items are, and gone again before the commit. No such row has a number below 0.
        const auto count = static_cast<std::int64_t>(idle.not_held);
        const std::int64_t first = -(transaction.node << 32U) - count;
        transaction.connection.write(
            "INSERT INTO aside(id, state, changed, lane, profile, flags, size, received, object_id, key, octets) "
            "SELECT "
            "$1 + n, {item.held}, $3, 0, 0, 0, 0, $3, $4, $4, $4 FROM generate_series(0::bigint, $2 - 1) AS n",
            Parameters().add(first).add(count).add(transaction.now.micros()).add(text_of(model::Uuid::random())));
        transaction.connection.write(
            "INSERT INTO held(id, review, schema_content, first_by, first_rejects) SELECT $1 + n, 1, 0, '', 0 FROM "
            "generate_series(0::bigint, $2 - 1) AS n",
            Parameters().add(first).add(count));
        transaction.connection.write("DELETE FROM aside WHERE id >= $1 AND id < $1 + $2",
                                     Parameters().add(first).add(count));
        transaction.connection.write("DELETE FROM held WHERE id >= $1 AND id < $1 + $2",
                                     Parameters().add(first).add(count));
    }
}

// -- What is held since its warrant was revoked

void ItemTable::tell_queued(const Transaction& transaction, std::vector<QueuedItem>& whom,
                            const QueuedItem& item) const {
    // What is held of another daemon's lane that one knows.
    if (!transaction.holdings.has(item.lane) || !is_withheld(item.lane, item.row)) {
        whom.push_back(item);
    }
}

void ItemTable::rolled_back() {
    if (withholding_before_) {
        withholding_ = std::move(*withholding_before_);
        withholding_before_.reset();
    }
}

void ItemTable::remember_withholding() {
    if (!withholding_before_) {
        withholding_before_ = withholding_;
    }
}

void ItemTable::keep(Connection& connection, const Withholding& one) {
    connection.write(
        "INSERT INTO withholding(lane, review, after, upto) VALUES($1, $2, $3, $4) ON CONFLICT (lane) DO UPDATE SET "
        "review=excluded.review, after=excluded.after, upto=excluded.upto",
        Parameters().add(one.lane).add(static_cast<std::int64_t>(one.review)).add(one.after).add(one.upto));
}

void ItemTable::withhold(Transaction& transaction, LaneId lane, Review review) {
    remember_withholding();
    if (transaction.shared) {
        // What was queued before is told to the lane's owner before, and what comes later after.
        lock_lanes(transaction, {lane});
        know_lanes(transaction, transaction.connection.answer(lanes_));
        wait_for_lanes_ = false;
        read_withholding(transaction.connection);
    }
    // What an earlier one has not come to is behind this one's beginning, too.
    std::erase_if(withholding_, [lane](const Withholding& one) { return one.lane == lane; });
    Withholding& one = withholding_.emplace_back();
    one.lane = lane;
    one.review = review;
    keep(transaction.connection, one);
    transaction.effects.lanes_withdrawn.push_back(lane);
    transaction.effects.withholding_changed.push_back(lane);
}

void ItemTable::nothing_more_of(Transaction& transaction, LaneId lane) {
    if (transaction.shared) {
        learn_withholding(transaction.connection);
    }
    for (Withholding& one : withholding_) {
        if (one.lane == lane && !one.upto) {
            remember_withholding();
            // Whatever was queued in the lane has a smaller number, and whatever will be, a larger one.
            lock_lanes(transaction, {lane});
            transaction.numbers.drop();
            one.upto = transaction.take_id();
            know_lanes(transaction, transaction.connection.answer(lanes_));
            wait_for_lanes_ = false;
            keep(transaction.connection, one);
            transaction.effects.withholding_changed.push_back(lane);
        }
    }
}

void ItemTable::nothing_more_at_start(Connection& connection) {
    connection.write("UPDATE withholding SET upto=nextval('number') WHERE upto IS NULL");
}

bool ItemTable::withholding_due(const Holdings& holdings) const {
    return std::ranges::any_of(withholding_,
                               [&](const Withholding& one) { return one.due() && holdings.has(one.lane); });
}

ItemTable::Look ItemTable::look_for(Connection& connection, const Withholding& from) {
    Look look;
    look.end = from.upto.value_or(beyond_all);
    look.whole = true;
    const Parameters parameters = Parameters().add(from.after).add(look.end).add(withholding_look);
    Asked queued =
        connection.ask("SELECT id, lane FROM item WHERE id > $1 AND id <= $2 ORDER BY id LIMIT $3", parameters);
    Asked aside = connection.ask(
        "SELECT id, lane FROM aside WHERE id > $1 AND id <= $2 AND state={item.set_aside} ORDER BY id LIMIT $3",
        parameters);
    for (Asked* asked : {&queued, &aside}) {
        const Rows rows = connection.answer(*asked);
        for (int row = 0; row < rows.size(); ++row) {
            if (rows.integer(row, 1) == from.lane) {
                look.rows.push_back(rows.integer(row, 0));
            }
        }
        if (rows.size() == withholding_look) {
            look.whole = false;
            look.end = std::min(look.end, rows.integer(rows.size() - 1, 0));
        }
    }
    std::erase_if(look.rows, [&](RowId row) { return row > look.end; });
    std::ranges::sort(look.rows);
    return look;
}

void ItemTable::withhold_some(Transaction& transaction) {
    remember_withholding();
    if (transaction.shared) {
        read_withholding(transaction.connection);
    }
    // The lane's owner does it, so that no two do.
    const auto due = std::ranges::find_if(
        withholding_, [&](const Withholding& one) { return one.due() && transaction.holdings.has(one.lane); });
    if (due == withholding_.end()) {
        return;
    }
    const Look look = look_for(transaction.connection, *due);
    std::span<const RowId> rest(look.rows);
    std::size_t held = 0;
    while (!rest.empty() && held < withholding_step && transaction.effects.rewritten_bytes < withholding_bytes) {
        const auto some = rest.first(std::min(rest.size(), withholding_read));
        withhold(transaction, some, due->review);
        due->after = some.back();
        held += some.size();
        rest = rest.subspan(some.size());
    }
    if (!rest.empty()) {
        keep(transaction.connection, *due);
        return;
    }
    if (!look.whole) {
        due->after = look.end;
    } else if (due->upto) {
        transaction.connection.write("DELETE FROM withholding WHERE lane=$1", Parameters().add(due->lane));
        withholding_.erase(due);
        return;
    } else {
        due->up_to_date = true;  // what comes until nothing_more_of() is found then
    }
    keep(transaction.connection, *due);
}

void ItemTable::withhold(Transaction& transaction, std::span<const RowId> rows, Review review) {
    Connection& connection = transaction.connection;
    Asked queued = connection.ask(
        "SELECT id, lane, profile, flags, size, received, object_id, key, octets FROM item WHERE id=ANY($1) ORDER BY "
        "id FOR UPDATE",
        Parameters().add(rows));
    Asked aside = connection.ask(
        "SELECT id, lane, profile, flags, size, received, object_id, key, octets FROM aside WHERE id=ANY($1) AND "
        "state={item.set_aside} ORDER BY id FOR UPDATE",
        Parameters().add(rows));
    // Each makes an entry.
    transaction.numbers.want(connection, rows.size());
    std::map<RowId, std::pair<Waiting, std::string>> found;
    for (const auto& [asked, state] :
         {std::pair(&queued, ItemState::queued), std::pair(&aside, ItemState::set_aside)}) {
        const Rows items = connection.answer(*asked);
        for (int row = 0; row < items.size(); ++row) {
            const Waiting waiting = gone_of(items, row, state);
            auto share = share_of(waiting, items, row, 7);
            found.emplace(waiting.row, std::pair(waiting, std::move(share).value_or("")));
        }
    }
    for (const auto& [row, item] : found) {
        withhold(transaction, item.first, review, item.second);
    }
}

void ItemTable::withhold(Transaction& transaction, const Waiting& waiting, Review review, std::string_view share) {
    Connection& connection = transaction.connection;
    Parameters parameters;
    parameters.add(waiting.row).add(transaction.now.micros());
    // What is damaged stays as it is sealed, so that it cannot be approved either.
    std::string anew = "key, octets";
    if (!share.empty()) {
        const RowKey key = RowKey::draw(keyring_);
        const std::string bound = bound_of_item(waiting.lane, text_of(waiting.object_id), true);
        parameters.add(std::string_view(key.column))
            .add(std::string_view(seal_content(key.key, waiting.row, share, bound)));
        anew = "$3, $4";
        transaction.effects.rewritten_bytes += share.size();
    }
    if (waiting.state == ItemState::queued) {
        const std::string columns(kept_columns);
        connection.write("WITH moved AS (DELETE FROM item WHERE id=$1 RETURNING *) INSERT INTO aside(" + columns +
                             ", key, octets, state, changed) SELECT " + columns + ", " + anew +
                             ", {item.held}, $2 FROM moved",
                         parameters);
    } else {
        connection.write("UPDATE aside SET state={item.held}, changed=$2, (key, octets)=ROW(" + anew + ") WHERE id=$1",
                         parameters);
    }
    connection.write(
        "INSERT INTO held(id, review, schema_content, first_by, first_rejects, queued) VALUES($1, $2, 0, $3, 0, 1)",
        Parameters()
            .add(waiting.row)
            .add(static_cast<std::int64_t>(review))
            .add(std::string_view(sealed(keyring_, "held.first_by", held_name(waiting.row, review), ""))));
    Counts& counts = transaction.counts_of(waiting.lane);
    --counts.of(waiting.state);
    ++counts.of(ItemState::held);
    audit::Entry entry = entry_about(transaction, audit::Kind::item_withheld, waiting);
    entry.why = "its warrant was revoked";
    audit_.append(transaction, waiting.lane, waiting.row, entry);
}

void ItemTable::put_back_withheld(Transaction& transaction, const Waiting& waiting, std::string_view share) {
    const RowKey key = RowKey::draw(keyring_);
    const std::string bound = bound_of_item(waiting.lane, text_of(waiting.object_id), false);
    const std::string columns(kept_columns);
    transaction.connection.write("WITH moved AS (DELETE FROM aside WHERE id=$1 RETURNING *) INSERT INTO item(" +
                                     columns + ", key, octets) SELECT " + columns + ", $2, $3 FROM moved",
                                 Parameters()
                                     .add(waiting.row)
                                     .add(std::string_view(key.column))
                                     .add(std::string_view(seal_content(key.key, waiting.row, share, bound))));
    transaction.connection.write("DELETE FROM held WHERE id=$1", Parameters().add(waiting.row));
    Counts& counts = transaction.counts_of(waiting.lane);
    --counts.of(ItemState::held);
    ++counts.of(ItemState::queued);
    transaction.effects.rewritten_bytes += share.size();
    tell_queued(transaction, transaction.effects.retried, {waiting.row, waiting.lane, waiting.emergency()});
}

}  // namespace lihandover::store::postgresql
