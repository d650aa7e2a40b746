#include "interfaces.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "audit_reads.hpp"
#include "kept_table.hpp"
#include "lihandover/audit/verification.hpp"
#include "operator_reads.hpp"
#include "outbox_reads.hpp"

namespace lihandover::store::sqlite {

namespace {

model::Error not_accepting() {
    return model::Error{"the store takes nothing at present; see the log"};
}

model::Result<std::unique_ptr<ObjectReader>> open_file(ObjectFiles& files, const SealedObject& object) {
    const auto* file = dynamic_cast<const SealedFile*>(&object);
    if (file == nullptr || !file->in(files)) {
        return model::Error{"the binary object is not of this store"};
    }
    return files.reader(*file);
}

model::Result<std::optional<StoredObject>> find_in(ReaderPool& readers, const model::Uuid& id) {
    return readers.read([&](ReadConnection& from) { return sqlite::find_object(from, id); });
}

}  // namespace

// -- ObjectIntake

model::Result<std::unique_ptr<ObjectWriter>> SqliteObjectIntake::writer() {
    if (!writer_.accepting()) {
        return not_accepting();
    }
    return files_.writer();
}

model::Result<std::unique_ptr<ObjectWriter>> SqliteObjectIntake::copy_writer(std::uint64_t size) {
    if (!writer_.can_commit()) {
        return model::Error{"the store cannot be written at present; see the log"};
    }
    return files_.copy_writer(size);
}

model::Result<std::vector<std::shared_ptr<const SourceFile>>> SqliteObjectIntake::pending_files() {
    std::vector<std::shared_ptr<const SourceFile>> files;
    const model::Status status =
        writer_.call([&](Tables& tables, Transaction& in) { files = tables.objects.pending_files(in.connection); });
    if (!status) {
        return status.error();
    }
    return files;
}

void SqliteObjectIntake::prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy,
                                  model::ObjectLoss loss, Done done) {
    writer_.keep(Decisions::object_prepared(file, std::move(copy), loss, std::move(done)));
}

// -- KeptCopies

