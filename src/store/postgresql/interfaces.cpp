#include "interfaces.hpp"

#include <spdlog/spdlog.h>

#include <utility>

#include "lihandover/audit/verification.hpp"
#include "operator_reads.hpp"
#include "outbox_reads.hpp"

namespace lihandover::store::postgresql {

namespace {

model::Result<std::unique_ptr<ObjectReader>> open_file(ObjectFiles& files, const SealedObject& object) {
    const auto* file = dynamic_cast<const SealedFile*>(&object);
    if (file == nullptr || !file->in(files)) {
        return model::Error{"the binary object is not of this store"};
    }
    return files.reader(*file);
}

using Page = std::vector<QueuedItem> (*)(Reader&, RowId);

model::Status for_each(ReaderPool& readers, const Holdings& holdings, Page page_of,
                       const std::function<void(const QueuedItem&)>& visit) {
    for (RowId last = 0;;) {
        const auto page = readers.read([&](Reader& from) { return page_of(from, last); });
        if (!page) {
            return page.error();
        }
        if (page->empty()) {
            return {};
        }
        last = page->back().row;
        for (const QueuedItem& item : *page) {
            if (holdings.lease(item.lane).held) {
                visit(item);
            }
        }
    }
}

model::Status for_each_object(ReaderPool& readers, const Holdings& holdings, ObjectState state,
                              const std::function<void(const QueuedObject&)>& visit) {
    for (RowId last = 0;;) {
        const auto page = readers.read([&](Reader& from) { return object_page(from, state, last); });
        if (!page) {
            return page.error();
        }
        last = page->last;
        for (const QueuedObject& object : page->objects) {
            if (holdings.lease(object.lane).held) {
                visit(object);
            }
        }
        if (page->ended) {
            return {};
        }
    }
}

/// An entry of no lane.
void note(Tables& tables, Transaction& in, audit::Kind kind, std::string_view who, std::string_view why) {
    audit::Entry entry;
    entry.kind = kind;
    entry.at = in.now;
    entry.who = who;
    entry.why = why;
    tables.audit.append(in, 0, 0, entry);
}

}  // namespace

// -- ObjectIntake

model::Result<std::unique_ptr<ObjectWriter>> PgObjectIntake::writer() {
    if (!writer_.accepting()) {
        return model::Error{"the store takes nothing at present; see the log"};
    }
    return files_.writer();
}

model::Result<std::unique_ptr<ObjectWriter>> PgObjectIntake::copy_writer(std::uint64_t size) {
    if (!writer_.can_commit()) {
        return model::Error{"the store cannot be written at present; see the log"};
    }
    return files_.copy_writer(size);
}

model::Result<std::vector<std::shared_ptr<const SourceFile>>> PgObjectIntake::pending_files() {
    std::vector<std::shared_ptr<const SourceFile>> files;
    const model::Status status =
        writer_.call([&](Tables& tables, Transaction& in) { files = tables.objects.pending_files(in); });
    if (!status) {
        return status.error();
    }
    return files;
}

// -- KeptCopies

model::Status PgKeptCopies::for_each_kept(std::string_view source, const std::function<void(KeptCopy copy)>& visit) {
    KeptChanges lost;
    std::optional<std::uint64_t> after;
    do {
        auto page = readers_.read(
            [&](Reader& from) { return kept_page(from.connection, from.keyring, database_.node(), source, after); });
        if (!page) {
            return page.error();
        }
        for (KeptCopy& copy : page->copies) {
            visit(std::move(copy));
        }
        lost.let_go.insert(lost.let_go.end(), page->lost.begin(), page->lost.end());
        after = page->last;
    } while (after);
    if (lost.empty()) {
        return {};
    }
    spdlog::error("store: {} copies of unfinished sessions and messages cannot be unsealed; what they began is lost",
                  lost.let_go.size());
    return writer_.call([&](Tables&, Transaction& in) { KeptTable::apply(in, source, lost); });
}

model::Result<std::vector<std::string>> PgKeptCopies::sources() {
    return readers_.read([&](Reader& from) { return kept_sources(from.connection, database_.node()); });
}

// -- Outbox

model::Result<std::vector<StoredItem>> PgOutbox::load(std::span<const RowId> rows) {
    return readers_.read([&](Reader& from) { return postgresql::load(from, rows); });
}

model::Status PgOutbox::for_each_queued(const std::function<void(const QueuedItem&)>& visit) {
    return for_each(readers_, holdings_, queued_page, visit);
}

model::Status PgOutbox::for_each_set_aside(const std::function<void(const QueuedItem&)>& visit) {
    return for_each(readers_, holdings_, set_aside_page, visit);
}

// -- UploadOutbox, ObjectDownloads

model::Result<std::optional<StoredObject>> PgUploadOutbox::find_object(const model::Uuid& id) {
    return readers_.read([&](Reader& from) { return postgresql::find_object(from, id); });
}

model::Result<std::unique_ptr<ObjectReader>> PgUploadOutbox::open(const SealedObject& object) const {
    return open_file(files_, object);
}

model::Status PgUploadOutbox::for_each_queued(const std::function<void(const QueuedObject&)>& visit) {
    return for_each_object(readers_, holdings_, ObjectState::queued, visit);
}

model::Status PgUploadOutbox::for_each_set_aside(const std::function<void(const QueuedObject&)>& visit) {
    return for_each_object(readers_, holdings_, ObjectState::set_aside, visit);
}

model::Result<std::optional<StoredObject>> PgObjectDownloads::find_object(const model::Uuid& id) {
    return readers_.read([&](Reader& from) { return postgresql::find_object(from, id); });
}

model::Result<std::unique_ptr<ObjectReader>> PgObjectDownloads::open(const SealedObject& object) const {
    return open_file(files_, object);
}

// -- OperatorView

PgOperatorView::PgOperatorView(Writer& writer, ReaderPool& readers)
    : writer_(writer), readers_(readers), locator_([&readers](const std::vector<model::Uuid>& ids, RowId after) {
          return readers.read([&](Reader& from) { return locate(from, ids, after); });
      }) {}

model::Result<std::vector<ItemView>> PgOperatorView::items(std::optional<ItemState> state, ListPlace after,
                                                           std::size_t limit) {
    return readers_.read([&](Reader& from) { return postgresql::items(from, state, after, limit); });
}

model::Result<std::optional<ItemView>> PgOperatorView::find(const model::Uuid& object_id) {
    return readers_.read([&](Reader& from) { return postgresql::find(from, object_id); });
}

model::Result<Found> PgOperatorView::find_all(std::span<const model::Uuid> object_ids,
                                              std::chrono::milliseconds patience) {
    return readers_.read([&](Reader& from) { return postgresql::find_all(from, object_ids, patience); });
}

model::Result<std::vector<Record>> PgOperatorView::records(std::int64_t after, std::size_t limit) {
    return readers_.read([&](Reader& from) { return postgresql::records(from, after, limit); });
}

model::Result<std::map<std::string, OldestQueued, std::less<>>> PgOperatorView::oldest() {
    return readers_.read([&](Reader& from) { return postgresql::oldest(from, writer_.oldest_places()); });
}

model::Result<std::vector<std::optional<model::Instant>>> PgOperatorView::received(std::span<const RowId> rows) {
    return readers_.read([&](Reader& from) { return postgresql::received(from, rows); });
}

model::Result<HeldLong> PgOperatorView::held_before(model::Instant time) {
    return readers_.read([&](Reader& from) { return postgresql::held_before(from, time); });
}

model::Result<std::optional<StoredItem>> PgOperatorView::content(const model::Uuid& object_id) {
    return readers_.read([&](Reader& from) { return postgresql::content(from, object_id); });
}

model::Status PgOperatorView::clock_accepted(const std::string& who, const std::string& why) {
    return writer_.call(
        [&](Tables& tables, Transaction& in) { note(tables, in, audit::Kind::clock_accepted, who, why); });
}

model::Status PgOperatorView::accept_restore(const std::string& who, const std::string& why) {
    bool any = false;
    model::Status status =
        writer_.call([&](Tables& tables, Transaction& in) { any = tables.audit.accept_restore(in, who, why); });
    if (status && !any) {
        return model::Error{"the store is the one that was there last: there is nothing to accept"};
    }
    return status;
}

void PgOperatorView::reject(std::vector<Meant> items, Reviewer reviewer, std::string why, DoneDecided done) {
    locator_.decide_located(
        std::move(items), std::move(done),
        [this, reviewer = std::move(reviewer), why = std::move(why)](std::vector<Meant> located, DoneDecided answered) {
            writer_.decide(Decisions::reject(std::move(located), reviewer, why, std::move(answered)));
        });
}

// -- Sealing

SealingStatus PgSealing::status() const {
    SealingStatus status = keyring_.status();
    resealing_.tell(status);
    return status;
}

void PgSealing::rekey(std::string who, Done done) {
    writer_.decide(Decisions::change(
        [who = std::move(who)](Tables& tables, Transaction& in) { tables.resealing.begin(in, who); }, std::move(done)));
}

// -- AuditLog

model::Result<AuditLog::Range> PgAuditLog::range(std::optional<model::Instant> since,
                                                 std::optional<model::Instant> until) {
    auto found = readers_.read([&](Reader& from) { return audit_range(from, table_.node_number(), since, until); });
    if (found) {
        found->node = table_.node();
    }
    return found;
}

model::Result<AuditLog::Read> PgAuditLog::read(const Place& from, std::uint64_t to, std::size_t limit,
                                               Visitor& visitor) {
    // What a visitor has heard it cannot unhear: so not once more where a connection is lost in between.
    bool heard = false;
    auto read = readers_.read([&](Reader& reader) -> std::optional<Read> {
        if (std::exchange(heard, true)) {
            throw PgFailure(Trouble::failing, "the connection was lost while the record was read");
        }
        return audit_read(reader, table_.node_number(), from, to, limit, visitor);
    });
    if (!read) {
        return read.error();
    }
    if (!*read) {
        return model::Error{"entries were removed meanwhile, since they are older than record_retention: export again"};
    }
    return **read;
}

model::Status PgAuditLog::record_head(const audit::Hash& chain, const audit::Head& head, const std::string& who) {
    const std::string why = audit::words_of_head(chain, head);
    return writer_.call(
        [&](Tables& tables, Transaction& in) { note(tables, in, audit::Kind::head_recorded, who, why); });
}

// -- Register

template <typename Gives, typename Work>
model::Result<Gives> PgRegister::call(const Work& work) {
    Gives given{};
    const model::Status status =
        writer_.call([&](Tables& tables, Transaction& in) { given = work(tables.registers, in); });
    return status ? model::Result<Gives>(std::move(given)) : model::Result<Gives>(status.error());
}

model::Result<std::vector<LaneId>> PgRegister::lanes(
    std::span<const std::pair<std::string, std::string>> destination_and_liid) {
    return call<std::vector<LaneId>>(
        [&](RegisterTable& table, Transaction& in) { return table.lanes(in, destination_and_liid); });
}

model::Result<ProfileId> PgRegister::profile(const model::Profile& profile) {
    if (const ProfileId known = catalogue_.find_profile_like(profile); known != 0) {
        return known;
    }
    return call<ProfileId>([&](RegisterTable& table, Transaction& in) { return table.profile(in, profile); });
}

model::Result<std::vector<StoredWarrant>> PgRegister::warrants() {
    return call<std::vector<StoredWarrant>>(
        [](RegisterTable& table, Transaction& in) { return table.warrants(in.connection); });
}

model::Result<std::vector<StoredRevocation>> PgRegister::revocations() {
    return call<std::vector<StoredRevocation>>(
        [](RegisterTable& table, Transaction& in) { return table.revocations(in.connection); });
}

model::Result<std::vector<StoredPendingWarrant>> PgRegister::pending_warrants() {
    return call<std::vector<StoredPendingWarrant>>(
        [](RegisterTable& table, Transaction& in) { return table.pending_warrants(in.connection); });
}

model::Result<std::optional<std::size_t>> PgRegister::decide_warrant(const WarrantDecision& decision) {
    return call<std::optional<std::size_t>>([&](RegisterTable& table, Transaction& in) {
        const auto counted = table.decide_warrant(in, decision);
        if (counted) {
            WarrantSetTable::count_up(in);
        }
        return counted;
    });
}

model::Status PgRegister::change_warrants(const WarrantChanges& changes) {
    return writer_.call([&](Tables& tables, Transaction& in) {
        tables.registers.change_warrants(in, changes);
        for (const StoredRevocation& revocation : changes.revoked) {
            if (revocation.hold != Review::none) {
                const LaneId lane = tables.registers.lane(in, revocation.destination, revocation.liid);
                tables.items.withhold(in, lane, revocation.hold);
            }
        }
        if (!changes.revoked.empty()) {
            WarrantSetTable::count_up(in);
        }
    });
}

model::Status PgRegister::nothing_more_of(std::string_view destination, std::string_view liid) {
    return writer_.call([&](Tables& tables, Transaction& in) {
        tables.items.nothing_more_of(in, tables.registers.lane(in, destination, liid));
    });
}

model::Result<std::vector<StoredPause>> PgRegister::pauses() {
    return call<std::vector<StoredPause>>(
        [](RegisterTable& table, Transaction& in) { return table.pauses(in.connection); });
}

model::Result<std::uint64_t> PgWarrantSets::state() {
    return readers_.read([](Reader& from) { return state_of_warrants(from); });
}

model::Result<AppliedSet> PgWarrantSets::read() {
    auto set = readers_.read([](Reader& from) { return read_set(from); });
    if (!set) {
        return set.error();
    }
    return *set ? model::Result<AppliedSet>(std::move(**set))
                : model::Error{"a file of the applied set of warrants cannot be unsealed: apply the set anew"};
}

model::Result<std::optional<std::uint64_t>> PgWarrantSets::apply(NewSet set) {
    using Applied = std::optional<std::uint64_t>;
    Applied applied;
    const model::Status committed =
        writer_.call([&](Tables& tables, Transaction& in) { applied = tables.warrant_sets.apply(in, set); });
    return committed ? model::Result<Applied>(applied) : model::Result<Applied>(committed.error());
}

model::Result<std::vector<SetPeer>> PgWarrantSets::behind(std::uint64_t state) {
    return readers_.read([&](Reader& from) { return peers_behind(from, database_.node(), state); });
}

}  // namespace lihandover::store::postgresql
