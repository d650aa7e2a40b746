#include "warrant_set_table.hpp"

#include <string>
#include <utility>

#include "columns.hpp"

namespace lihandover::store::postgresql {

namespace {

/// Files of one set are numbered from this times its version on. More than one can have.
constexpr std::int64_t numbers_of_a_set = std::int64_t{1} << 24U;

/// There from the beginning.
Rows the_one(Rows rows) {
    if (rows.size() != 1) {
        throw PgFailure(Trouble::damaged, "the table of the set of warrants has not one row");
    }
    return rows;
}

}  // namespace

/// Each daemon's transaction locks its own row of `node`, and reads there which state counts. So once all rows have
/// been locked and changed here, nothing that was matched with an older one is committed behind this.
void WarrantSetTable::count_up(Transaction& transaction) {
    Connection& connection = transaction.connection;
    // First what a daemon that joins reads with its row: it is there by then, or reads what is written here.
    connection.write("UPDATE warrant_set SET state=state+1");
    connection.write("SELECT id FROM node ORDER BY id FOR NO KEY UPDATE");
    connection.write("UPDATE node SET warrants=(SELECT state FROM warrant_set)");
}

std::optional<std::uint64_t> WarrantSetTable::apply(Transaction& transaction, const NewSet& set) {
    Connection& connection = transaction.connection;
    count_up(transaction);
    const Rows newest = the_one(connection.read("SELECT state, version FROM warrant_set"));
    if (newest.integer(0, 0) != static_cast<std::int64_t>(set.before) + 1) {
        // Counting up alone does no harm, and spares taking back what else there is in this transaction.
        return std::nullopt;
    }
    const std::int64_t version = newest.integer(0, 1) + 1;
    connection.write(
        "UPDATE warrant_set SET version=$1, at=$2, who=$3",
        Parameters()
            .add(version)
            .add(transaction.now.micros())
            .add(std::string_view(sealed(keyring_, "warrant_set.who", row_name(std::int64_t{1}), set.who))));
    connection.write("DELETE FROM warrant_file");
    put_files(transaction, version, set.files);
    tell(transaction, set, version);
    return static_cast<std::uint64_t>(version);
}

void WarrantSetTable::put_files(Transaction& transaction, std::int64_t version,
                                const std::vector<SetFile>& files) const {
    std::vector<std::int64_t> ids;
    std::vector<std::int64_t> owners;
    std::vector<std::string> names;
    std::vector<std::string> texts;
    for (const SetFile& file : files) {
        const std::int64_t id = version * numbers_of_a_set + static_cast<std::int64_t>(ids.size());
        ids.push_back(id);
        owners.push_back(file.uid);
        names.push_back(sealed(keyring_, "warrant_file.name", row_name(id), file.name));
        texts.push_back(sealed(keyring_, "warrant_file.octets", row_name(id), file.text));
    }
    if (ids.empty()) {
        return;
    }
    transaction.connection.write(
        "INSERT INTO warrant_file(id, owner, name, octets) SELECT * FROM unnest($1::bigint[], $2::bigint[], "
        "$3::bytea[], $4::bytea[])",
        Parameters().add(ids).add(owners).add(names).add(texts));
}

void WarrantSetTable::tell(Transaction& transaction, const NewSet& set, std::int64_t version) {
    const std::string why = "version " + std::to_string(version) + ": " + set.why;
    audit::Entry entry;
    entry.kind = audit::Kind::warrants_applied;
    entry.at = transaction.now;
    entry.who = set.who;
    entry.why = why;
    audit_.append(transaction, 0, 0, entry);
}

std::uint64_t state_of_warrants(Reader& from) {
    return static_cast<std::uint64_t>(the_one(from.connection.read("SELECT state FROM warrant_set")).integer(0, 0));
}

std::optional<AppliedSet> read_set(Reader& from) {
    AppliedSet set;
    const Rows known = the_one(from.connection.read("SELECT state, version, at, who FROM warrant_set"));
    set.state = static_cast<std::uint64_t>(known.integer(0, 0));
    set.version = static_cast<std::uint64_t>(known.integer(0, 1));
    if (set.version == 0) {
        return set;
    }
    set.at = model::Instant::from_micros(known.integer(0, 2));
    set.who = opened(from.keyring, "warrant_set.who", row_name(std::int64_t{1}), known, 0, 3).value_or("");
    const Rows files = from.connection.read("SELECT id, owner, name, octets FROM warrant_file ORDER BY id");
    set.files.reserve(static_cast<std::size_t>(files.size()));
    for (int row = 0; row < files.size(); ++row) {
        const std::string place = row_name(files.integer(row, 0));
        auto name = opened(from.keyring, "warrant_file.name", place, files, row, 2);
        auto text = opened(from.keyring, "warrant_file.octets", place, files, row, 3);
        if (!name || !text) {
            return std::nullopt;
        }
        set.files.push_back({std::move(*name), std::move(*text), static_cast<std::uint32_t>(files.integer(row, 1))});
    }
    return set;
}

std::vector<SetPeer> peers_behind(Reader& from, std::int64_t node, std::uint64_t state) {
    std::vector<SetPeer> peers;
    const Rows rows = from.connection.read(
        "SELECT name, warrants_known >= $2 FROM node WHERE id <> $1 AND warrants_followed < $2 AND lease_until > "
        "clock_timestamp() ORDER BY name",
        Parameters().add(node).add(static_cast<std::int64_t>(state)));
    for (int row = 0; row < rows.size(); ++row) {
        peers.push_back({std::string(rows.bytes(row, 0)), rows.boolean(row, 1)});
    }
    return peers;
}

}  // namespace lihandover::store::postgresql