model::Status SqliteKeptCopies::for_each_kept(std::string_view source,
                                              const std::function<void(KeptCopy copy)>& visit) {
    KeptChanges lost;
    std::optional<std::uint64_t> after;
    do {
        auto page = readers_.read([&](ReadConnection& from) { return kept_page(from, source, after); });
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
    spdlog::error(
        "store: {} copies of unfinished sessions and messages cannot be unsealed: their keys are not in "
        "state_dir/keys; what they began is lost",
        lost.let_go.size());
    return writer_.call([&](Tables& tables, Transaction& in) { tables.kept.apply(in, source, lost); });
}

model::Result<std::vector<std::string>> SqliteKeptCopies::sources() {
    return readers_.read([](ReadConnection& from) { return kept_sources(from); });
}

// -- Outbox

model::Result<std::vector<StoredItem>> SqliteOutbox::load(std::span<const RowId> rows) {
    return readers_.read([&](ReadConnection& from) { return sqlite::load(from, rows); });
}

model::Status SqliteOutbox::for_each_queued(const std::function<void(const QueuedItem&)>& visit) {
    return readers_.read([&](ReadConnection& from) { return sqlite::for_each_queued(from, visit); });
}

model::Status SqliteOutbox::for_each_set_aside(const std::function<void(const QueuedItem&)>& visit) {
    return readers_.read([&](ReadConnection& from) { return sqlite::for_each_set_aside(from, visit); });
}

void SqliteOutbox::accepted(std::vector<Acceptance> items, Done done) {
    writer_.accepted(std::move(items), std::move(done));
}

void SqliteOutbox::refused(RowId row, Refusal refusal, Done done) {
    writer_.decide(Decisions::refuse_item(row, std::move(refusal), std::move(done)));
}

void SqliteOutbox::set_aside(RowId row, Refusal refusal, Done done) {
    writer_.decide(Decisions::set_item_aside(row, std::move(refusal), std::move(done)));
}

void SqliteOutbox::stamp(RowId item, model::Instant expiry, Done done) {
    writer_.decide(Decisions::stamp_item(item, expiry, std::move(done)));
}

// -- UploadOutbox

model::Result<std::optional<StoredObject>> SqliteUploadOutbox::find_object(const model::Uuid& id) {
    return find_in(readers_, id);
}

model::Result<std::unique_ptr<ObjectReader>> SqliteUploadOutbox::open(const SealedObject& object) const {
    return open_file(files_, object);
}

model::Status SqliteUploadOutbox::for_each_queued(const std::function<void(const QueuedObject&)>& visit) {
    return readers_.read([&](ReadConnection& from) { return for_each_object(from, ObjectState::queued, visit); });
}

model::Status SqliteUploadOutbox::for_each_set_aside(const std::function<void(const QueuedObject&)>& visit) {
    return readers_.read([&](ReadConnection& from) { return for_each_object(from, ObjectState::set_aside, visit); });
}

void SqliteUploadOutbox::pushed(const model::Uuid& object, Done done) {
    writer_.keep(Decisions::object_pushed(object, std::move(done)));
}

void SqliteUploadOutbox::refused(const model::Uuid& object, Refusal refusal, Done done) {
    writer_.decide(Decisions::refuse_object(object, std::move(refusal), std::move(done)));
}

void SqliteUploadOutbox::set_aside(const model::Uuid& object, Refusal refusal, Done done) {
    writer_.decide(Decisions::set_object_aside(object, std::move(refusal), std::move(done)));
}

// -- ObjectDownloads

model::Result<std::optional<StoredObject>> SqliteObjectDownloads::find_object(const model::Uuid& id) {
    return find_in(readers_, id);
}

model::Result<std::unique_ptr<ObjectReader>> SqliteObjectDownloads::open(const SealedObject& object) const {
    return open_file(files_, object);
}

void SqliteObjectDownloads::fetched(Fetch fetch, Done done) {
    writer_.keep(Decisions::object_fetched(std::move(fetch), std::move(done)), true);
}

// -- OperatorView

/// Each step with a look of its own: no snapshot holds the log meanwhile, and nobody who wants to be without readers
/// waits longer than for one.
SqliteOperatorView::SqliteOperatorView(Writer& writer, ReaderPool& readers)
    : writer_(writer), readers_(readers), locator_([&readers](const std::vector<model::Uuid>& ids, RowId after) {
          Locator::Step step;
          const model::Status status = readers.read([&](ReadConnection& from) {
              return from.reading([&] { step = locate(from.connection(), ids, after, scan_step); });
          });
          return status ? model::Result<Locator::Step>(std::move(step)) : model::Result<Locator::Step>(status.error());
      }) {}

model::Result<std::vector<ItemView>> SqliteOperatorView::items(std::optional<ItemState> state, ListPlace after,
                                                               std::size_t limit) {
    return readers_.read([&](ReadConnection& from) { return sqlite::items(from, state, after, limit); });
}

model::Result<std::optional<ItemView>> SqliteOperatorView::find(const model::Uuid& object_id) {
    return readers_.read([&](ReadConnection& from) { return sqlite::find(from, object_id); });
}

model::Result<Found> SqliteOperatorView::find_all(std::span<const model::Uuid> object_ids,
                                                  std::chrono::milliseconds patience) {
    return readers_.read([&](ReadConnection& from) { return sqlite::find_all(from, object_ids, patience); });
}

model::Result<std::vector<Record>> SqliteOperatorView::records(std::int64_t after, std::size_t limit) {
    return readers_.read([&](ReadConnection& from) { return sqlite::records(from, after, limit); });
}

model::Result<std::map<std::string, OldestQueued, std::less<>>> SqliteOperatorView::oldest() {
    return readers_.read([&](ReadConnection& from) { return sqlite::oldest(from, writer_.oldest_places()); });
}

model::Result<std::vector<std::optional<model::Instant>>> SqliteOperatorView::received(std::span<const RowId> rows) {
    return readers_.read([&](ReadConnection& from) { return sqlite::received(from, rows); });
}

model::Result<HeldLong> SqliteOperatorView::held_before(model::Instant time) {
    return readers_.read([&](ReadConnection& from) { return sqlite::held_before(from, time); });
}

model::Result<std::optional<StoredItem>> SqliteOperatorView::content(const model::Uuid& object_id) {
    return readers_.read([&](ReadConnection& from) { return sqlite::content(from, object_id); });
}

void SqliteOperatorView::shown(RowId row, const model::Uuid& object_id, std::string who, std::string what,
                               DoneCount done) {
    writer_.decide(Decisions::content_shown(row, object_id, std::move(who), std::move(what), std::move(done)));
}

void SqliteOperatorView::approve(std::vector<model::Uuid> object_ids, Reviewer reviewer, DoneDecided done) {
    writer_.decide(Decisions::approve(std::move(object_ids), std::move(reviewer), std::move(done)));
}

void SqliteOperatorView::retry(std::vector<model::Uuid> object_ids, std::string who, DoneCount done) {
    writer_.decide(Decisions::retry(std::move(object_ids), std::move(who), std::move(done)));
}

void SqliteOperatorView::retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                                   DoneCount done) {
    writer_.decide(Decisions::retry_all(std::move(destination), code, std::move(who), std::move(done)));
}

