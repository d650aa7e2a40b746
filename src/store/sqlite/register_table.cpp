#include "register_table.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include "columns.hpp"

namespace lihandover::store::sqlite {

namespace {

std::uint32_t bit_of(std::int64_t schema_number) {
    return schema_number >= 1 && schema_number <= 32 ? std::uint32_t{1} << (schema_number - 1) : 0;
}

std::int64_t schema_number(Connection& connection, std::string_view identifier) {
    Statement find = connection.prepare("SELECT id FROM schema_identifier WHERE identifier=?");
    {
        find.bind(1, identifier);
        Rows rows(find);
        if (rows.next()) {
            return rows->integer(0);
        }
    }
    connection.prepare("INSERT INTO schema_identifier(identifier) VALUES(?)").bind(1, identifier).run();
    return connection.last_inserted();
}

/// The pair that names a warrant.
template <typename Entry>
std::pair<std::string_view, std::string_view> lane_name_of(const Entry& entry) {
    return {entry.destination, entry.liid};
}

}  // namespace

void RegisterTable::open(Connection& connection) {
    auto& s = statements_;
    s.find_lane = connection.prepare(
        "SELECT id, opened('lane.liid', id, coalesce(sealed, liid)) FROM lane WHERE destination=?1 AND liid=keyed(?1, "
        "?2)");
    s.insert_lane =
        connection.prepare("INSERT INTO lane(destination, liid, provided, last) VALUES(?1, keyed(?1, ?2), 0, ?3)");
    s.seal_lane = connection.prepare("UPDATE lane SET sealed=sealed('lane.liid', id, ?2) WHERE id=?1");
    s.save_use = connection.prepare("UPDATE lane SET last=max(last, ?) WHERE id=?");
    s.put_warrant = connection.prepare(
        "INSERT INTO warrant(destination, liid, file, octets, missing, key_slot) VALUES(?1, keyed(?1, ?2), "
        "sealed('warrant.file', keyed(?1, ?2), ?3), ?4, ?5, ?6) "
        "ON CONFLICT(destination, liid) DO UPDATE SET file=excluded.file, octets=excluded.octets, "
        "missing=excluded.missing, key_slot=excluded.key_slot");
    s.mark_warrant = connection.prepare("UPDATE warrant SET missing=?3 WHERE destination=?1 AND liid=keyed(?1, ?2)");
    s.find_warrant = connection.prepare("SELECT key_slot FROM warrant WHERE destination=?1 AND liid=keyed(?1, ?2)");
    s.remove_warrant = connection.prepare("DELETE FROM warrant WHERE destination=?1 AND liid=keyed(?1, ?2)");
    s.put_pause = connection.prepare(
        "INSERT INTO pause(destination, since, who) VALUES(?1, ?2, sealed('pause.who', ?1, ?3)) ON "
        "CONFLICT(destination) DO NOTHING");
    s.remove_pause = connection.prepare("DELETE FROM pause WHERE destination=?");
    s.put_revocation = connection.prepare(
        "INSERT OR REPLACE INTO revocation(destination, liid, from_seconds, from_nanos, file, at, who, why, name) "
        "VALUES(?1, keyed(?1, ?2), ?3, ?4, sealed('revocation.file', named(keyed(?1, ?2), ?3, ?4), ?5), ?6, "
        "sealed('revocation.who', named(keyed(?1, ?2), ?3, ?4), ?7), sealed('revocation.why', named(keyed(?1, ?2), ?3, "
        "?4), ?8), sealed('revocation.name', named(keyed(?1, ?2), ?3, ?4), ?2))");
    s.remove_revocation = connection.prepare("DELETE FROM revocation WHERE destination=?1 AND liid=keyed(?1, ?2)");
    s.put_pending = connection.prepare(
        "INSERT INTO pending_warrant(destination, liid, digest, file, since, refused, who, why) "
        "VALUES(?1, keyed(?1, ?2), sealed('pending_warrant.digest', keyed(?1, ?2), ?3), "
        "sealed('pending_warrant.file', keyed(?1, ?2), ?4), ?5, 0, sealed('pending_warrant.who', named(keyed(?1, ?2), "
        "0), "
        "''), sealed('pending_warrant.why', named(keyed(?1, ?2), 0), ''))");
    s.find_pending = connection.prepare(
        "SELECT refused FROM pending_warrant WHERE destination=?1 AND liid=keyed(?1, ?2) AND "
        "opened('pending_warrant.digest', liid, digest)=?3");
    s.refuse_pending = connection.prepare(
        "UPDATE pending_warrant SET refused=?3, who=sealed('pending_warrant.who', named(liid, ?3), ?4), "
        "why=sealed('pending_warrant.why', named(liid, ?3), ?5) WHERE destination=?1 AND liid=keyed(?1, ?2)");
    s.remove_pending = connection.prepare("DELETE FROM pending_warrant WHERE destination=?1 AND liid=keyed(?1, ?2)");
    s.put_approval = connection.prepare(
        "INSERT INTO warrant_approval(destination, liid, uid, who, at) VALUES(?1, keyed(?1, ?2), ?3, "
        "sealed('warrant_approval.who', named(keyed(?1, ?2), ?3, ?6), ?4), ?5) ON CONFLICT DO NOTHING");
    // What was not said about this version, by this user, counts for nothing.
    s.count_approvals = connection.prepare(
        "SELECT count(*) FROM warrant_approval WHERE destination=?1 AND liid=keyed(?1, ?2) AND "
        "opened('warrant_approval.who', named(liid, uid, ?3), who) IS NOT NULL");
    s.remove_approvals = connection.prepare("DELETE FROM warrant_approval WHERE destination=?1 AND liid=keyed(?1, ?2)");
}

void RegisterTable::load(Connection& connection, Catalogue& catalogue) {
    Statement profiles = connection.prepare(
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
        catalogue.add_profile(rows->integer(0), std::move(profile), bit_of(rows->integer(11)));
    }
    // The LIID has to be the one that the row is looked up by: sealed, it could have come from an older state.
    Statement lanes = connection.prepare(
        "SELECT id, destination, text, provided, text IS NOT NULL AND liid=keyed(destination, text) FROM (SELECT id, "
        "destination, liid, provided, opened('lane.liid', id, coalesce(sealed, liid)) AS text FROM lane) ORDER BY id");
    for (Rows rows(lanes); rows.next();) {
        const bool good = rows->integer(4) != 0;
        catalogue.add_lane(
            {rows->integer(0), std::string(rows->bytes(1)), good ? std::string(rows->bytes(2)) : "", !good},
            static_cast<std::uint32_t>(rows->integer(3)));
    }
}

LaneId RegisterTable::lane(Transaction& transaction, std::string_view destination, std::string_view liid) {
    LaneId id = 0;
    {
        statements_.find_lane.bind(1, destination).bind(2, liid);
        Rows rows(statements_.find_lane);
        if (rows.next()) {
            id = rows->integer(0);
            if (!rows->is_null(1) && rows->bytes(1) == liid) {
                return id;
            }
        }
    }
    // One whose LIID could not be opened is found all the same, and gets it again.
    if (id == 0) {
        // Whatever this transaction tells of it comes later, or is this entry.
        statements_.insert_lane.bind(1, destination).bind(2, liid).bind(3, transaction.last_id() + 1).run();
        id = transaction.connection.last_inserted();
    }
    if (keys_->keyring().on()) {
        statements_.seal_lane.bind(1, id).bind(2, liid).run();
    }
    transaction.effects.lanes.push_back({id, std::string(destination), std::string(liid)});
    return id;
}

ProfileId RegisterTable::profile(Transaction& transaction, const model::Profile& profile) {
    if (const ProfileId known = transaction.catalogue.find_profile_like(profile); known != 0) {
        return known;
    }
    const std::int64_t schema = schema_number(transaction.connection, profile.schema_identifier);
    Statement insert = transaction.connection.prepare(
        "INSERT INTO profile(sender_country, sender_identifier, receiver_country, receiver_identifier, etsi_version, "
        "national_owner, national_version, schema_identifier, schema_url, writer_version, last) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
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
        .bind(11, transaction.last_id() + 1)
        .run();
    const ProfileId id = transaction.connection.last_inserted();
    transaction.effects.profiles.push_back({id, bit_of(schema), profile});
    return id;
}

void RegisterTable::save_uses(Catalogue& catalogue) {
    // In order each page is touched once.
    std::ranges::sort(catalogue.unsaved());
    for (const LaneId id : catalogue.unsaved()) {
        Catalogue::LaneFacts& facts = *catalogue.lane_facts(id);
        statements_.save_use.bind(1, facts.last).bind(2, id).run();
        facts.saved = facts.last;
    }
}

void RegisterTable::let_go(Connection& connection, RowId below, RowId counters_upto) {
    Statement lanes = connection.prepare(
        "DELETE FROM lane WHERE last < ?1 AND NOT EXISTS(SELECT 1 FROM warrant w WHERE w.destination=lane.destination "
        "AND w.liid=lane.liid) AND NOT EXISTS(SELECT 1 FROM revocation r WHERE r.destination=lane.destination AND "
        "r.liid=lane.liid) AND NOT EXISTS(SELECT 1 FROM pending_warrant p WHERE p.destination=lane.destination AND "
        "p.liid=lane.liid) AND NOT EXISTS(SELECT 1 FROM conversation c WHERE c.lane=lane.id) AND id NOT IN (SELECT "
        "lane FROM record WHERE id > ?2)");
    lanes.bind(1, below).bind(2, counters_upto).run();
    // Most starts find none, and need not look through what waits.
    Statement any = connection.prepare("SELECT 1 FROM profile WHERE last < ? LIMIT 1");
    any.bind(1, below);
    {
        Rows rows(any);
        if (!rows.next()) {
            return;
        }
    }
    Statement profiles = connection.prepare(
        "DELETE FROM profile WHERE last < ? AND id NOT IN (SELECT profile FROM item UNION SELECT profile FROM aside)");
    profiles.bind(1, below).run();
}

void RegisterTable::find_slots(Connection& connection) {
    Statement select = connection.prepare("SELECT key_slot FROM warrant WHERE key_slot IS NOT NULL");
    for (Rows rows(select); rows.next();) {
        keys_->in_use(KeyPlace::of(rows->integer(0)).slot);
    }
}

std::vector<StoredWarrant> RegisterTable::warrants(Connection& connection) const {
    std::vector<StoredWarrant> warrants;
    Statement select = connection.prepare(
        "SELECT opened('warrant.file', w.liid, w.file), w.destination, opened('lane.liid', l.id, coalesce(l.sealed, "
        "l.liid)), w.octets, w.missing, w.key_slot, l.id FROM warrant w LEFT JOIN lane l ON "
        "l.destination=w.destination "
        "AND l.liid=w.liid");
    for (Rows rows(select); rows.next();) {
        std::optional<std::string> octets(rows->bytes(3));
        if (const auto place = key_place_of(*rows.operator->(), 5)) {
            const auto key = keys_->wait_for(*place);
            octets = key ? unseal_content(*key, rows->integer(6), *octets, "warrant") : std::nullopt;
        } else if (!keys_->keyring().takes_plain()) {
            octets.reset();
        }
        // The warrant's file may still say the same, and makes it anew.
        if (!octets || rows->is_null(2)) {
            keys_->keyring().note_unreadable("warrant");
            continue;
        }
        warrants.push_back({std::string(rows->bytes(0)),
                            std::string(rows->bytes(1)),
                            std::string(rows->bytes(2)),
                            std::move(*octets),
                            {},
                            rows->integer(4) != 0});
    }
    return warrants;
}

std::vector<StoredRevocation> RegisterTable::revocations(Connection& connection) {
    std::vector<StoredRevocation> revocations;
    Statement select = connection.prepare(
        "SELECT r.destination, coalesce(opened('revocation.name', named(r.liid, r.from_seconds, r.from_nanos), "
        "r.name), "
        "opened('lane.liid', l.id, coalesce(l.sealed, l.liid))), r.from_seconds, r.from_nanos, "
        "opened('revocation.file', named(r.liid, r.from_seconds, r.from_nanos), r.file), r.at, "
        "opened('revocation.who', named(r.liid, r.from_seconds, r.from_nanos), r.who), "
        "opened('revocation.why', named(r.liid, r.from_seconds, r.from_nanos), r.why) FROM revocation r LEFT JOIN lane "
        "l ON l.destination=r.destination AND l.liid=r.liid");
    for (Rows rows(select); rows.next();) {
        revocations.push_back({std::string(rows->bytes(0)),
                               std::string(rows->bytes(1)),
                               {rows->integer(2), static_cast<std::int32_t>(rows->integer(3))},
                               std::string(rows->bytes(4)),
                               model::Instant::from_micros(rows->integer(5)),
                               std::string(rows->bytes(6)),
                               std::string(rows->bytes(7))});
    }
    std::ranges::sort(revocations, {}, lane_name_of<StoredRevocation>);
    return revocations;
}

void RegisterTable::tell(Transaction& transaction, audit::Kind kind,
                         const std::pair<std::string_view, std::string_view>& warrant, std::string_view who,
                         std::string_view why) {
    const LaneId id = lane(transaction, warrant.first, warrant.second);
    audit::Entry entry;
    entry.kind = kind;
    entry.at = transaction.now;
    // The catalogue learns of a new lane after the commit only.
    entry.destination = warrant.first;
    entry.liid = warrant.second;
    entry.who = who;
    entry.why = why;
    audit_.append(transaction, id, 0, entry);
}

void RegisterTable::tell(Transaction& transaction, audit::Kind kind, const StoredWarrant& warrant,
                         std::string_view who) {
    tell(transaction, kind, {warrant.destination, warrant.liid}, who, warrant.said());
}

void RegisterTable::release_key(Transaction& transaction, std::string_view destination, std::string_view liid) {
    statements_.find_warrant.bind(1, destination).bind(2, liid);
    Rows rows(statements_.find_warrant);
    const auto place = rows.next() ? key_place_of(*rows.operator->(), 0) : std::nullopt;
    if (place) {
        transaction.effects.released_slots.push_back(place->slot);
    }
}

void RegisterTable::remove_warrant(Transaction& transaction, std::string_view destination, std::string_view liid) {
    release_key(transaction, destination, liid);
    statements_.remove_warrant.bind(1, destination).bind(2, liid).run();
}

/// Where the store is encrypted, each version has a key of its own: an older one that somebody puts back cannot be
/// opened.
void RegisterTable::put_warrant(Transaction& transaction, const StoredWarrant& warrant) {
    const std::string_view destination = warrant.destination;
    const std::string_view liid = warrant.liid;
    const LaneId id = lane(transaction, destination, liid);
    release_key(transaction, destination, liid);
    auto& put = statements_.put_warrant;
    put.bind(1, destination)
        .bind(2, liid)
        .bind(3, std::string_view(warrant.file))
        .bind_blob(4, warrant.bytes)
        .bind(5, std::int64_t{warrant.missing})
        .bind_null(6);
    std::string sealed;
    if (keys_->keyring().on()) {
        SealKey key;
        const KeyPlace place = keys_->take(key);
        transaction.effects.taken_slots.push_back(place.slot);
        sealed = seal_content(key, id, warrant.bytes, "warrant");
        put.bind_blob(4, sealed).bind(6, place.column());
    }
    put.run();
}

void RegisterTable::change_warrants(Transaction& transaction, const WarrantChanges& changes) {
    for (const auto& [list, kind] : {std::pair(&changes.in_force, audit::Kind::warrant_in_force),
                                     std::pair(&changes.changed, audit::Kind::warrant_changed)}) {
        for (const StoredWarrant& warrant : *list) {
            put_warrant(transaction, warrant);
            tell(transaction, kind, warrant, changes.who);
        }
    }
    for (const StoredWarrant& warrant : changes.marked) {
        statements_.mark_warrant.bind(1, std::string_view(warrant.destination))
            .bind(2, std::string_view(warrant.liid))
            .bind(3, std::int64_t{warrant.missing})
            .run();
    }
    for (const StoredWarrant& warrant : changes.ended) {
        remove_warrant(transaction, warrant.destination, warrant.liid);
        tell(transaction, audit::Kind::warrant_ended, warrant, changes.who);
    }
    for (const LiftedRevocation& lifted : changes.lifted) {
        const std::pair<std::string_view, std::string_view> pair(lifted.destination, lifted.liid);
        statements_.remove_revocation.bind(1, pair.first).bind(2, pair.second).run();
        if (transaction.connection.changes() > 0) {
            tell(transaction, audit::Kind::revocation_lifted, pair, changes.who, lifted.why);
        }
    }
    for (const StoredRevocation& revocation : changes.revoked) {
        revoke(transaction, revocation);
    }
    for (const auto& [destination, liid] : changes.settled) {
        settle(destination, liid);
    }
    for (const StoredPendingWarrant& pending : changes.pending) {
        put_pending(transaction, pending, changes.who);
    }
}

void RegisterTable::settle(std::string_view destination, std::string_view liid) {
    statements_.remove_pending.bind(1, destination).bind(2, liid).run();
    statements_.remove_approvals.bind(1, destination).bind(2, liid).run();
}

void RegisterTable::put_pending(Transaction& transaction, const StoredPendingWarrant& pending, std::string_view who) {
    const std::string_view destination = pending.destination;
    const std::string_view liid = pending.liid;
    settle(destination, liid);
    statements_.put_pending.bind(1, destination)
        .bind(2, liid)
        .bind(3, std::span<const std::uint8_t>(pending.digest))
        .bind(4, std::string_view(pending.file))
        .bind(5, transaction.now.micros())
        .run();
    tell(transaction, audit::Kind::warrant_pending, {destination, liid}, who, pending.file + ": " + pending.terms);
}

std::optional<std::size_t> RegisterTable::decide_warrant(Transaction& transaction, const WarrantDecision& decision) {
    const std::string_view destination = decision.destination;
    const std::string_view liid = decision.liid;
    auto& s = statements_;
    bool was_refused = false;
    {
        s.find_pending.bind(1, destination).bind(2, liid).bind(3, std::span<const std::uint8_t>(decision.digest));
        Rows rows(s.find_pending);
        if (!rows.next()) {
            return std::nullopt;
        }
        was_refused = rows->integer(0) != 0;
    }
    if (!decision.approve) {
        s.remove_approvals.bind(1, destination).bind(2, liid).run();
    }
    if (!decision.approve || was_refused) {
        s.refuse_pending.bind(1, destination)
            .bind(2, liid)
            .bind(3, std::int64_t{!decision.approve})
            .bind(4, decision.approve ? std::string_view() : std::string_view(decision.who))
            .bind(5, decision.approve ? std::string_view() : std::string_view(decision.why))
            .run();
    }
    bool is_new = true;
    if (decision.approve) {
        s.put_approval.bind(1, destination)
            .bind(2, liid)
            .bind(3, std::int64_t{decision.uid})
            .bind(4, std::string_view(decision.who))
            .bind(5, transaction.now.micros())
            .bind(6, std::span<const std::uint8_t>(decision.digest))
            .run();
        is_new = transaction.connection.changes() > 0;
    }
    if (is_new) {
        tell(transaction, decision.approve ? audit::Kind::warrant_approved : audit::Kind::warrant_refused,
             {destination, liid}, decision.who, decision.why);
    }
    s.count_approvals.bind(1, destination).bind(2, liid).bind(3, std::span<const std::uint8_t>(decision.digest));
    Rows rows(s.count_approvals);
    return rows.next() ? static_cast<std::size_t>(rows->integer(0)) : 0;
}

std::vector<StoredPendingWarrant> RegisterTable::pending_warrants(Connection& connection) {
    std::vector<StoredPendingWarrant> all;
    Statement select = connection.prepare(
        "SELECT p.destination, opened('lane.liid', l.id, coalesce(l.sealed, l.liid)), "
        "opened('pending_warrant.digest', p.liid, p.digest), opened('pending_warrant.file', p.liid, p.file), p.since, "
        "p.refused, opened('pending_warrant.who', named(p.liid, p.refused), p.who), opened('pending_warrant.why', "
        "named(p.liid, p.refused), p.why) FROM "
        "pending_warrant p LEFT JOIN lane l ON l.destination=p.destination AND l.liid=p.liid");
    Statement approvals = connection.prepare(
        "SELECT uid, opened('warrant_approval.who', named(liid, uid, ?3), who), at FROM warrant_approval WHERE "
        "destination=?1 AND liid=keyed(?1, ?2) ORDER BY at, uid");
    for (Rows rows(select); rows.next();) {
        StoredPendingWarrant& pending = all.emplace_back();
        pending.destination = rows->bytes(0);
        pending.liid = rows->bytes(1);
        const std::string_view digest = rows->bytes(2);
        std::ranges::copy_n(digest.begin(), static_cast<std::ptrdiff_t>(std::min(digest.size(), pending.digest.size())),
                            pending.digest.begin());
        pending.file = rows->bytes(3);
        pending.since = model::Instant::from_micros(rows->integer(4));
        // Where that was altered nobody knows what was said: it has to be approved anew, and its file to change for
        // that.
        pending.refused = rows->integer(5) != 0 || rows->is_null(6);
        pending.who = rows->bytes(6);
        pending.why = rows->bytes(7);
        approvals.bind(1, std::string_view(pending.destination))
            .bind(2, std::string_view(pending.liid))
            .bind(3, std::span<const std::uint8_t>(pending.digest));
        for (Rows each(approvals); each.next();) {
            if (each->is_null(1)) {
                continue;
            }
            pending.approvals.push_back({static_cast<std::uint32_t>(each->integer(0)), std::string(each->bytes(1)),
                                         model::Instant::from_micros(each->integer(2))});
        }
    }
    std::ranges::sort(all, {}, lane_name_of<StoredPendingWarrant>);
    return all;
}

void RegisterTable::revoke(Transaction& transaction, const StoredRevocation& revocation) {
    const std::string_view destination = revocation.destination;
    const std::string_view liid = revocation.liid;
    remove_warrant(transaction, destination, liid);
    statements_.put_revocation.bind(1, destination)
        .bind(2, liid)
        .bind(3, revocation.valid_from.seconds)
        .bind(4, std::int64_t{revocation.valid_from.nanos})
        .bind(5, std::string_view(revocation.file))
        .bind(6, transaction.now.micros())
        .bind(7, std::string_view(revocation.who))
        .bind(8, std::string_view(revocation.why))
        .run();
    const std::string why =
        revocation.hold == Review::none ? revocation.why : revocation.why + " (what was queued is held)";
    tell(transaction, audit::Kind::warrant_revoked, {destination, liid}, revocation.who, why);
}

std::vector<StoredPause> RegisterTable::pauses(Connection& connection) {
    std::vector<StoredPause> pauses;
    Statement select = connection.prepare(
        "SELECT destination, since, opened('pause.who', destination, who) FROM pause ORDER BY destination");
    for (Rows rows(select); rows.next();) {
        pauses.push_back(
            {std::string(rows->bytes(0)), model::Instant::from_micros(rows->integer(1)), std::string(rows->bytes(2))});
    }
    return pauses;
}

/// The lane without a LIID stands for the whole destination.
void RegisterTable::tell(Transaction& transaction, audit::Kind kind, std::string_view destination,
                         std::string_view who) {
    const LaneId id = lane(transaction, destination, "");
    audit::Entry entry;
    entry.kind = kind;
    entry.at = transaction.now;
    entry.destination = destination;
    entry.who = who;
    audit_.append(transaction, id, 0, entry);
}

void RegisterTable::pause(Transaction& transaction, std::string_view destination, std::string_view who) {
    statements_.put_pause.bind(1, destination).bind(2, transaction.now.micros()).bind(3, who).run();
    if (transaction.connection.changes() > 0) {
        tell(transaction, audit::Kind::destination_paused, destination, who);
    }
}

void RegisterTable::resume(Transaction& transaction, std::string_view destination, std::string_view who) {
    statements_.remove_pause.bind(1, destination).run();
    if (transaction.connection.changes() > 0) {
        tell(transaction, audit::Kind::destination_resumed, destination, who);
    }
}

}  // namespace lihandover::store::sqlite
