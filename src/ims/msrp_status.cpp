#include "msrp_status.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "status_text.hpp"

namespace lihandover::ims {

namespace {

// A SEND is given up after 30 s without a response (RFC 4975 7.1.1).
constexpr std::chrono::seconds keep_transactions{64};
constexpr std::size_t most_transactions = 65'536;
constexpr std::chrono::seconds keep_unanswered{32};
constexpr std::size_t most_kept = 4096;
constexpr std::size_t largest_kept = 8192;
constexpr std::chrono::seconds hold_early_report{10};
constexpr std::size_t most_early_reports = 4096;

std::uint64_t uri_hash(const Take& take, std::string_view uri) {
    std::string key;
    append_msrp_uri_key(uri, key);
    return key_for(take, Table::path).add(key).finish().first;
}

std::string_view first_of(const std::vector<std::string_view>& path) {
    return path.empty() ? std::string_view() : path.front();
}

std::string range_of(const MsrpFrame& report) {
    if (!report.range) {
        return {};
    }
    const auto text = [](const std::optional<std::uint64_t>& number) {
        return number ? std::to_string(*number) : std::string("*");
    };
    return std::to_string(report.range->start) + "-" + text(report.range->end);
}

/// Whether a report is about a part of its message only.
bool is_of_part(const MsrpFrame& report) {
    return report.range && (report.range->start > 1 ||
                            (report.range->end && report.range->total && *report.range->end < *report.range->total));
}

}  // namespace

void MsrpStatus::note_request(const Take& take, const MsrpFrame& frame, const FramePlace& place, bool keep) {
    const TableKey key = transaction_of(take, frame);
    if (transactions_.find(key) != nullptr) {
        return;
    }
    const FramePaths paths = paths_of(frame);
    const std::string_view id = frame.message_id.empty() ? frame.transaction : frame.message_id;
    Transaction transaction{message_of(take, paths, id), event_of(take.copy, paths, id),
                            uri_hash(take, first_of(frame.from_path)), 0, frame.method == "SEND"};
    if (const Early* early = early_.find(key)) {
        if (transaction.send) {
            add_failure(take, early->note.copy(), paths, early->status, &transaction);
        }
        take.out.let_go.push_back(early->owner);
        early_.remove(key);
    } else if (keep && frame.failure_report == MsrpFrame::Failure::yes && place.beginning == 0 &&
               place.size <= largest_kept) {
        transaction.owner = owners_.next();
        take.out.kept_parts.push_back({transaction.owner, place.first, place.size});
        kept_.add({key, transaction.owner}, take.now);
        if (kept_.size() > most_kept) {
            let_go_oldest(take);
        }
    }
    transactions_.add(key, transaction, take.now);
    transactions_.trim(take.now, keep_transactions, most_transactions);
}

void MsrpStatus::let_go(const Take& take, Transaction& transaction) {
    if (transaction.owner != 0) {
        take.out.let_go.push_back(transaction.owner);
        transaction.owner = 0;
    }
}

void MsrpStatus::let_go_oldest(const Take& take) {
    const Slot oldest = kept_.oldest();
    Transaction* transaction = transactions_.find(kept_[oldest].transaction);
    if (transaction == nullptr) {
        take.out.let_go.push_back(kept_[oldest].owner);
    } else if (transaction->owner == kept_[oldest].owner) {
        let_go(take, *transaction);
    }
    kept_.remove(oldest);
}

void MsrpStatus::take_response(const Take& take, const MsrpFrame& frame, const FramePlace& place) {
    const TableKey key = transaction_of(take, frame);
    if (Transaction* answered = transactions_.find(key)) {
        let_go(take, *answered);
    }
    if (frame.status < 300 || frame.status == 401) {
        return;
    }
    const FramePaths paths = paths_of(frame);
    // A response goes back to who sent; in the draft it has the paths of its request.
    FramePaths of_message{paths.to, paths.from};
    const Transaction* transaction = transactions_.find(key);
    if (transaction != nullptr && !transaction->send) {
        return;
    }
    if (transaction != nullptr) {
        if (transaction->from == uri_hash(take, first_of(frame.from_path))) {
            of_message = paths;
        }
        add_failure(take, take.copy, of_message, frame.status, transaction);
        return;
    }
    if (early_.find(key) != nullptr) {
        take.repeat();
        return;
    }
    Early early{CopyNote(take.copy), std::string(of_message.from), std::string(of_message.to), frame.status,
                owners_.next()};
    if (place.beginning == 0) {
        take.out.kept_parts.push_back({early.owner, place.first, place.size});
    }
    early_.add(key, std::move(early), take.now);
    if (early_.size() > most_early_reports) {
        take.out.let_go.push_back(early_.oldest()->value.owner);
        early_.remove(TableKey(early_.oldest()->key));
    }
}

void MsrpStatus::add_failure(const Take& take, const Copy& copy, const FramePaths& paths, unsigned status,
                             const Transaction* transaction) {
    std::optional<Digest> message;
    if (transaction != nullptr) {
        const SentMessages::Sent* sent = sent_.find(transaction->message);
        if (sent != nullptr && !sent->is_message) {
            return;
        }
        message = sent != nullptr ? sent->event : transaction->event;
    }
    const std::string code = msrp_status(status);
    Naming naming = event_naming(copy, "session-mode message refused");
    if (message) {
        naming.add(*message);
    } else {
        naming.add(paths.from).add(paths.to);
    }
    const Digest id = naming.add(std::uint64_t{status}).finish();
    MadeEvent made = make_event({copy, take.options.service}, model::EventType::message_failed, id);
    if (message) {
        set_refers_to(made, *message);
    }
    made.event.status = made.keep(code);
    const Take then{copy, take.now, take.options, take.secret, take.out};
    add_ends(made, copy, ends_of(then, dialogs_, paths), Way::against);
    made.substance = text_of(id);
    take.add(std::move(made));
}

void MsrpStatus::take_report(const Take& take, const MsrpFrame& frame) {
    if (!frame.report || frame.report->name_space != 0 || frame.message_id.empty()) {
        take.out.remarks.emplace_back("a report of MSRP without a status that can be read");
        return;
    }
    const FramePaths paths = paths_of(frame);
    const FramePaths of_message{paths.to, paths.from};
    const SentMessages::Sent* sent = sent_.find(message_of(take, of_message, frame.message_id));
    if (sent != nullptr && !sent->is_message) {
        return;
    }
    const Digest message = sent != nullptr ? sent->event : event_of(take.copy, of_message, frame.message_id);
    const unsigned code = frame.report->code;
    const bool success = code >= 200 && code < 300;
    const std::string range = range_of(frame);
    const Digest id = event_naming(take.copy, "report")
                          .add(message)
                          .add(std::uint64_t{code})
                          .add(is_of_part(frame) ? range : std::string())
                          .finish();
    MadeEvent made =
        make_event(take.origin(), success ? model::EventType::message_delivered : model::EventType::message_failed, id);
    set_refers_to(made, message);
    made.event.status = success ? std::string_view("delivered") : made.keep(msrp_status(code));
    if (is_of_part(frame)) {
        add_parameter(made, completeness_parameter, completeness_partial);
        add_parameter(made, ranges_parameter, range);
    }
    add_ends(made, take.copy, ends_of(take, dialogs_, of_message), Way::against);
    made.substance = text_of(id);
    take.add(std::move(made));
}

void MsrpStatus::expire(const Take& take) {
    while (kept_.due_at(take.now, keep_unanswered) != no_slot) {
        let_go_oldest(take);
    }
    while (auto* due = early_.due_at(take.now, hold_early_report)) {
        const Early early = std::move(due->value);
        early_.remove(TableKey(due->key));
        take.out.let_go.push_back(early.owner);
        add_failure(take, early.note.copy(), {early.from, early.to}, early.status, nullptr);
    }
}

std::optional<SteadyTime> MsrpStatus::due() const {
    const auto early = early_.due(hold_early_report);
    const auto kept = kept_.due(keep_unanswered);
    return early && kept ? std::min(early, kept) : early ? early : kept;
}

}  // namespace lihandover::ims
