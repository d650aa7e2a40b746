#include "attachments.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "base64.hpp"
#include "lihandover/model/hex.hpp"
#include "lihandover/store/digest.hpp"
#include "named_file.hpp"
#include "run_on.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

using Source = model::Attachment::Source;

Fault fault_of(std::size_t at, std::string_view member, std::string reason) {
    return {metrics::Rejection::attachments, "attachments[" + std::to_string(at) + "]." + std::string(member),
            std::move(reason)};
}

Fault wrong_checksum(std::size_t at) {
    return fault_of(at, "sha256", "is not that of the object");
}

model::Instant later(model::Instant from, std::chrono::milliseconds by) {
    return model::Instant::from_micros(from.micros() + std::chrono::microseconds(by).count());
}

}  // namespace

Attachments::Attachments(const model::Event& event, const Limits& limits, const std::string* root, model::Instant now,
                         store::Objects& objects, asio::any_io_executor workers)
    : event_(event),
      limits_(limits),
      root_(root),
      now_(now),
      objects_(objects),
      workers_(std::move(workers)),
      sources_(event.attachments.size()) {}

bool Attachments::has(Source source) const {
    return std::ranges::find(event_.attachments, source, &model::Attachment::source) != event_.attachments.end();
}

asio::awaitable<std::optional<Fault>> Attachments::check() {
    if (!has(Source::file) && !has(Source::data)) {
        co_return std::nullopt;
    }
    co_return co_await run_on(workers_, [this] { return check_all(); });
}

std::optional<Fault> Attachments::check_all() {
    std::optional<Fault> fault;
    for (std::size_t at = 0; at < event_.attachments.size() && !fault; ++at) {
        const Source source = event_.attachments[at].source;
        fault = source == Source::file ? check_file(at) : source == Source::data ? check_data(at) : std::nullopt;
    }
    return fault;
}

std::optional<Fault> Attachments::check_file(std::size_t at) {
    const model::Attachment& attachment = event_.attachments[at];
    if (root_ == nullptr) {
        return fault_of(at, "file", "files cannot be named here: intake.attachment_root is not set");
    }
    model::ObjectLoss why{};
    const auto file = NamedFile::open(*root_, attachment.reference, why);
    const auto identity = file ? file->identity() : std::nullopt;
    if (!identity) {
        // One reason for all of them: what there is beyond the files of a source is none of its business.
        return fault_of(at, "file", "is not a file that can be read below intake.attachment_root");
    }
    if (identity->size > limits_.max_object_size) {
        return fault_of(at, "file", "is larger than intake.max_object_size");
    }
    auto source = std::make_shared<store::SourceFile>();
    source->id = model::Uuid::random();
    source->path = attachment.reference;
    source->inode = identity->inode;
    source->size = identity->size;
    source->modified_nanos = identity->modified_nanos;
    source->changed_nanos = identity->changed_nanos;
    source->sha256 = model::parse_hex<32>(attachment.sha256);
    source->give_up_at = later(now_, limits_.attachment_grace);
    sources_[at].file = std::move(source);
    return std::nullopt;
}

std::optional<Fault> Attachments::check_data(std::size_t at) const {
    const model::Attachment& attachment = event_.attachments[at];
    if (base64_size(attachment.reference) > limits_.max_object_size) {
        return fault_of(at, "data", "is larger than intake.max_object_size");
    }
    const auto expected = model::parse_hex<32>(attachment.sha256);
    if (!expected) {
        return std::nullopt;
    }
    store::Sha256Digest digest;
    Base64Reader reader(attachment.reference);
    for (auto bytes = reader.next(); !bytes.empty(); bytes = reader.next()) {
        digest.update(bytes);
    }
    return digest.finish() == *expected ? std::nullopt : std::optional(wrong_checksum(at));
}

std::optional<Fault> Attachments::claim(ObjectDesk& desk, ObjectDesk::Claims& claims) {
    std::vector<std::string_view> named;
    for (std::size_t at = 0; at < event_.attachments.size(); ++at) {
        const model::Attachment& attachment = event_.attachments[at];
        if (attachment.source != Source::object) {
            continue;
        }
        auto sealed = desk.find(attachment.reference);
        if (!sealed) {
            return fault_of(at, "object", "is not the id of an uploaded object that no event has named before");
        }
        if (const auto expected = model::parse_hex<32>(attachment.sha256); expected && sealed->sha256() != *expected) {
            return wrong_checksum(at);
        }
        sources_[at].sealed = std::move(sealed);
        named.push_back(attachment.reference);
    }
    if (named.empty()) {
        return std::nullopt;
    }
    auto sorted = named;
    std::ranges::sort(sorted);
    if (const auto twice = std::ranges::adjacent_find(sorted); twice != sorted.end()) {
        const auto names_it = [&](const model::Attachment& attachment) {
            return attachment.source == Source::object && attachment.reference == *twice;
        };
        const auto begin = event_.attachments.begin();
        const auto first = std::find_if(begin, event_.attachments.end(), names_it);
        const auto second = std::find_if(first + 1, event_.attachments.end(), names_it);
        return fault_of(static_cast<std::size_t>(second - begin), "object", "is named by another attachment, too");
    }
    for (const std::string_view id : named) {
        claims.take(id);
    }
    return std::nullopt;
}

asio::awaitable<bool> Attachments::seal(bool wanted) {
    for (std::size_t at = 0; at < event_.attachments.size(); ++at) {
        if (event_.attachments[at].source != Source::data) {
            continue;
        }
        // One for one, so that the disk has the same to do; and one at a time, so that others have their turns.
        const bool done =
            co_await run_on(workers_, [this, wanted, at] { return wanted ? seal_data(at) : fill_data(at); });
        if (!done) {
            co_return false;
        }
    }
    co_return true;
}

bool Attachments::seal_data(std::size_t at) {
    auto writer = objects_.writer();
    if (!writer) {
        return false;
    }
    Base64Reader reader(event_.attachments[at].reference);
    for (auto bytes = reader.next(); !bytes.empty(); bytes = reader.next()) {
        if (!(*writer)->write(bytes)) {
            return false;
        }
    }
    auto sealed = (*writer)->finish();
    if (!sealed) {
        return false;
    }
    sources_[at].sealed = std::move(*sealed);
    return true;
}

bool Attachments::fill_data(std::size_t at) {
    // Decoded as it would be for an item: the time it takes must not tell (promise 7).
    std::uint64_t bytes = 0;
    Base64Reader reader(event_.attachments[at].reference);
    for (auto piece = reader.next(); !piece.empty(); piece = reader.next()) {
        bytes += piece.size();
    }
    return objects_.write_filler(bytes).has_value();
}

void Attachments::append_files(std::vector<std::shared_ptr<const store::SourceFile>>& out) const {
    for (const ObjectSource& source : sources_) {
        if (source.file) {
            out.push_back(source.file);
        }
    }
}

}  // namespace lihandover::intake
