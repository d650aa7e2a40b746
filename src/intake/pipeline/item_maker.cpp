#include "pipeline/item_maker.hpp"

#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <tuple>

#include "pipeline/wiped_buffer.hpp"

namespace lihandover::intake {

namespace {

// Releases the scratch memory of an unusually large event.
constexpr std::size_t kept_scratch = std::size_t{128} * 1024;

bool has_content(const model::Event& event, std::span<const std::string> metadata_parameters) {
    const model::Conversation& conversation = event.conversation;
    if (event.has_content || !conversation.title.empty() || !conversation.previous_title.empty() ||
        !conversation.thread_title.empty()) {
        return true;
    }
    if (std::ranges::any_of(event.parties, [](const model::Party& party) { return !party.nickname.empty(); })) {
        return true;
    }
    return std::ranges::any_of(event.parameters, [&](const model::Property& parameter) {
        return std::ranges::find(metadata_parameters, parameter.name) == metadata_parameters.end();
    });
}

// The match's warrant is in the index's list, whose positions are those of the routes.
const Route& route_of(const warrants::Match& match, const Snapshot& snapshot) {
    const auto warrants = snapshot.index->warrants();
    const warrants::WarrantPtr* const first = warrants.data();
    const std::less<> before;
    if (before(match.warrant, first) || !before(match.warrant, first + warrants.size())) {
        throw std::logic_error("a match of another snapshot");
    }
    return snapshot.routes.at(static_cast<std::size_t>(match.warrant - first));
}

std::shared_ptr<const std::vector<store::NewObject>> objects_of(const model::Event& event, const BinaryRoute& route,
                                                                std::span<const ObjectSource> sources) {
    auto objects = std::make_shared<std::vector<store::NewObject>>();
    objects->reserve(event.attachments.size());
    for (std::size_t i = 0; i < event.attachments.size(); ++i) {
        const model::Attachment& attachment = event.attachments[i];
        store::NewObject& object = objects->emplace_back();
        object.id = model::Uuid::random();
        object.model = route.model;
        object.url.reserve(route.url_prefix.size() + 36 + route.url_suffix.size());
        object.url = route.url_prefix;
        object.id.append_to(object.url);
        object.url += route.url_suffix;
        object.content_type = attachment.content_type;
        object.original_filename = attachment.filename;
        object.csp_defined_identifier = attachment.id;
        object.lifetime = route.lifetime;
        object.remove_when_fetched = route.remove_when_fetched;
        object.sealed = sources[i].sealed;
        object.file = sources[i].file;
    }
    return objects;
}

store::Review review_of(const warrants::Warrant& warrant) {
    switch (warrant.review) {
        case warrants::Review::none:
            return store::Review::none;
        case warrants::Review::required:
            return store::Review::required;
        case warrants::Review::dual:
            break;
    }
    return store::Review::dual;
}

}  // namespace

bool leaves_something(const model::Event& event, const model::Deliver& deliver,
                      std::span<const std::string> metadata_parameters) {
    return deliver.metadata || (deliver.binary && !event.attachments.empty()) || (deliver.location && event.location) ||
           (deliver.content && has_content(event, metadata_parameters));
}

ItemMaker::ItemMaker(std::string source, const store::ItemIntake& store)
    : source_(std::move(source)),
      store_(store),
      digest_key_(store.keyed_hash(std::array<std::string_view, 1>{"digest of an event"})) {}

bool ItemMaker::takes_objects(const model::Event& event, std::span<const warrants::Match> matches,
                              const Snapshot& snapshot) {
    return !event.attachments.empty() && std::ranges::any_of(matches, [&](const warrants::Match& match) {
        return (*match.warrant)->deliver.binary && route_of(match, snapshot).binary;
    });
}

store::NewItem* ItemMaker::add(const model::Event& event, const warrants::Match& match, const Snapshot& snapshot,
                               model::Instant received_at, std::vector<store::NewItem>& out,
                               std::span<const ObjectSource> sources) {
    const warrants::Warrant& warrant = **match.warrant;
    if (!leaves_something(event, warrant.deliver, snapshot.metadata_parameters)) {
        return nullptr;
    }
    const Route& route = route_of(match, snapshot);
    store::NewItem& item = out.emplace_back();
    item.lane = route.lane;
    item.profile = route.profile;
    item.object_id = model::Uuid::random();
    item.emergency = warrant.priority == warrants::Priority::emergency;
    item.schema_content = route.schema_content;
    item.review = review_of(warrant);
    if (warrant.correlation == warrants::Correlation::conversation && !event.conversation.id.empty()) {
        item.conversation_hash =
            conversation_hash_of(warrant.destination, warrant.liid, warrant.valid_from, event.conversation.id);
    }
    item.received_at = received_at;
    model::encode_share(event, match.targeted, warrant.deliver, received_at, snapshot.metadata_parameters, item.share);
    if (warrant.deliver.binary && route.binary && !event.attachments.empty()) {
        item.objects = objects_of(event, *route.binary, sources);
    }
    return &item;
}

store::Hash128 ItemMaker::conversation_hash_of(std::string_view destination, std::string_view liid,
                                               model::Instant begins, std::string_view conversation) const {
    std::array<char, sizeof begins.seconds + sizeof begins.nanos> time{};
    std::memcpy(time.data(), &begins.seconds, sizeof begins.seconds);
    std::memcpy(time.data() + sizeof begins.seconds, &begins.nanos, sizeof begins.nanos);
    return store_.keyed_hash(
        std::array<std::string_view, 4>{destination, liid, {time.data(), time.size()}, conversation});
}

store::Hash128 ItemMaker::repeat_hash_of(std::string_view scope, const model::Event& event,
                                         const warrants::Warrant& warrant) const {
    return store_.keyed_hash(std::array<std::string_view, 5>{scope, event.event_id, model::name_of(event.type),
                                                             warrant.destination, warrant.liid});
}

void ItemMaker::append(const model::Event& event, std::span<const warrants::Match> matches, const Snapshot& snapshot,
                       model::Instant received_at, std::vector<store::NewItem>& out,
                       std::span<const ObjectSource> sources) {
    std::optional<std::uint64_t> digest;
    for (const warrants::Match& match : matches) {
        store::NewItem* const item = add(event, match, snapshot, received_at, out, sources);
        if (item == nullptr) {
            continue;
        }
        item->repeat_hash = repeat_hash_of(source_, event, **match.warrant);
        if (!digest) {
            digest = digest_of(event, sources);
        }
        item->event_digest = digest;
        if (event.timestamp) {
            item->event_seconds = event.timestamp->instant.seconds;
            item->event_nanos = event.timestamp->instant.nanos;
        }
    }
}

void ItemMaker::append_of_task(const model::Event& event, std::span<const warrants::Match> matches,
                               const Snapshot& snapshot, model::Instant received_at, std::string_view substance,
                               std::vector<store::NewItem>& out, std::span<const ObjectSource> sources) {
    // No listener has this name. The XID is in the event's id, and one task may be heard through several listeners.
    constexpr std::string_view any_listener;
    const std::uint64_t digest = keyed_digest(substance);
    for (const warrants::Match& match : matches) {
        if (store::NewItem* const item = add(event, match, snapshot, received_at, out, sources)) {
            item->repeat_hash = repeat_hash_of(any_listener, event, **match.warrant);
            item->event_digest = digest;
        }
    }
}

std::size_t ItemMaker::imitate(const model::Event& event, const Snapshot& snapshot, model::Instant received_at) {
    // As long as names of destinations and LIIDs are.
    constexpr std::string_view nowhere = "lea-none";
    constexpr std::string_view nobody = "LIID-0000000000000000000";
    (void)store_.keyed_hash(
        std::array<std::string_view, 5>{source_, event.event_id, model::name_of(event.type), nowhere, nobody});
    if (!event.conversation.id.empty()) {
        (void)conversation_hash_of(nowhere, nobody, received_at, event.conversation.id);
    }
    (void)digest_of(event);
    model::encode_share(event, targeted_, {.metadata = true, .content = true, .binary = false, .location = true},
                        received_at, snapshot.metadata_parameters, scratch_);
    const std::size_t size = scratch_.size();
    let_go_of_scratch();
    return size;
}

std::uint64_t ItemMaker::digest_of(const model::Event& event, std::span<const ObjectSource> sources) {
    targeted_.assign(event.parties.size() / 64 + 1, 0);
    model::encode_share(event, targeted_, {.metadata = true, .content = true, .binary = true, .location = true},
                        model::Instant{}, {}, scratch_);
    const auto add = [this](std::string_view part) {
        const std::uint64_t size = part.size();
        scratch_.append(reinterpret_cast<const char*>(&size), sizeof size).append(part);
    };
    for (std::size_t at = 0; at < event.attachments.size(); ++at) {
        const model::Attachment& attachment = event.attachments[at];
        add(attachment.id);
        add(attachment.content_type);
        add(attachment.filename);
        add(attachment.sha256);
        // An uploaded object is used up by its first event: with a repeat it comes under another id.
        const bool uploaded = attachment.source == model::Attachment::Source::object;
        if (uploaded && at < sources.size() && sources[at].sealed) {
            const model::Sha256& bytes = sources[at].sealed->sha256();
            add({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
        } else {
            add(attachment.reference);
        }
    }
    const std::uint64_t digest = keyed_digest(scratch_);
    let_go_of_scratch();
    return digest;
}

std::uint64_t ItemMaker::keyed_digest(std::string_view bytes) const {
    static_assert(std::tuple_size_v<store::Hash128> == crypto_shorthash_siphashx24_KEYBYTES);
    std::array<unsigned char, crypto_shorthash_siphashx24_BYTES> hash{};
    crypto_shorthash_siphashx24(hash.data(), reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                                digest_key_.data());
    std::uint64_t digest = 0;
    std::memcpy(&digest, hash.data(), sizeof digest);
    return digest;
}

void ItemMaker::let_go_of_scratch() {
    wipe(scratch_);
    if (scratch_.capacity() > kept_scratch) {
        scratch_ = std::string();
    }
}

}  // namespace lihandover::intake