void SqliteOperatorView::reject(std::vector<Meant> items, Reviewer reviewer, std::string why, DoneDecided done) {
    locator_.decide_located(
        std::move(items), std::move(done),
        [this, reviewer = std::move(reviewer), why = std::move(why)](std::vector<Meant> located, DoneDecided answered) {
            writer_.decide(Decisions::reject(std::move(located), reviewer, why, std::move(answered)));
        });
}

void SqliteOperatorView::pause(std::string destination, std::string who, Done done) {
    writer_.decide(Decisions::pause(std::move(destination), std::move(who), std::move(done)));
}

void SqliteOperatorView::resume(std::string destination, std::string who, Done done) {
    writer_.decide(Decisions::resume(std::move(destination), std::move(who), std::move(done)));
}

model::Status SqliteOperatorView::clock_accepted(const std::string& who, const std::string& why) {
    return writer_.call([&](Tables& tables, Transaction& in) {
        audit::Entry entry;
        entry.kind = audit::Kind::clock_accepted;
        entry.at = in.now;
        entry.who = who;
        entry.why = why;
        tables.audit.append(in, 0, 0, entry);
    });
}

model::Status SqliteOperatorView::accept_restore(const std::string& who, const std::string& why) {
    bool any = false;
    model::Status status =
        writer_.call([&](Tables& tables, Transaction& in) { any = tables.audit.accept_restore(in, who, why); });
    if (status && !any) {
        return model::Error{"the store is the one that was there last: there is nothing to accept"};
    }
    return status;
}

// -- Sealing

SealingStatus SqliteSealing::status() const {
    SealingStatus status = keyring_.status();
    resealing_.tell(status);
    status.remains = writer_.has_remains();
    return status;
}

void SqliteSealing::rekey(std::string who, Done done) {
    if (!keyring_.on()) {
        done(Outcome::failed);
        return;
    }
    writer_.decide(Decisions::change(
        [who = std::move(who)](Tables& tables, Transaction& in) { tables.resealing.begin(in, who); }, std::move(done)));
}

std::string SqliteSealing::seal(std::string_view name, std::string_view bytes) const {
    return keyring_.on() ? keyring_.seal("file", name, bytes) : std::string(bytes);
}

std::optional<std::string> SqliteSealing::unseal(std::string_view name, std::string_view bytes) const {
    return keyring_.on() ? keyring_.unseal("file", name, bytes) : std::optional(std::string(bytes));
}

// -- AuditLog

void SqliteAuditLog::configure(Settings settings) {
    table_.configure(std::move(settings));
}

model::Result<AuditLog::Range> SqliteAuditLog::range(std::optional<model::Instant> since,
                                                     std::optional<model::Instant> until) {
    auto found = readers_.read([&](ReadConnection& from) { return audit_range(from, since, until); });
    if (found) {
        found->node = table_.node();
    }
    return found;
}

