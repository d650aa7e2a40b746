#include "item_table.hpp"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <span>
#include <string>
#include <utility>

#include "columns.hpp"
#include "common/numbered.hpp"
#include "lihandover/base/invariant.hpp"
#include "lihandover/store/people.hpp"

namespace lihandover::store::sqlite {

namespace {

/// Of a row of `aside`.
ItemState aside_state_of(std::int64_t number) {
    const auto state = static_cast<ItemState>(number);
    if (state != ItemState::held && state != ItemState::refused && state != ItemState::set_aside) {
        throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
    }
    return state;
}

/// At `place` and the next one.
void bind_correlation(Statement& statement, int place,
                      const std::optional<model::ApplicationCorrelation>& correlation) {
    if (!correlation) {
        statement.bind_null(place).bind_null(place + 1);
        return;
    }
    statement.bind(place, static_cast<std::int64_t>(correlation->level_id))
        .bind(place + 1, static_cast<std::int64_t>(correlation->sequence_number));
}

constexpr RowId beyond_all = RowId{1} << 62;
/// What one transaction holds of a revoked warrant: rows that it looks at, items that it holds, and about how much
/// content it seals anew for that.
constexpr std::int64_t withholding_look = 2000;
constexpr std::size_t withholding_step = 256;
constexpr std::uint64_t withholding_bytes = std::uint64_t{1} << 20;

}  // namespace

void ItemTable::open(Connection& c) {
    auto& s = statements_;
    s.insert = c.prepare(
        "INSERT INTO item(id, lane, profile, flags, size, received, object_id, level_id, sequence, key_slot) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    s.insert_share = c.prepare("INSERT INTO share(id, octets) VALUES(?, ?)");
    s.find = c.prepare("SELECT lane, flags, size, object_id, key_slot FROM item WHERE id=?");
    s.remove = c.prepare("DELETE FROM item WHERE id=?");
    s.remove_share = c.prepare("DELETE FROM share WHERE id=?");
    s.find_aside = c.prepare(
        "SELECT state, lane, flags, size, object_id, code, code_kind, opened('aside.words', id, words), key_slot FROM "
        "aside WHERE id=?");
    s.remove_aside = c.prepare("DELETE FROM aside WHERE id=?");
    s.put_aside = c.prepare(
        "INSERT INTO aside(id, state, changed, lane, profile, flags, size, received, object_id, level_id, sequence, "
        "code, code_kind, words, key_slot) SELECT id, ?2, ?3, lane, profile, flags, size, received, object_id, "
        "level_id, sequence, ?4, ?5, sealed('aside.words', id, ?6), key_slot FROM item WHERE id=?1");
    s.put_again = c.prepare(
        "UPDATE aside SET state=?2, changed=?3, code=?4, code_kind=?5, words=sealed('aside.words', id, ?6) WHERE "
        "id=?1");
    s.take_back = c.prepare(
        "INSERT INTO item(id, lane, profile, flags, size, received, object_id, level_id, sequence, key_slot) "
        "SELECT id, lane, profile, flags, size, received, object_id, level_id, sequence, key_slot FROM aside "
        "WHERE id=?");
    s.aside_by_object = c.prepare("SELECT id FROM aside WHERE object_id=?");
    s.aside_after = c.prepare(
        "SELECT id, state, lane, code FROM aside WHERE id > ? AND +state IN ({item.refused}, {item.set_aside}) "
        "ORDER BY id LIMIT ?");
    s.provide = c.prepare("UPDATE lane SET provided=? WHERE id=?");
    s.find_share = c.prepare("SELECT octets FROM share WHERE id=?");
    s.insert_aside = c.prepare(
        "INSERT INTO aside(id, state, changed, lane, profile, flags, size, received, object_id, key_slot) "
        "VALUES(?, {item.held}, ?, ?, ?, ?, ?, ?, ?, ?)");
    s.insert_held = c.prepare(
        "INSERT INTO held(id, review, schema_content, conversation, first_by, first_who, first_why) VALUES(?1, ?2, ?3, "
        "?4, sealed('held.first_by', named(?1, ?2), ''), sealed('held.first_who', named(?1, ?2), ''), "
        "sealed('held.first_why', named(?1, ?2), ''))");
    s.find_held = c.prepare(
        "SELECT review, schema_content, conversation, opened('held.first_by', named(id, review), first_by), "
        "first_rejects, queued FROM held WHERE id=?");
    s.set_first = c.prepare(
        "UPDATE held SET review=?6, first_by=sealed('held.first_by', named(id, ?6), ?2), "
        "first_who=sealed('held.first_who', named(id, ?6), ?3), first_rejects=?4, "
        "first_why=sealed('held.first_why', named(id, ?6), ?5) WHERE id=?1");
    s.remove_held = c.prepare("DELETE FROM held WHERE id=?");
    s.rest_of_held = c.prepare("SELECT profile, received FROM aside WHERE id=?");
    s.remove_aside_from = c.prepare("DELETE FROM aside WHERE id >= ?");
    s.remove_held_from = c.prepare("DELETE FROM held WHERE id >= ?");
    s.replace_share = c.prepare("UPDATE share SET octets=?2 WHERE id=?1");
    s.withhold_queued = c.prepare(
        "INSERT INTO aside(id, state, changed, lane, profile, flags, size, received, object_id, level_id, sequence, "
        "key_slot) SELECT id, {item.held}, ?2, lane, profile, flags, size, received, object_id, level_id, sequence, ?3 "
        "FROM item WHERE id=?1");
    s.withhold_set_aside = c.prepare("UPDATE aside SET state={item.held}, changed=?2, key_slot=?3 WHERE id=?1");
    s.insert_withheld = c.prepare(
        "INSERT INTO held(id, review, schema_content, queued, first_by, first_who, first_why) VALUES(?1, ?2, 0, 1, "
        "sealed('held.first_by', named(?1, ?2), ''), sealed('held.first_who', named(?1, ?2), ''), "
        "sealed('held.first_why', named(?1, ?2), ''))");
    s.take_withheld_back = c.prepare(
        "INSERT INTO item(id, lane, profile, flags, size, received, object_id, level_id, sequence, key_slot) "
        "SELECT id, lane, profile, flags, size, received, object_id, level_id, sequence, ?2 FROM aside WHERE id=?1");
    s.put_withholding = c.prepare("INSERT OR REPLACE INTO withholding(lane, review, after, upto) VALUES(?, ?, ?, ?)");
    s.remove_withholding = c.prepare("DELETE FROM withholding WHERE lane=?");
    s.queued_after = c.prepare("SELECT id, lane FROM item WHERE id > ? AND id <= ? ORDER BY id LIMIT ?");
    s.set_aside_after = c.prepare(
        "SELECT id, lane FROM aside WHERE id > ? AND id <= ? AND +state={item.set_aside} ORDER BY id LIMIT ?");
    s.update_filler =
        c.prepare("INSERT INTO filler(id, octets) VALUES(?2, ?1) ON CONFLICT(id) DO UPDATE SET octets=excluded.octets");
    withholding_ = read_withholding(c);
    withholding_before_.reset();
}

void ItemTable::close() {
    statements_ = {};
    if (!known_withheld_) {
        known_withheld_.emplace();
        std::ranges::transform(withholding_, std::back_inserter(*known_withheld_), &Withholding::lane);
    }
}

void ItemTable::take_stock(Connection& connection,
                           const std::function<void(LaneId lane, ItemState state, std::int64_t bytes)>& visit) {
    const auto look = [&](Statement select) {
        for (Rows rows(select); rows.next();) {
            if (const auto place = key_place_of(*rows.operator->(), 3)) {
                keys_->in_use(place->slot);
            }
            visit(rows->integer(0), static_cast<ItemState>(rows->integer(2)), rows->integer(1) + overhead);
        }
    };
    look(connection.prepare("SELECT lane, size, {item.queued}, key_slot FROM item"));
    look(connection.prepare("SELECT lane, size, state, key_slot FROM aside"));
}

std::optional<ItemTable::Waiting> ItemTable::find(RowId row) {
    {
        statements_.find.bind(1, row);
        Rows rows(statements_.find);
        if (rows.next()) {
            Waiting waiting;
            waiting.row = row;
            waiting.lane = rows->integer(0);
            waiting.flags = rows->integer(1);
            waiting.size = rows->integer(2);
            waiting.object_id = uuid_of(rows->bytes(3));
            waiting.key = key_place_of(*rows.operator->(), 4);
            return waiting;
        }
    }
    return find_aside(row);
}

std::optional<ItemTable::Waiting> ItemTable::find_aside(RowId row) {
    statements_.find_aside.bind(1, row);
    Rows rows(statements_.find_aside);
    if (!rows.next()) {
        return std::nullopt;
    }
    Waiting waiting;
    waiting.row = row;
    waiting.state = aside_state_of(rows->integer(0));
    waiting.lane = rows->integer(1);
    waiting.flags = rows->integer(2);
    waiting.size = rows->integer(3);
    waiting.object_id = uuid_of(rows->bytes(4));
    waiting.key = key_place_of(*rows.operator->(), 8);
    waiting.refusal = refusal_of(*rows.operator->(), 5);
    return waiting;
}

std::optional<RowId> ItemTable::find_aside(const model::Uuid& object_id) {
    statements_.aside_by_object.bind(1, bytes_of(object_id));
    Rows rows(statements_.aside_by_object);
    return rows.next() ? std::optional(rows->integer(0)) : std::nullopt;
}

audit::Entry ItemTable::entry_about(const Transaction& transaction, audit::Kind kind, const Waiting& waiting) {
    audit::Entry entry = transaction.entry(kind, waiting.lane);
    entry.object_id = waiting.object_id;
    return entry;
}

bool ItemTable::insert(Transaction& transaction, NewItem& item) {
    switch (repeats_.remember(item, transaction.trusted)) {
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
    LIHANDOVER_INVARIANT(lane != nullptr, "an item's lane is known");
    LIHANDOVER_INVARIANT(profile != nullptr, "an item's profile is known");
    const RowId row = transaction.take_id();
    if (item.review != Review::none) {
        insert_held(transaction, row, item);
        return true;
    }
    audit::Entry made = transaction.entry(audit::Kind::item_made, item.lane);
    made.object_id = item.object_id;
    made.received_at = item.received_at;
    if (item.conversation_hash) {
        made.correlation = conversations_.next(item.lane, *item.conversation_hash);
    }
    const bool carries_schema = takes_schema(item.schema_content, lane->provided, profile->schema_bit);
    const bool has_objects = item.objects && !item.objects->empty();
    const std::int64_t flags = (item.emergency ? item_flag_emergency : 0) |
                               (carries_schema ? item_flag_carries_schema : 0) |
                               (has_objects ? item_flag_has_objects : 0);
    const auto size = static_cast<std::int64_t>(item.share.size());

    const KeyPlace key =
        insert_share(transaction, row, item.share, bound_of_item(item.lane, text_of(item.object_id), false));
    auto& insert = statements_.insert;
    insert.bind(1, row)
        .bind(2, item.lane)
        .bind(3, item.profile)
        .bind(4, flags)
        .bind(5, size)
        .bind(6, item.received_at.micros())
        .bind(7, bytes_of(item.object_id))
        .bind(10, key.column());
    bind_correlation(insert, 8, made.correlation);
    insert.run();
    audit_.append_made(transaction, item.lane, row, made);
    if (has_objects) {
        objects_.insert(transaction, row, item);
    }

    ++transaction.effects.of(lane->destination).of(ItemState::queued);
    transaction.effects.waiting_bytes += size + overhead;
    tell_queued(transaction.effects.queued, {row, item.lane, item.emergency});
    if (item.objects || is_withheld(item.lane, row)) {
        return true;  // what becomes of these changes while the item waits: to be read when it goes
    }
    StoredItem& stored = transaction.effects.stored.emplace_back();
    stored.row = row;
    stored.lane = item.lane;
    stored.profile = item.profile;
    stored.object_id = item.object_id;
    stored.emergency = item.emergency;
    stored.carries_schema = carries_schema;
    stored.correlation = made.correlation;
    // As it comes back from the disk: what is written of an item must not depend on its way.
    stored.received_at = model::Instant::from_micros(item.received_at.micros());
    stored.share = std::move(item.share);
    return true;
}

KeyPlace ItemTable::insert_share(Transaction& transaction, RowId row, std::string_view share, std::string_view bound) {
    SealKey key;
    const KeyPlace place = keys_->take(key);
    transaction.effects.taken_slots.push_back(place.slot);
    statements_.insert_share.bind(1, row).bind_blob(2, seal_content(key, row, share, bound)).run();
    return place;
}

void ItemTable::insert_held(Transaction& transaction, RowId row, const NewItem& item) {
    const bool has_objects = item.objects && !item.objects->empty();
    const auto size = static_cast<std::int64_t>(item.share.size());
    const KeyPlace key =
        insert_share(transaction, row, item.share, bound_of_item(item.lane, text_of(item.object_id), true));
    statements_.insert_aside.bind(1, row)
        .bind(2, transaction.now.micros())
        .bind(3, item.lane)
        .bind(4, item.profile)
        .bind(5, (item.emergency ? item_flag_emergency : 0) | (has_objects ? item_flag_has_objects : 0))
        .bind(6, size)
        .bind(7, item.received_at.micros())
        .bind(8, bytes_of(item.object_id))
        .bind(9, key.column())
        .run();
    auto& held = statements_.insert_held;
    held.bind(1, row)
        .bind(2, static_cast<std::int64_t>(item.review))
        .bind(3, static_cast<std::int64_t>(item.schema_content));
    if (item.conversation_hash) {
        held.bind(4, std::span<const std::uint8_t>(*item.conversation_hash));
    } else {
        held.bind_null(4);
    }
    held.run();
    audit::Entry entry = transaction.entry(audit::Kind::item_held, item.lane);
    entry.object_id = item.object_id;
    entry.received_at = item.received_at;
    audit_.append_made(transaction, item.lane, row, entry);
    if (has_objects) {
        objects_.insert(transaction, row, item);
    }
    ++transaction.counts_of(item.lane).of(ItemState::held);
    transaction.effects.waiting_bytes += size + overhead;
}

ItemTable::Held ItemTable::find_held(RowId row) {
    statements_.find_held.bind(1, row);
    Rows rows(statements_.find_held);
    const bool found = rows.next();
    const std::int64_t review = found ? rows->integer(0) : 0;
    Held held;
    // What was altered, or is not known to this program, must not be taken for fewer people.
    held.review =
        review == static_cast<std::int64_t>(Review::required) && !rows->is_null(3) ? Review::required : Review::dual;
    if (!found || rows->is_null(3)) {
        keys_->keyring().note_unreadable("held");
    }
    if (!found) {
        return held;
    }
    held.schema_content = static_cast<SchemaContent>(rows->integer(1));
    if (!rows->is_null(2)) {
        const std::string_view hash = rows->bytes(2);
        if (hash.size() != std::tuple_size_v<Hash128>) {
            throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
        }
        std::memcpy(held.conversation.emplace().data(), hash.data(), hash.size());
    }
    held.first_by = rows->bytes(3);
    held.first_rejects = rows->integer(4) != 0;
    held.queued = rows->integer(5) != 0;
    return held;
}

void ItemTable::imitate_held(const Transaction& transaction, std::size_t count) {
    if (count == 0) {
        return;
    }
    // As held rows are: the last ones of their tables, and anywhere in the index by ObjectIdentifier.
    for (std::size_t n = 0; n < count; ++n) {
        const RowId row = beyond_all + static_cast<RowId>(n);
        statements_.insert_aside.bind(1, row)
            .bind(2, transaction.now.micros())
            .bind(3, std::int64_t{0})
            .bind(4, std::int64_t{0})
            .bind(5, std::int64_t{0})
            .bind(6, std::int64_t{0})
            .bind(7, transaction.now.micros())
            .bind(8, bytes_of(model::Uuid::random()))
            .bind(9, std::int64_t{0})
            .run();
        statements_.insert_held.bind(1, row)
            .bind(2, static_cast<std::int64_t>(Review::required))
            .bind(3, std::int64_t{0})
            .bind_null(4)
            .run();
    }
    statements_.remove_aside_from.bind(1, beyond_all).run();
    statements_.remove_held_from.bind(1, beyond_all).run();
}

std::optional<std::string> ItemTable::share_of(const Waiting& waiting) {
    statements_.find_share.bind(1, waiting.row);
    Rows rows(statements_.find_share);
    if (!waiting.key && keys_->keyring().takes_plain() && rows.next()) {
        return std::string(rows->bytes(0));  // written before items were sealed
    }
    const auto key = rows.next() && waiting.key ? keys_->read(*waiting.key) : std::nullopt;
    auto share =
        key ? unseal_content(*key, waiting.row, rows->bytes(0),
                             bound_of_item(waiting.lane, text_of(waiting.object_id), waiting.state == ItemState::held))
            : std::nullopt;
    if (!share) {
        keys_->keyring().note_unreadable("share");
    }
    return share;
}

void ItemTable::queue_held(Transaction& transaction, const Waiting& waiting, const Held& held, std::string_view share) {
    std::int64_t profile = 0;
    std::int64_t received = 0;
    {
        statements_.rest_of_held.bind(1, waiting.row);
        Rows rows(statements_.rest_of_held);
        if (!rows.next()) {
            throw SqlFailure(Trouble::corrupt, SQLITE_CORRUPT);
        }
        profile = rows->integer(0);
        received = rows->integer(1);
    }
    const auto* lane = transaction.catalogue.lane_facts(waiting.lane);
    const auto* facts = transaction.catalogue.profile_facts(profile);
    LIHANDOVER_INVARIANT(lane != nullptr && facts != nullptr, "a held item's lane and profile are known");
    erase(transaction, waiting);
    transaction.effects.rewritten_bytes += share.size();

    // What goes first was queued first: its place is behind all that is queued, and its numbers follow theirs.
    const RowId row = transaction.take_id();
    audit::Entry made = transaction.entry(audit::Kind::item_made, waiting.lane);
    made.object_id = waiting.object_id;
    made.received_at = model::Instant::from_micros(received);
    if (held.conversation) {
        made.correlation = conversations_.next(waiting.lane, *held.conversation);
    }
    const bool carries_schema = takes_schema(held.schema_content, lane->provided, facts->schema_bit);
    const KeyPlace key =
        insert_share(transaction, row, share, bound_of_item(waiting.lane, text_of(waiting.object_id), false));
    auto& insert = statements_.insert;
    insert.bind(1, row)
        .bind(2, waiting.lane)
        .bind(3, profile)
        .bind(4, waiting.flags | (carries_schema ? item_flag_carries_schema : 0))
        .bind(5, waiting.size)
        .bind(6, received)
        .bind(7, bytes_of(waiting.object_id))
        .bind(10, key.column());
    bind_correlation(insert, 8, made.correlation);
    insert.run();
    audit_.append_made(transaction, waiting.lane, row, made);
    if ((waiting.flags & item_flag_has_objects) != 0) {
        objects_.item_queued(waiting.row, row);
    }
    ++transaction.counts_of(waiting.lane).of(ItemState::queued);
    transaction.effects.waiting_bytes += waiting.size + overhead;
    tell_queued(transaction.effects.queued, {row, waiting.lane, waiting.emergency()});
}

Verdict ItemTable::hear(const Waiting& waiting, const Held& held, const Reviewer& reviewer, bool rejects,
                        std::string_view why) {
    if (held.review == Review::required) {
        return Verdict::done;
    }
    const bool agrees = !held.first_by.empty() && held.first_rejects == rejects;
    if (agrees) {
        return are_two_people(held.first_by, reviewer.identity) ? Verdict::done : Verdict::repeated;
    }
    statements_.set_first.bind(1, waiting.row)
        .bind(2, std::string_view(reviewer.identity))
        .bind(3, std::string_view(reviewer.who))
        .bind(4, std::int64_t{rejects ? 1 : 0})
        .bind(5, why)
        .bind(6, static_cast<std::int64_t>(held.review))
        .run();
    return Verdict::first;
}

Verdict ItemTable::approve(Transaction& transaction, const model::Uuid& object_id, const Reviewer& reviewer) {
    const std::optional<RowId> row = reviewer.identity.empty() ? std::nullopt : find_aside(object_id);
    const std::optional<Waiting> waiting = row ? find_aside(*row) : std::nullopt;
    if (!waiting || waiting->state != ItemState::held) {
        return Verdict::none;
    }
    const Held held = find_held(waiting->row);
    const Verdict verdict = hear(*waiting, held, reviewer, false, "");
    if (verdict == Verdict::repeated) {
        return verdict;
    }
    // Queueing it destroys what it was sealed as.
    const auto share = verdict == Verdict::done ? share_of(*waiting) : std::nullopt;
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

bool ItemTable::shown(Transaction& transaction, RowId row, const model::Uuid& object_id, std::string_view who,
                      std::string_view what) {
    const std::optional<Waiting> waiting = find(row);
    if (!waiting || waiting->object_id != object_id) {
        return false;
    }
    audit::Entry entry = entry_about(transaction, audit::Kind::content_shown, *waiting);
    entry.who = who;
    entry.why = what;
    audit_.append(transaction, waiting->lane, row, entry);
    return true;
}

void ItemTable::filler(Transaction& transaction, const Idle& idle) {
    // A row fills most of a page. Of the pages that items touch beyond their shares, several have one in common.
    constexpr std::size_t row_size = 3000;
    constexpr std::uint64_t beyond_share = 320;
    constexpr std::uint64_t pages_of_one = 4;
    constexpr std::uint64_t most_rows = (std::uint64_t{4} << 20) / row_size;  // what one transaction takes at most
    std::array<std::uint8_t, row_size> content{};
    model::random_bytes(content.data(), 16);
    const std::uint64_t rows =
        (idle.bytes + idle.events * beyond_share) / row_size + (idle.nothing_made ? pages_of_one : 0);
    for (std::uint64_t id = 1; id <= std::min(rows, most_rows); ++id) {
        statements_.update_filler.bind(1, std::span<const std::uint8_t>(content))
            .bind(2, static_cast<std::int64_t>(id))
            .run();
    }
    imitate_held(transaction, idle.not_held);
}

void ItemTable::erase(Transaction& transaction, const Waiting& waiting) {
    (waiting.state == ItemState::queued ? statements_.remove : statements_.remove_aside).bind(1, waiting.row).run();
    statements_.remove_share.bind(1, waiting.row).run();
    if (waiting.state == ItemState::held) {
        statements_.remove_held.bind(1, waiting.row).run();
    }
    if (waiting.key) {
        transaction.effects.released_slots.push_back(waiting.key->slot);
    }
    --transaction.counts_of(waiting.lane).of(waiting.state);
    transaction.effects.waiting_bytes -= waiting.size + overhead;
}

void ItemTable::accepted(Transaction& transaction, const Acceptance& item) {
    const std::optional<Waiting> waiting = find(item.row);
    if (waiting) {
        erase(transaction, *waiting);
    } else if (audit_.was_delivered(item.row)) {
        return;  // this acceptance is told a second time
    }
    audit::Entry delivered = transaction.entry(audit::Kind::item_delivered, item.lane);
    delivered.object_id = item.object_id;
    Refusal said;
    if (item.already_there_code != 0) {
        said = {item.already_there_code, Refusal::Kind::hi1_error, ""};
        delivered.why = already_there;
        delivered.refusal = &said;
    }
    audit_.append(transaction, item.lane, item.row, delivered);
    if (item.has_objects || (waiting && (waiting->flags & item_flag_has_objects) != 0)) {
        objects_.item_accepted(transaction, item.row);
    }
    if (item.carried_schema) {
        provide_schema(transaction, item);
    }
}

void ItemTable::provide_schema(Transaction& transaction, const Acceptance& item) {
    const auto* profile = transaction.catalogue.profile_facts(item.profile);
    auto* lane = transaction.catalogue.lane_facts(item.lane);
    if (profile == nullptr || lane == nullptr || (lane->provided | profile->schema_bit) == lane->provided) {
        return;
    }
    lane->provided |= profile->schema_bit;
    transaction.effects.provided.emplace_back(item.lane, profile->schema_bit);
    statements_.provide.bind(1, std::int64_t{lane->provided}).bind(2, item.lane).run();
}

void ItemTable::put_aside(Transaction& transaction, RowId row, ItemState to, const Refusal& refusal) {
    const std::optional<Waiting> waiting = find(row);
    // An operator decided about it meanwhile, or it is told a second time.
    if (!waiting || !may_move(waiting->state, to)) {
        return;
    }
    auto& put = waiting->state == ItemState::queued ? statements_.put_aside : statements_.put_again;
    put.bind(1, row)
        .bind(2, number_of(to))
        .bind(3, transaction.now.micros())
        .bind(4, static_cast<std::int64_t>(refusal.code))
        .bind(5, static_cast<std::int64_t>(refusal.kind))
        .bind(6, std::string_view(refusal.words))
        .run();
    if (waiting->state == ItemState::queued) {
        statements_.remove.bind(1, row).run();
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
    statements_.take_back.bind(1, waiting.row).run();
    statements_.remove_aside.bind(1, waiting.row).run();
    Counts& counts = transaction.counts_of(waiting.lane);
    --counts.of(waiting.state);
    ++counts.of(ItemState::queued);
    audit::Entry entry = entry_about(transaction, audit::Kind::item_retried, waiting);
    entry.who = who;
    audit_.append(transaction, waiting.lane, waiting.row, entry);
    tell_queued(transaction.effects.retried, {waiting.row, waiting.lane, waiting.emergency()});
}

std::optional<bool> ItemTable::retry(Transaction& transaction, const model::Uuid& object_id, std::string_view who) {
    const std::optional<RowId> row = find_aside(object_id);
    const std::optional<Waiting> waiting = row ? find_aside(*row) : std::nullopt;
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
    const std::optional<Waiting> waiting = find_aside(row);
    if (waiting && waiting->state != ItemState::held) {
        back_to_queue(transaction, *waiting, who);
    }
}

Verdict ItemTable::reject(Transaction& transaction, const Meant& meant, const Reviewer& reviewer, std::string_view why,
                          LaneId& lane) {
    const std::optional<RowId> aside = find_aside(meant.id);
    const std::optional<Waiting> waiting = aside ? find_aside(*aside) : meant.row != 0 ? find(meant.row) : std::nullopt;
    if (!waiting || waiting->object_id != meant.id || !meant.as.has(waiting->state)) {
        return Verdict::none;
    }
    if (waiting->state == ItemState::held) {
        const Held held = find_held(waiting->row);
        const Verdict verdict = reviewer.identity.empty() ? Verdict::none : hear(*waiting, held, reviewer, true, why);
        if (verdict == Verdict::first) {
            audit::Entry entry = entry_about(transaction, audit::Kind::item_disapproved, *waiting);
            entry.who = reviewer.who;
            entry.why = why;
            audit_.append(transaction, waiting->lane, waiting->row, entry);
        }
        if (verdict != Verdict::done) {
            return verdict;
        }
    } else if (waiting->state != ItemState::refused && is_withheld(waiting->lane, waiting->row)) {
        return Verdict::none;  // people decide about it, once it is held
    }
    end_rejected(transaction, *waiting, reviewer.who, why);
    lane = waiting->lane;
    return Verdict::done;
}

void ItemTable::end_rejected(Transaction& transaction, const Waiting& waiting, std::string_view who,
                             std::string_view why) {
    erase(transaction, waiting);
    transaction.effects.rewritten_bytes += static_cast<std::uint64_t>(waiting.size);
    audit::Entry entry = entry_about(transaction, audit::Kind::item_rejected, waiting);
    entry.who = who;
    entry.why = why;
    entry.refusal = waiting.refusal ? &*waiting.refusal : nullptr;
    audit_.append(transaction, waiting.lane, waiting.row, entry);
    if ((waiting.flags & item_flag_has_objects) != 0) {
        objects_.item_rejected(transaction, waiting.row, who, why);
    }
    // Delivery may have these in memory.
    if (waiting.state == ItemState::queued || waiting.state == ItemState::set_aside) {
        transaction.effects.withdrawn.push_back({waiting.row, waiting.lane, waiting.emergency()});
    }
}

std::vector<ItemTable::Aside> ItemTable::aside_after(Connection& /*connection*/, RowId after, std::size_t limit) {
    std::vector<Aside> found;
    statements_.aside_after.bind(1, after).bind(2, static_cast<std::int64_t>(limit));
    for (Rows rows(statements_.aside_after); rows.next();) {
        found.push_back({rows->integer(0), aside_state_of(rows->integer(1)), rows->integer(2), rows->integer(3)});
    }
    return found;
}

void ItemTable::find_queued(std::span<const RowId> rows, std::vector<QueuedItem>& out) {
    for (const RowId row : rows) {
        const auto waiting = find(row);
        if (waiting && waiting->state == ItemState::queued && !is_withheld(waiting->lane, row)) {
            out.push_back({row, waiting->lane, waiting->emergency()});
        }
    }
}

void ItemTable::find_gone(std::span<const QueuedItem> items, std::vector<QueuedItem>& out) {
    std::ranges::copy_if(items, std::back_inserter(out), [this](const QueuedItem& item) { return !find(item.row); });
}

void ItemTable::find_above(Connection& connection, RowId row, std::vector<QueuedItem>& out) {
    Statement select = connection.prepare("SELECT id, lane, flags FROM item WHERE id > ? ORDER BY id");
    select.bind(1, row);
    for (Rows rows(select); rows.next();) {
        if (!is_withheld(rows->integer(1), rows->integer(0))) {
            out.push_back({rows->integer(0), rows->integer(1), (rows->integer(2) & item_flag_emergency) != 0});
        }
    }
}

// -- What is held since its warrant was revoked

bool ItemTable::is_withheld(LaneId lane, RowId row) const {
    return is_in(withholding_, lane, row);
}

std::vector<Withholding> ItemTable::read_withholding(Connection& connection) {
    std::vector<Withholding> all;
    Statement known = connection.prepare("SELECT lane, review, after, upto FROM withholding");
    for (Rows rows(known); rows.next();) {
        Withholding& one = all.emplace_back();
        one.lane = rows->integer(0);
        one.review = rows->integer(1) == static_cast<std::int64_t>(Review::required) ? Review::required : Review::dual;
        one.after = rows->integer(2);
        one.upto = rows->is_null(3) ? std::nullopt : std::optional<RowId>(rows->integer(3));
    }
    return all;
}

void ItemTable::tell_queued(std::vector<QueuedItem>& whom, const QueuedItem& item) const {
    if (!is_withheld(item.lane, item.row)) {
        whom.push_back(item);
    }
}

void ItemTable::rolled_back() {
    if (withholding_before_) {
        withholding_ = std::move(*withholding_before_);
        withholding_before_.reset();
    }
}

void ItemTable::find_newly_withheld(std::vector<LaneId>& out) {
    for (const Withholding& one : withholding_) {
        if (known_withheld_ && std::ranges::find(*known_withheld_, one.lane) == known_withheld_->end()) {
            out.push_back(one.lane);
        }
    }
}

/// Before the first change in a transaction.
void ItemTable::remember_withholding() {
    if (!withholding_before_) {
        withholding_before_ = withholding_;
    }
}

void ItemTable::keep(const Withholding& one) {
    statements_.put_withholding.bind(1, one.lane).bind(2, static_cast<std::int64_t>(one.review)).bind(3, one.after);
    if (one.upto) {
        statements_.put_withholding.bind(4, *one.upto);
    } else {
        statements_.put_withholding.bind_null(4);
    }
    statements_.put_withholding.run();
}

void ItemTable::withhold(Transaction& transaction, LaneId lane, Review review) {
    remember_withholding();
    // What an earlier one has not come to is behind this one's beginning, too.
    std::erase_if(withholding_, [lane](const Withholding& one) { return one.lane == lane; });
    Withholding& one = withholding_.emplace_back();
    one.lane = lane;
    one.review = review;
    keep(one);
    transaction.effects.lanes_withdrawn.push_back(lane);
}

void ItemTable::nothing_more_of(Transaction& transaction, LaneId lane) {
    for (Withholding& one : withholding_) {
        if (one.lane == lane && !one.upto) {
            remember_withholding();
            one.upto = transaction.last_id();
            keep(one);
        }
    }
}

void ItemTable::nothing_more_at_start(Connection& connection, RowId last) {
    known_withheld_.reset();  // of an opening that failed: nobody has heard of anything
    if (std::ranges::all_of(withholding_, [](const Withholding& one) { return one.upto.has_value(); })) {
        return;
    }
    try {
        Statement close = connection.prepare("UPDATE withholding SET upto=? WHERE upto IS NULL");
        close.bind(1, last).run();
    } catch (const SqlFailure& failure) {
        if (failure.trouble() != Trouble::full || failure.of_sync()) {
            throw;
        }
        return;  // what comes in these lanes is held, too, until another start
    }
    for (Withholding& one : withholding_) {
        one.upto = one.upto.value_or(last);
    }
}

bool ItemTable::withholding_due() const {
    return std::ranges::any_of(withholding_, &Withholding::due);
}

ItemTable::Look ItemTable::look_for(const Withholding& from) {
    Look look;
    look.end = from.upto.value_or(beyond_all);
    look.whole = true;
    for (Statement* select : {&statements_.queued_after, &statements_.set_aside_after}) {
        select->bind(1, from.after).bind(2, look.end).bind(3, withholding_look);
        std::int64_t count = 0;
        RowId last = 0;
        for (Rows rows(*select); rows.next(); ++count) {
            last = rows->integer(0);
            if (rows->integer(1) == from.lane) {
                look.rows.push_back(last);
            }
        }
        if (count == withholding_look) {
            look.whole = false;
            look.end = last;
        }
    }
    std::erase_if(look.rows, [&](RowId row) { return row > look.end; });
    std::ranges::sort(look.rows);
    return look;
}

void ItemTable::withhold_some(Transaction& transaction) {
    const auto due = std::ranges::find_if(withholding_, &Withholding::due);
    if (due == withholding_.end()) {
        return;
    }
    remember_withholding();
    const Look look = look_for(*due);
    std::size_t count = 0;
    for (const RowId row : look.rows) {
        if (count == withholding_step || (count > 0 && transaction.effects.rewritten_bytes >= withholding_bytes)) {
            break;
        }
        if (const auto waiting = find(row); waiting && !withhold(transaction, *waiting, due->review)) {
            due->waits = true;
            break;
        }
        due->after = row;
        ++count;
    }
    if (count < look.rows.size()) {
        keep(*due);
        return;
    }
    if (!look.whole) {
        due->after = look.end;
    } else if (due->upto) {
        statements_.remove_withholding.bind(1, due->lane).run();
        withholding_.erase(due);
        return;
    } else {
        due->up_to_date = true;  // what comes until nothing_more_of() is found then
    }
    keep(*due);
}

void ItemTable::try_withholding_again() {
    for (Withholding& one : withholding_) {
        one.waits = false;
    }
}

bool ItemTable::withhold(Transaction& transaction, const Waiting& waiting, Review review) {
    if (waiting.key && keys_->find(*waiting.key).not_now()) {
        return false;
    }
    const auto share = share_of(waiting);
    // What is damaged stays as it is sealed, so that it cannot be approved either.
    const auto key = share ? std::optional(replace_share(transaction, waiting, *share, true)) : waiting.key;
    auto& move = waiting.state == ItemState::queued ? statements_.withhold_queued : statements_.withhold_set_aside;
    move.bind(1, waiting.row).bind(2, transaction.now.micros());
    if (key) {
        move.bind(3, key->column());
    } else {
        move.bind_null(3);
    }
    move.run();
    if (waiting.state == ItemState::queued) {
        statements_.remove.bind(1, waiting.row).run();
    }
    statements_.insert_withheld.bind(1, waiting.row).bind(2, static_cast<std::int64_t>(review)).run();
    Counts& counts = transaction.counts_of(waiting.lane);
    --counts.of(waiting.state);
    ++counts.of(ItemState::held);
    audit::Entry entry = entry_about(transaction, audit::Kind::item_withheld, waiting);
    entry.why = "its warrant was revoked";
    audit_.append(transaction, waiting.lane, waiting.row, entry);
    return true;
}

void ItemTable::put_back_withheld(Transaction& transaction, const Waiting& waiting, std::string_view share) {
    const KeyPlace key = replace_share(transaction, waiting, share, false);
    statements_.take_withheld_back.bind(1, waiting.row).bind(2, key.column()).run();
    statements_.remove_aside.bind(1, waiting.row).run();
    statements_.remove_held.bind(1, waiting.row).run();
    Counts& counts = transaction.counts_of(waiting.lane);
    --counts.of(ItemState::held);
    ++counts.of(ItemState::queued);
    tell_queued(transaction.effects.retried, {waiting.row, waiting.lane, waiting.emergency()});
}

KeyPlace ItemTable::replace_share(Transaction& transaction, const Waiting& waiting, std::string_view share, bool held) {
    SealKey key;
    const KeyPlace place = keys_->take(key);
    transaction.effects.taken_slots.push_back(place.slot);
    const std::string bound = bound_of_item(waiting.lane, text_of(waiting.object_id), held);
    statements_.replace_share.bind(1, waiting.row).bind_blob(2, seal_content(key, waiting.row, share, bound)).run();
    if (waiting.key) {
        transaction.effects.released_slots.push_back(waiting.key->slot);
    }
    transaction.effects.rewritten_bytes += share.size();
    return place;
}

}  // namespace lihandover::store::sqlite
