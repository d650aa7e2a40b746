#include "register_table.hpp"

#include <algorithm>
#include <iterator>
#include <span>
#include <string>

#include "columns.hpp"
#include "common/contents.hpp"
#include "row_names.hpp"

namespace lihandover::store::postgresql {

namespace {

std::uint32_t bit_of(std::int64_t schema_number) {
    return schema_number >= 1 && schema_number <= 32 ? std::uint32_t{1} << (schema_number - 1) : 0;
}

template <typename Entry>
std::pair<std::string_view, std::string_view> lane_name_of(const Entry& entry) {
    return {entry.destination, entry.liid};
}

Parameters named(std::string_view destination, std::string_view token) {
    return Parameters().add_text(destination).add(token);
}

void add_profiles(const Rows& profiles, Catalogue& catalogue) {
    for (int row = 0; row < profiles.size(); ++row) {
        const auto text = [&](int column) { return std::string(profiles.bytes(row, column)); };
        model::Profile profile;
        profile.sender = {text(1), text(2)};
        profile.receiver = {text(3), text(4)};
        profile.etsi_version = text(5);
        profile.national_profile_owner = text(6);
        profile.national_profile_version = text(7);
        profile.schema_identifier = text(8);
        profile.schema_url = text(9);
        profile.writer_version = static_cast<std::uint32_t>(profiles.integer(row, 10));
        if (catalogue.profile_facts(profiles.integer(row, 0)) == nullptr) {
            catalogue.add_profile(profiles.integer(row, 0), std::move(profile), bit_of(profiles.integer(row, 11)));
        }
    }
}

/// The LIID has to be the one that the row is looked up by: sealed, it could have come from an older state.
void add_lanes(const Rows& lanes, Catalogue& catalogue, const Keyring& keyring) {
    for (int row = 0; row < lanes.size(); ++row) {
        if (catalogue.lane_of_writer(lanes.integer(row, 0)) != nullptr) {
            continue;
        }
        const std::string destination(lanes.bytes(row, 1));
        const auto liid = opened(keyring, "lane.liid", row_name(lanes.integer(row, 0)), lanes, row, 3);
        const bool good = liid && token_of(keyring, destination, *liid) == lanes.bytes(row, 2);
        catalogue.add_lane({lanes.integer(row, 0), destination, good ? *liid : "", !good},
                           static_cast<std::uint32_t>(lanes.integer(row, 4)));
    }
}

constexpr const char* select_profiles =
    "SELECT id, sender_country, sender_identifier, receiver_country, receiver_identifier, etsi_version, "
    "national_owner, national_version, schema_identifier, schema_url, writer_version, (SELECT s.id FROM "
    "schema_identifier s WHERE s.identifier=p.schema_identifier) FROM profile p ";
constexpr const char* select_lanes = "SELECT id, destination, liid, sealed, provided FROM lane ";

/// The LIID of the lane that a row's token stands for.
constexpr const char* join_lane = " LEFT JOIN lane l ON l.destination=w.destination AND l.liid=w.liid";

}  // namespace

void RegisterTable::load(Connection& connection, Catalogue& catalogue) const {
    add_profiles(connection.read(std::string(select_profiles) + "ORDER BY p.id"), catalogue);
    add_lanes(connection.read(std::string(select_lanes) + "ORDER BY id"), catalogue, keyring_);
}

void RegisterTable::learn_lanes(Connection& connection, Catalogue& catalogue, const Keyring& keyring,
                                std::span<const LaneId> lanes) {
    std::vector<std::int64_t> unknown;
    std::ranges::copy_if(lanes, std::back_inserter(unknown),
                         [&](LaneId lane) { return catalogue.lane_of_writer(lane) == nullptr; });
    if (!unknown.empty()) {
        add_lanes(
            connection.read(std::string(select_lanes) + "WHERE id=ANY($1) ORDER BY id", Parameters().add(unknown)),
            catalogue, keyring);
    }
}

void RegisterTable::learn_profiles(Connection& connection, Catalogue& catalogue) {
    add_profiles(connection.read(std::string(select_profiles) + "ORDER BY p.id"), catalogue);
}

LaneId RegisterTable::learn(Connection& connection, Catalogue& catalogue, const Keyring& keyring, LaneId behind) {
    Asked profiles = connection.ask(std::string(select_profiles) + "ORDER BY p.id");
    const Rows lanes =
        connection.read(std::string(select_lanes) + "WHERE id > $1 ORDER BY id", Parameters().add(behind));
    add_profiles(connection.answer(profiles), catalogue);
    add_lanes(lanes, catalogue, keyring);
    return lanes.empty() ? behind : lanes.integer(lanes.size() - 1, 0);
}

std::vector<LaneId> RegisterTable::lanes(Transaction& transaction,
                                         std::span<const std::pair<std::string, std::string>> pairs) {
    std::vector<std::string> destinations;
    std::vector<std::string> tokens;
    for (const auto& [destination, liid] : pairs) {
        destinations.push_back(destination);
        tokens.push_back(token_of(keyring_, destination, liid));
    }
    const Rows rows = transaction.connection.read(
        "SELECT q.place, l.id FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS q(destination, liid, place) JOIN "
        "lane l ON l.destination=q.destination AND l.liid=q.liid",
        Parameters().add_texts(destinations).add(tokens));
    std::vector<LaneId> ids(pairs.size());
    for (int row = 0; row < rows.size(); ++row) {
        const Lane* known = transaction.catalogue.lane_of_writer(rows.integer(row, 1));
        if (known != nullptr && !known->liid_lost) {
            ids.at(static_cast<std::size_t>(rows.integer(row, 0)) - 1) = rows.integer(row, 1);
        }
    }
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] == 0) {
            ids[i] = lane(transaction, pairs[i].first, pairs[i].second);
        }
    }
    return ids;
}

