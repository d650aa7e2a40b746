#include "http/attachments.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>

#include "lihandover/base/background.hpp"
#include "lihandover/base/hex.hpp"
#include "lihandover/store/digest.hpp"
#include "pipeline/base64.hpp"
#include "pipeline/later.hpp"
#include "pipeline/named_file.hpp"

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

}  // namespace

Attachments::Attachments(const model::Event& event, const Moment& moment, const std::string* root, Workers workers)
    : event_(event), moment_(moment), root_(root), workers_(std::move(workers)), objects_(event.attachments.size()) {}

bool Attachments::has(Source source) const {
    return std::ranges::find(event_.attachments, source, &model::Attachment::source) != event_.attachments.end();
}

asio::awaitable<std::optional<Fault>> Attachments::check() {
    if (!has(Source::file) && !has(Source::data)) {
        co_return std::nullopt;
    }
    const auto& where = has(Source::file) ? workers_.examiners : workers_.usual;
    co_return co_await base::run_on(where, [this] { return check_all(); });
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
    auto file = NamedFile::open(*root_, attachment.reference, why);
    const auto identity = file ? file->identity() : std::nullopt;
    if (!identity) {
        // One reason for all of them: a source must not learn what exists beyond its own files.
        return fault_of(at, "file", "is not a file that can be read below intake.attachment_root");
    }
    if (identity->size > moment_.snapshot->limits.max_object_size) {
        return fault_of(at, "file", "is larger than intake.max_object_size");
    }
    auto source = std::make_shared<store::SourceFile>();
    source->id = model::Uuid::random();
    source->path = attachment.reference;
    source->inode = identity->inode;
    source->size = identity->size;
    source->modified_nanos = identity->modified_nanos;
    source->changed_nanos = identity->changed_nanos;
    source->sha256 = base::parse_hex<32>(attachment.sha256);
    const auto grace = moment_.snapshot->limits.attachment_grace;
    source->give_up_at = later(moment_.trusted_at, grace);
    // It is read after the commit, and opened only once.
    objects_[at].copy = {std::move(source), std::make_shared<NamedFile>(std::move(*file)), false, grace};
    return std::nullopt;
}

std::optional<Fault> Attachments::check_data(std::size_t at) {
    const model::Attachment& attachment = event_.attachments[at];
    objects_[at].bytes = attachment.reference;
    objects_[at].encoding = AttachedObject::Encoding::base64;
    if (base64_size(attachment.reference) > moment_.snapshot->limits.max_object_size) {
        return fault_of(at, "data", "is larger than intake.max_object_size");
    }
    const auto expected = base::parse_hex<32>(attachment.sha256);
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

std::optional<Fault> Attachments::claim(PendingUploads::Claims& claims) {
    std::vector<std::string_view> named;
    for (std::size_t at = 0; at < event_.attachments.size(); ++at) {
        const model::Attachment& attachment = event_.attachments[at];
        if (attachment.source != Source::object) {
            continue;
        }
        auto sealed = claims.find(attachment.reference);
        if (!sealed) {
            return fault_of(at, "object", "is not the id of an uploaded object that no event has named before");
        }
        if (const auto expected = base::parse_hex<32>(attachment.sha256); expected && sealed->sha256() != *expected) {
            return wrong_checksum(at);
        }
        objects_[at].sealed = std::move(sealed);
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

}  // namespace lihandover::intake
