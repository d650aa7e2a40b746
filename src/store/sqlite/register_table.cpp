#include "register_table.hpp"

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <utility>

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

}  // namespace

void RegisterTable::open(Connection& connection) {
    auto& s = statements_;
    s.find_lane = connection.prepare("SELECT id FROM lane WHERE destination=? AND liid=?");
    s.insert_lane = connection.prepare("INSERT INTO lane(destination, liid, provided, last) VALUES(?, ?, 0, ?)");
    s.save_use = connection.prepare("UPDATE lane SET last=max(last, ?) WHERE id=?");
    s.put_warrant = connection.prepare(
        "INSERT INTO warrant(destination, liid, file, octets, missing) VALUES(?, ?, ?, ?, ?) "
        "ON CONFLICT(destination, liid) DO UPDATE SET file=excluded.file, octets=excluded.octets, "
        "missing=excluded.missing");
    s.mark_warrant = connection.prepare("UPDATE warrant SET missing=? WHERE destination=? AND liid=?");
    s.remove_warrant = connection.prepare("DELETE FROM warrant WHERE destination=? AND liid=?");
    s.put_pause = connection.prepare(
        "INSERT INTO pause(destination, since, who) VALUES(?, ?, ?) ON CONFLICT(destination) DO NOTHING");
    s.remove_pause = connection.prepare("DELETE FROM pause WHERE destination=?");
    s.put_revocation = connection.prepare(
        "INSERT OR REPLACE INTO revocation(destination, liid, from_seconds, from_nanos, file, at, who, why) "
        "VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
    s.remove_revocation = connection.prepare("DELETE FROM revocation WHERE destination=? AND liid=?");
    s.put_pending = connection.prepare(
        "INSERT INTO pending_warrant(destination, liid, digest, file, since, refused, who, why) "
        "VALUES(?, ?, ?, ?, ?, 0, '', '')");
    s.find_pending =
        connection.prepare("SELECT refused FROM pending_warrant WHERE destination=? AND liid=? AND digest=?");
    s.refuse_pending =
        connection.prepare("UPDATE pending_warrant SET refused=?3, who=?4, why=?5 WHERE destination=?1 AND liid=?2");
    s.remove_pending = connection.prepare("DELETE FROM pending_warrant WHERE destination=? AND liid=?");
    s.put_approval = connection.prepare(
        "INSERT INTO warrant_approval(destination, liid, uid, who, at) VALUES(?, ?, ?, ?, ?) ON CONFLICT DO NOTHING");
    s.count_approvals = connection.prepare("SELECT count(*) FROM warrant_approval WHERE destination=? AND liid=?");
    s.remove_approvals = connection.prepare("DELETE FROM warrant_approval WHERE destination=? AND liid=?");
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
    Statement lanes = connection.prepare("SELECT id, destination, liid, provided FROM lane ORDER BY id");
    for (Rows rows(lanes); rows.next();) {
        catalogue.add_lane({rows->integer(0), std::string(rows->bytes(1)), std::string(rows->bytes(2))},
                           static_cast<std::uint32_t>(rows->integer(3)));
    }
}

LaneId RegisterTable::lane(Transaction& transaction, std::string_view destination, std::string_view liid) {
    {
        statements_.find_lane.bind(1, destination).bind(2, liid);
        Rows rows(statements_.find_lane);
        if (rows.next()) {
            return rows->integer(0);
        }
    }
    // Whatever this transaction tells of it comes later, or is this entry.
    statements_.insert_lane.bind(1, destination).bind(2, liid).bind(3, transaction.last_id() + 1).run();
    const LaneId id = transaction.connection.last_inserted();
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
        "AND w.liid=lane.liid) AND NOT EXISTS(SELECT 1 FROM conversation c WHERE c.lane=lane.id) AND id NOT IN (SELECT "
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

std::vector<StoredWarrant> RegisterTable::warrants(Connection& connection) {
    std::vector<StoredWarrant> warrants;
    Statement select = connection.prepare("SELECT file, destination, liid, octets, missing FROM warrant");
    for (Rows rows(select); rows.next();) {
        warrants.push_back({std::string(rows->bytes(0)),
                            std::string(rows->bytes(1)),
                            std::string(rows->bytes(2)),
                            std::string(rows->bytes(3)),
                            {},
                            rows->integer(4) != 0});
    }
    return warrants;
}

std::vector<StoredRevocation> RegisterTable::revocations(Connection& connection) {
    std::vector<StoredRevocation> revocations;
    Statement select = connection.prepare(
        "SELECT destination, liid, from_seconds, from_nanos, file, at, who, why FROM revocation ORDER BY destination, "
        "liid");
    for (Rows rows(select); rows.next();) {
        revocations.push_back({std::string(rows->bytes(0)),
                               std::string(rows->bytes(1)),
                               {rows->integer(2), static_cast<std::int32_t>(rows->integer(3))},
                               std::string(rows->bytes(4)),
                               model::Instant::from_micros(rows->integer(5)),
                               std::string(rows->bytes(6)),
                               std::string(rows->bytes(7))});
    }
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

void RegisterTable::change_warrants(Transaction& transaction, const WarrantChanges& changes) {
    for (const auto& [list, kind] : {std::pair(&changes.in_force, audit::Kind::warrant_in_force),
                                     std::pair(&changes.changed, audit::Kind::warrant_changed)}) {
        for (const StoredWarrant& warrant : *list) {
            statements_.put_warrant.bind(1, std::string_view(warrant.destination))
                .bind(2, std::string_view(warrant.liid))
                .bind(3, std::string_view(warrant.file))
                .bind_blob(4, warrant.bytes)
                .bind(5, std::int64_t{warrant.missing})
                .run();
            tell(transaction, kind, warrant, changes.who);
        }
    }
    for (const StoredWarrant& warrant : changes.marked) {
        statements_.mark_warrant.bind(1, std::int64_t{warrant.missing})
            .bind(2, std::string_view(warrant.destination))
            .bind(3, std::string_view(warrant.liid))
            .run();
    }
    for (const StoredWarrant& warrant : changes.ended) {
        statements_.remove_warrant.bind(1, std::string_view(warrant.destination))
            .bind(2, std::string_view(warrant.liid))
            .run();
        tell(transaction, audit::Kind::warrant_ended, warrant, changes.who);
    }
    for (const auto& [destination, liid] : changes.lifted) {
        statements_.remove_revocation.bind(1, std::string_view(destination)).bind(2, std::string_view(liid)).run();
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
            .run();
        is_new = transaction.connection.changes() > 0;
    }
    if (is_new) {
        tell(transaction, decision.approve ? audit::Kind::warrant_approved : audit::Kind::warrant_refused,
             {destination, liid}, decision.who, decision.why);
    }
    s.count_approvals.bind(1, destination).bind(2, liid);
    Rows rows(s.count_approvals);
    return rows.next() ? static_cast<std::size_t>(rows->integer(0)) : 0;
}

std::vector<StoredPendingWarrant> RegisterTable::pending_warrants(Connection& connection) {
    std::vector<StoredPendingWarrant> all;
    Statement select = connection.prepare(
        "SELECT destination, liid, digest, file, since, refused, who, why FROM pending_warrant ORDER BY destination, "
        "liid");
    Statement approvals =
        connection.prepare("SELECT uid, who, at FROM warrant_approval WHERE destination=? AND liid=? ORDER BY at, uid");
    for (Rows rows(select); rows.next();) {
        StoredPendingWarrant& pending = all.emplace_back();
        pending.destination = rows->bytes(0);
        pending.liid = rows->bytes(1);
        const std::string_view digest = rows->bytes(2);
        std::ranges::copy_n(digest.begin(), static_cast<std::ptrdiff_t>(std::min(digest.size(), pending.digest.size())),
                            pending.digest.begin());
        pending.file = rows->bytes(3);
        pending.since = model::Instant::from_micros(rows->integer(4));
        pending.refused = rows->integer(5) != 0;
        pending.who = rows->bytes(6);
        pending.why = rows->bytes(7);
        approvals.bind(1, std::string_view(pending.destination)).bind(2, std::string_view(pending.liid));
        for (Rows each(approvals); each.next();) {
            pending.approvals.push_back({static_cast<std::uint32_t>(each->integer(0)), std::string(each->bytes(1)),
                                         model::Instant::from_micros(each->integer(2))});
        }
    }
    return all;
}

void RegisterTable::revoke(Transaction& transaction, const StoredRevocation& revocation) {
    const std::string_view destination = revocation.destination;
    const std::string_view liid = revocation.liid;
    statements_.remove_warrant.bind(1, destination).bind(2, liid).run();
    statements_.put_revocation.bind(1, destination)
        .bind(2, liid)
        .bind(3, revocation.valid_from.seconds)
        .bind(4, std::int64_t{revocation.valid_from.nanos})
        .bind(5, std::string_view(revocation.file))
        .bind(6, transaction.now.micros())
        .bind(7, std::string_view(revocation.who))
        .bind(8, std::string_view(revocation.why))
        .run();
    tell(transaction, audit::Kind::warrant_revoked, {destination, liid}, revocation.who, revocation.why);
}

std::vector<StoredPause> RegisterTable::pauses(Connection& connection) {
    std::vector<StoredPause> pauses;
    Statement select = connection.prepare("SELECT destination, since, who FROM pause ORDER BY destination");
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