LaneId RegisterTable::lane(Transaction& transaction, std::string_view destination, std::string_view liid) {
    Connection& connection = transaction.connection;
    const std::string token = token_of(keyring_, destination, liid);
    constexpr const char* find = "SELECT id, sealed FROM lane WHERE destination=$1 AND liid=$2";
    Rows rows = connection.read(find, named(destination, token));
    if (rows.empty()) {
        // Another daemon may make it at the same time: then its number is found.
        connection.write("INSERT INTO lane(destination, liid, provided) VALUES($1, $2, 0) ON CONFLICT DO NOTHING",
                         named(destination, token));
        rows = connection.read(find, named(destination, token));
    }
    if (rows.empty()) {
        throw PgFailure(Trouble::conflict, "a lane was made and removed at the same time");
    }
    const LaneId id = rows.integer(0, 0);
    const std::string name = row_name(id);
    const Lane* known = transaction.catalogue.lane_of_writer(id);
    if (known != nullptr && !known->liid_lost) {
        return id;
    }
    // One whose LIID could not be opened gets it again.
    if (rows.is_null(0, 1) || !keyring_.unseal("lane.liid", name, rows.bytes(0, 1))) {
        connection.write("UPDATE lane SET sealed=$2 WHERE id=$1",
                         Parameters().add(id).add(std::string_view(sealed(keyring_, "lane.liid", name, liid))));
    }
    transaction.effects.lanes.push_back({id, std::string(destination), std::string(liid)});
    return id;
}

ProfileId RegisterTable::profile(Transaction& transaction, const model::Profile& profile) {
    if (const ProfileId known = transaction.catalogue.find_profile_like(profile); known != 0) {
        return known;
    }
    Connection& connection = transaction.connection;
    // Not by an insert that does nothing: that would use up numbers, and there are bits for 32.
    const Parameters identifier = Parameters().add_text(profile.schema_identifier);
    Rows schema = connection.read("SELECT id FROM schema_identifier WHERE identifier=$1", identifier);
    if (schema.empty()) {
        schema = connection.read(
            "INSERT INTO schema_identifier(identifier) VALUES($1) ON CONFLICT DO NOTHING RETURNING id", identifier);
    }
    if (schema.empty()) {  // another daemon made it at the same time
        schema = connection.read("SELECT id FROM schema_identifier WHERE identifier=$1", identifier);
    }
    const Rows made = connection.read(
        "INSERT INTO profile(sender_country, sender_identifier, receiver_country, receiver_identifier, etsi_version, "
        "national_owner, national_version, schema_identifier, schema_url, writer_version) VALUES($1, $2, $3, $4, $5, "
        "$6, $7, $8, $9, $10) RETURNING id",
        Parameters()
            .add_text(profile.sender.country_code)
            .add_text(profile.sender.unique_identifier)
            .add_text(profile.receiver.country_code)
            .add_text(profile.receiver.unique_identifier)
            .add_text(profile.etsi_version)
            .add_text(profile.national_profile_owner)
            .add_text(profile.national_profile_version)
            .add_text(profile.schema_identifier)
            .add_text(profile.schema_url)
            .add(std::int64_t{profile.writer_version}));
    const ProfileId id = made.integer(0, 0);
    transaction.effects.profiles.push_back({id, bit_of(schema.integer(0, 0)), profile});
    return id;
}