model::Result<AuditLog::Read> SqliteAuditLog::read(const Place& from, std::uint64_t to, std::size_t limit,
                                                   Visitor& visitor) {
    return readers_.read([&](ReadConnection& connection) { return audit_read(connection, from, to, limit, visitor); });
}

model::Status SqliteAuditLog::record_head(const audit::Hash& chain, const audit::Head& head, const std::string& who) {
    const std::string why = audit::words_of_head(chain, head);
    return writer_.call([&](Tables& tables, Transaction& in) {
        audit::Entry entry;
        entry.kind = audit::Kind::head_recorded;
        entry.at = in.now;
        entry.who = who;
        entry.why = why;
        tables.audit.append(in, 0, 0, entry);
    });
}

// -- Register

model::Result<std::vector<LaneId>> SqliteRegister::lanes(
    std::span<const std::pair<std::string, std::string>> destination_and_liid) {
    std::vector<LaneId> ids;
    const model::Status status = writer_.call([&](Tables& tables, Transaction& in) {
        ids.clear();
        ids.reserve(destination_and_liid.size());
        for (const auto& [destination, liid] : destination_and_liid) {
            ids.push_back(tables.registers.lane(in, destination, liid));
        }
    });
    if (!status) {
        return status.error();
    }
    return ids;
}

model::Result<ProfileId> SqliteRegister::profile(const model::Profile& profile) {
    if (const ProfileId known = catalogue_.find_profile_like(profile); known != 0) {
        return known;
    }
    ProfileId id = 0;
    const model::Status status =
        writer_.call([&](Tables& tables, Transaction& in) { id = tables.registers.profile(in, profile); });
    if (!status) {
        return status.error();
    }
    return id;
}

model::Result<std::vector<StoredWarrant>> SqliteRegister::warrants() {
    std::vector<StoredWarrant> warrants;
    const model::Status status =
        writer_.call([&](Tables& tables, Transaction& in) { warrants = tables.registers.warrants(in.connection); });
    if (!status) {
        return status.error();
    }
    return warrants;
}

model::Result<std::vector<StoredRevocation>> SqliteRegister::revocations() {
    std::vector<StoredRevocation> revocations;
    const model::Status status =
        writer_.call([&](Tables&, Transaction& in) { revocations = RegisterTable::revocations(in.connection); });
    if (!status) {
        return status.error();
    }
    return revocations;
}

model::Result<std::vector<StoredPendingWarrant>> SqliteRegister::pending_warrants() {
    std::vector<StoredPendingWarrant> pending;
    const model::Status status =
        writer_.call([&](Tables&, Transaction& in) { pending = RegisterTable::pending_warrants(in.connection); });
    if (!status) {
        return status.error();
    }
    return pending;
}

model::Result<std::optional<std::size_t>> SqliteRegister::decide_warrant(const WarrantDecision& decision) {
    std::optional<std::size_t> approvals;
    const model::Status status = writer_.call(
        [&](Tables& tables, Transaction& in) { approvals = tables.registers.decide_warrant(in, decision); });
    if (!status) {
        return status.error();
    }
    return approvals;
}

model::Status SqliteRegister::change_warrants(const WarrantChanges& changes) {
    return writer_.call([&](Tables& tables, Transaction& in) {
        tables.registers.change_warrants(in, changes);
        for (const StoredRevocation& revocation : changes.revoked) {
            if (revocation.hold != Review::none) {
                const LaneId lane = tables.registers.lane(in, revocation.destination, revocation.liid);
                tables.items.withhold(in, lane, revocation.hold);
            }
        }
    });
}

model::Status SqliteRegister::nothing_more_of(std::string_view destination, std::string_view liid) {
    return writer_.call([&](Tables& tables, Transaction& in) {
        tables.items.nothing_more_of(in, tables.registers.lane(in, destination, liid));
    });
}

model::Result<std::vector<StoredPause>> SqliteRegister::pauses() {
    std::vector<StoredPause> pauses;
    const model::Status status =
        writer_.call([&](Tables&, Transaction& in) { pauses = RegisterTable::pauses(in.connection); });
    if (!status) {
        return status.error();
    }
    return pauses;
}

}  // namespace lihandover::store::sqlite
