#include "register_table.hpp"

#include <algorithm>
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

void RegisterTable::tell(Transaction& transaction, audit::Kind kind, const StoredWarrant& warrant,
                         std::string_view who) {
    const LaneId id = lane(transaction, warrant.destination, warrant.liid);
    audit::Entry entry;
    entry.kind = kind;
    entry.at = transaction.now;
    // The catalogue learns of a new lane after the commit only.
    entry.destination = warrant.destination;
    entry.liid = warrant.liid;
    entry.who = who;
    const std::string said = warrant.said();
    entry.why = said;
    audit_.append(transaction, id, 0, entry);
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