std::vector<StoredWarrant> RegisterTable::warrants(Connection& connection) const {
    std::vector<StoredWarrant> warrants;
    const Rows rows = connection.read(
        std::string("SELECT w.destination, w.liid, w.file, w.key, w.octets, w.missing, l.id, l.sealed FROM warrant w") +
        join_lane);
    for (int row = 0; row < rows.size(); ++row) {
        const LaneId lane = rows.integer(row, 6);
        const auto liid = opened(keyring_, "lane.liid", row_name(lane), rows, row, 7);
        const auto file = opened(keyring_, "warrant.file", row_name(rows.bytes(row, 1)), rows, row, 2);
        const auto key = key_of(keyring_, rows.bytes(row, 3));
        auto octets = key ? unseal_content(*key, lane, rows.bytes(row, 4), "warrant") : std::nullopt;
        // The warrant's file may still say the same, and makes it anew.
        if (!octets || !liid) {
            keyring_.note_unreadable("warrant");
            continue;
        }
        warrants.push_back({file.value_or(""),
                            std::string(rows.bytes(row, 0)),
                            *liid,
                            std::move(*octets),
                            {},
                            rows.integer(row, 5) != 0});
    }
    return warrants;
}

std::vector<StoredRevocation> RegisterTable::revocations(Connection& connection) const {
    std::vector<StoredRevocation> revocations;
    const Rows rows = connection.read(
        std::string("SELECT w.destination, w.liid, w.name, w.from_seconds, w.from_nanos, w.file, w.at, w.who, w.why, "
                    "l.id, l.sealed FROM revocation w") +
        join_lane);
    for (int row = 0; row < rows.size(); ++row) {
        const std::string name = name_of_revocation(rows.bytes(row, 1), rows.integer(row, 3), rows.integer(row, 4));
        const auto text = [&](std::string_view place, int column) {
            return opened(keyring_, place, name, rows, row, column);
        };
        auto liid = text("revocation.name", 2);
        if (!liid) {
            liid = opened(keyring_, "lane.liid", row_name(rows.integer(row, 9)), rows, row, 10);
        }
        revocations.push_back({std::string(rows.bytes(row, 0)),
                               liid.value_or(""),
                               {rows.integer(row, 3), static_cast<std::int32_t>(rows.integer(row, 4))},
                               text("revocation.file", 5).value_or(""),
                               model::Instant::from_micros(rows.integer(row, 6)),
                               text("revocation.who", 7).value_or(""),
                               text("revocation.why", 8).value_or("")});
    }
    std::ranges::sort(revocations, {}, lane_name_of<StoredRevocation>);
    return revocations;
}

std::vector<StoredPendingWarrant> RegisterTable::pending_warrants(Connection& connection) const {
    std::vector<StoredPendingWarrant> all;
    const Rows rows = connection.read(
        std::string("SELECT w.destination, w.liid, w.digest, w.file, w.since, w.refused, w.who, w.why, l.id, l.sealed "
                    "FROM pending_warrant w") +
        join_lane);
    for (int row = 0; row < rows.size(); ++row) {
        const std::string token = row_name(rows.bytes(row, 1));
        const bool refused = rows.integer(row, 5) != 0;
        const std::string said = name_of_pending(rows.bytes(row, 1), refused);
        StoredPendingWarrant& pending = all.emplace_back();
        pending.destination = rows.bytes(row, 0);
        pending.liid = opened(keyring_, "lane.liid", row_name(rows.integer(row, 8)), rows, row, 9).value_or("");
        const std::string digest = opened(keyring_, "pending_warrant.digest", token, rows, row, 2).value_or("");
        std::ranges::copy_n(digest.begin(), static_cast<std::ptrdiff_t>(std::min(digest.size(), pending.digest.size())),
                            pending.digest.begin());
        pending.file = opened(keyring_, "pending_warrant.file", token, rows, row, 3).value_or("");
        pending.since = model::Instant::from_micros(rows.integer(row, 4));
        const auto who = opened(keyring_, "pending_warrant.who", said, rows, row, 6);
        // Where that was altered nobody knows what was said: it has to be approved anew, and its file to change for
        // that.
        pending.refused = refused || !who;
        pending.who = who.value_or("");
        pending.why = opened(keyring_, "pending_warrant.why", said, rows, row, 7).value_or("");
        add_approvals(connection, pending);
    }
    std::ranges::sort(all, {}, lane_name_of<StoredPendingWarrant>);
    return all;
}

void RegisterTable::add_approvals(Connection& connection, StoredPendingWarrant& pending) const {
    const std::string token = token_of(keyring_, pending.destination, pending.liid);
    const Rows rows =
        connection.read("SELECT uid, who, at FROM warrant_approval WHERE destination=$1 AND liid=$2 ORDER BY at, uid",
                        named(pending.destination, token));
    for (int row = 0; row < rows.size(); ++row) {
        const auto uid = static_cast<std::uint32_t>(rows.integer(row, 0));
        const auto who =
            opened(keyring_, "warrant_approval.who",
                   name_of_approval(token, uid, text_of(std::span<const std::uint8_t>(pending.digest))), rows, row, 1);
        // What was not said about this version, by this user, counts for nothing.
        if (who) {
            pending.approvals.push_back({uid, *who, model::Instant::from_micros(rows.integer(row, 2))});
        }
    }
}

std::vector<StoredPause> RegisterTable::pauses(Connection& connection) const {
    std::vector<StoredPause> pauses;
    // In the order of their bytes, whatever the database's own order is.
    const Rows rows = connection.read("SELECT destination, since, who FROM pause ORDER BY destination COLLATE \"C\"");
    pauses.reserve(static_cast<std::size_t>(rows.size()));
    for (int row = 0; row < rows.size(); ++row) {
        pauses.push_back({std::string(rows.bytes(row, 0)), model::Instant::from_micros(rows.integer(row, 1)),
                          opened(keyring_, "pause.who", row_name(rows.bytes(row, 0)), rows, row, 2).value_or("")});
    }
    return pauses;
}

void RegisterTable::tell(Transaction& transaction, audit::Kind kind, const Pair& warrant, std::string_view who,
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

/// Each version has a key of its own: an older one that somebody puts back cannot be opened.
void RegisterTable::put_warrant(Transaction& transaction, const StoredWarrant& warrant) {
    const LaneId id = lane(transaction, warrant.destination, warrant.liid);
    const std::string token = token_of(keyring_, warrant.destination, warrant.liid);
    const RowKey key = RowKey::draw(keyring_);
    transaction.connection.write(
        "INSERT INTO warrant(destination, liid, file, key, octets, missing) VALUES($1, $2, $3, $4, $5, $6) ON CONFLICT "
        "(destination, liid) DO UPDATE SET file=excluded.file, key=excluded.key, octets=excluded.octets, "
        "missing=excluded.missing",
        named(warrant.destination, token)
            .add(std::string_view(sealed(keyring_, "warrant.file", row_name(token), warrant.file)))
            .add(std::string_view(key.column))
            .add(std::string_view(seal_content(key.key, id, warrant.bytes, "warrant")))
            .add(std::int64_t{warrant.missing}));
}

void RegisterTable::change_warrants(Transaction& transaction, const WarrantChanges& changes) {
    const auto at = [&](std::string_view destination, std::string_view liid) {
        return named(destination, token_of(keyring_, destination, liid));
    };
    for (const auto& [list, kind] : {std::pair(&changes.in_force, audit::Kind::warrant_in_force),
                                     std::pair(&changes.changed, audit::Kind::warrant_changed)}) {
        for (const StoredWarrant& warrant : *list) {
            put_warrant(transaction, warrant);
            tell(transaction, kind, lane_name_of(warrant), changes.who, warrant.said());
        }
    }
    for (const StoredWarrant& warrant : changes.marked) {
        transaction.connection.write("UPDATE warrant SET missing=$3 WHERE destination=$1 AND liid=$2",
                                     at(warrant.destination, warrant.liid).add(std::int64_t{warrant.missing}));
    }
    for (const StoredWarrant& warrant : changes.ended) {
        transaction.connection.write("DELETE FROM warrant WHERE destination=$1 AND liid=$2",
                                     at(warrant.destination, warrant.liid));
        tell(transaction, audit::Kind::warrant_ended, lane_name_of(warrant), changes.who, warrant.said());
    }
    for (const LiftedRevocation& lifted : changes.lifted) {
        const Rows gone =
            transaction.connection.read("DELETE FROM revocation WHERE destination=$1 AND liid=$2 RETURNING at",
                                        at(lifted.destination, lifted.liid));
        if (!gone.empty()) {
            tell(transaction, audit::Kind::revocation_lifted, lane_name_of(lifted), changes.who, lifted.why);
        }
    }
    for (const StoredRevocation& revocation : changes.revoked) {
        revoke(transaction, revocation);
    }
    for (const auto& [destination, liid] : changes.settled) {
        settle(transaction, token_of(keyring_, destination, liid), destination);
    }
    for (const StoredPendingWarrant& pending : changes.pending) {
        put_pending(transaction, pending, changes.who);
    }
}

void RegisterTable::settle(Transaction& transaction, std::string_view token, std::string_view destination) const {
    transaction.connection.write("DELETE FROM pending_warrant WHERE destination=$1 AND liid=$2",
                                 named(destination, token));
    transaction.connection.write("DELETE FROM warrant_approval WHERE destination=$1 AND liid=$2",
                                 named(destination, token));
}

void RegisterTable::put_pending(Transaction& transaction, const StoredPendingWarrant& pending, std::string_view who) {
    const std::string token = token_of(keyring_, pending.destination, pending.liid);
    settle(transaction, token, pending.destination);
    const std::string name = row_name(token);
    const std::string said = name_of_pending(token, false);
    transaction.connection.write(
        "INSERT INTO pending_warrant(destination, liid, digest, file, since, refused, who, why) VALUES($1, $2, $3, $4, "
        "$5, 0, $6, $7)",
        named(pending.destination, token)
            .add(std::string_view(sealed(keyring_, "pending_warrant.digest", name,
                                         text_of(std::span<const std::uint8_t>(pending.digest)))))
            .add(std::string_view(sealed(keyring_, "pending_warrant.file", name, pending.file)))
            .add(transaction.now.micros())
            .add(std::string_view(sealed(keyring_, "pending_warrant.who", said, "")))
            .add(std::string_view(sealed(keyring_, "pending_warrant.why", said, ""))));
    tell(transaction, audit::Kind::warrant_pending, lane_name_of(pending), who, pending.file + ": " + pending.terms);
}

std::size_t RegisterTable::count_approvals(Transaction& transaction, const WarrantDecision& decision,
                                           std::string_view token) const {
    const Rows rows = transaction.connection.read(
        "SELECT uid, who FROM warrant_approval WHERE destination=$1 AND liid=$2", named(decision.destination, token));
    std::size_t count = 0;
    for (int row = 0; row < rows.size(); ++row) {
        const std::string name = name_of_approval(token, static_cast<std::uint32_t>(rows.integer(row, 0)),
                                                  text_of(std::span<const std::uint8_t>(decision.digest)));
        count += keyring_.unseal("warrant_approval.who", name, rows.bytes(row, 1)) ? 1U : 0U;
    }
    return count;
}

std::optional<std::size_t> RegisterTable::decide_warrant(Transaction& transaction, const WarrantDecision& decision) {
    Connection& connection = transaction.connection;
    const std::string token = token_of(keyring_, decision.destination, decision.liid);
    const std::string_view digest = text_of(std::span<const std::uint8_t>(decision.digest));
    const auto at = [&] { return named(decision.destination, token); };
    const Rows found = connection.read(
        "SELECT refused, digest FROM pending_warrant WHERE destination=$1 AND liid=$2 FOR UPDATE", at());
    if (found.empty() || keyring_.unseal("pending_warrant.digest", row_name(token), found.bytes(0, 1)) != digest) {
        return std::nullopt;
    }
    if (!decision.approve) {
        connection.write("DELETE FROM warrant_approval WHERE destination=$1 AND liid=$2", at());
    }
    if (!decision.approve || found.integer(0, 0) != 0) {
        const std::string said = name_of_pending(token, !decision.approve);
        const std::string_view who = decision.approve ? std::string_view() : decision.who;
        const std::string_view why = decision.approve ? std::string_view() : decision.why;
        connection.write("UPDATE pending_warrant SET refused=$3, who=$4, why=$5 WHERE destination=$1 AND liid=$2",
                         at().add(std::int64_t{!decision.approve})
                             .add(std::string_view(sealed(keyring_, "pending_warrant.who", said, who)))
                             .add(std::string_view(sealed(keyring_, "pending_warrant.why", said, why))));
    }
    bool is_new = true;
    if (decision.approve) {
        const Rows put = connection.read(
            "INSERT INTO warrant_approval(destination, liid, uid, who, at) VALUES($1, $2, $3, $4, $5) ON CONFLICT DO "
            "NOTHING RETURNING uid",
            at().add(std::int64_t{decision.uid})
                .add(std::string_view(sealed(keyring_, "warrant_approval.who",
                                             name_of_approval(token, decision.uid, digest), decision.who)))
                .add(transaction.now.micros()));
        is_new = !put.empty();
    }
    if (is_new) {
        tell(transaction, decision.approve ? audit::Kind::warrant_approved : audit::Kind::warrant_refused,
             lane_name_of(decision), decision.who, decision.why);
    }
    return count_approvals(transaction, decision, token);
}

void RegisterTable::revoke(Transaction& transaction, const StoredRevocation& revocation) {
    const std::string token = token_of(keyring_, revocation.destination, revocation.liid);
    const std::string name = name_of_revocation(token, revocation.valid_from.seconds, revocation.valid_from.nanos);
    const auto text = [&](std::string_view place, std::string_view words) {
        return sealed(keyring_, place, name, words);
    };
    transaction.connection.write("DELETE FROM warrant WHERE destination=$1 AND liid=$2",
                                 named(revocation.destination, token));
    transaction.connection.write(
        "INSERT INTO revocation(destination, liid, name, from_seconds, from_nanos, file, at, who, why) VALUES($1, $2, "
        "$3, $4, $5, $6, $7, $8, $9) ON CONFLICT (destination, liid) DO UPDATE SET name=excluded.name, "
        "from_seconds=excluded.from_seconds, from_nanos=excluded.from_nanos, file=excluded.file, at=excluded.at, "
        "who=excluded.who, why=excluded.why",
        named(revocation.destination, token)
            .add(std::string_view(text("revocation.name", revocation.liid)))
            .add(revocation.valid_from.seconds)
            .add(std::int64_t{revocation.valid_from.nanos})
            .add(std::string_view(text("revocation.file", revocation.file)))
            .add(transaction.now.micros())
            .add(std::string_view(text("revocation.who", revocation.who)))
            .add(std::string_view(text("revocation.why", revocation.why))));
    const std::string why =
        revocation.hold == Review::none ? revocation.why : revocation.why + " (what was queued is held)";
    tell(transaction, audit::Kind::warrant_revoked, lane_name_of(revocation), revocation.who, why);
}

void RegisterTable::pause(Transaction& transaction, std::string_view destination, std::string_view who) {
    const Rows put = transaction.connection.read(
        "INSERT INTO pause(destination, since, who) VALUES($1, $2, $3) ON CONFLICT DO NOTHING RETURNING since",
        Parameters()
            .add_text(destination)
            .add(transaction.now.micros())
            .add(std::string_view(sealed(keyring_, "pause.who", row_name(destination), who))));
    if (!put.empty()) {
        // The lane without a LIID stands for the whole destination.
        tell(transaction, audit::Kind::destination_paused, {destination, ""}, who, "");
    }
}

void RegisterTable::resume(Transaction& transaction, std::string_view destination, std::string_view who) {
    const Rows gone = transaction.connection.read("DELETE FROM pause WHERE destination=$1 RETURNING since",
                                                  Parameters().add_text(destination));
    if (!gone.empty()) {
        tell(transaction, audit::Kind::destination_resumed, {destination, ""}, who, "");
    }
}

}  // namespace lihandover::store::postgresql
