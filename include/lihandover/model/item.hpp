#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/event.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::model {

// A handover item: one event's share for one warrant. What it says is fixed when it is made. The store keeps the share
// as compact bytes (encode_share), and the document is written from them at each attempt (promise 3).

/// What a warrant orders: which parts of an event go into the item.
struct Deliver {
    bool metadata = false;  ///< parties, times, ids, service, type, status, device, network, number of attachments
    bool content = false;   ///< text, titles, nicknames, parameters that are not listed as metadata
    bool binary = false;    ///< binary objects with their names and types
    bool location = false;  ///< location

    friend bool operator==(const Deliver&, const Deliver&) = default;
};

/// The part of an event that goes to one warrant, read back from its bytes. Views the bytes it was decoded from.
///
/// Without `deliver.metadata` the event has no id, service, time or identifiers, `type` and `received_at` mean
/// nothing, and a party is there only for its nickname (then without any identifiers).
struct Share {
    Event event;
    /// For each party of `event`, whether it holds a target of this item's warrant (TS 103 707 5.4.2 isTargetedParty).
    std::vector<bool> targeted;
    Deliver deliver;
    /// When the daemon took the event in; with metadata only.
    Instant received_at;
    /// How many binary objects the event has, delivered or not; with metadata only. `event.attachments` is empty.
    std::uint32_t attachment_count = 0;
};

/// Appends the bytes of the share to `out`.
///   targeted             bit n set: party n of the event holds a target of the warrant
///   metadata_parameters  names below `parameters` that count as metadata
/// Fields that `deliver` does not order are left out, so that they never reach a disk.
void encode_share(const Event& event, std::span<const std::uint64_t> targeted, const Deliver& deliver,
                  Instant received_at, std::span<const std::string> metadata_parameters, std::string& out);

/// Reads bytes written by encode_share of this or an earlier version of it. The first byte is the version.
[[nodiscard]] Status decode_share(std::string_view bytes, Share& out);

/// Related items of one LIID (TS 103 707 5.3.2).
struct ApplicationCorrelation {
    std::uint64_t level_id = 0;         ///< below 2^53
    std::uint64_t sequence_number = 0;  ///< from zero within level_id
};

/// Country code and unique identifier of one end (TS 103 120 EndpointID).
struct Endpoint {
    std::string country_code;
    std::string unique_identifier;

    friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

using Sha256 = std::array<std::uint8_t, 32>;

/// How binary objects reach an LEA (TS 103 707 annex C): fetched from us, or pushed by us.
enum class BinaryModel : std::uint8_t { a, b };

/// Why an object's bytes could not be obtained from the file that the source named.
enum class ObjectLoss : std::uint8_t { none, vanished, changed, unreadable, checksum };
inline constexpr std::array<std::string_view, 5> object_loss_names = {"none", "vanished", "changed", "unreadable",
                                                                      "checksum"};
[[nodiscard]] constexpr std::string_view name_of(ObjectLoss loss) {
    return object_loss_names[static_cast<std::size_t>(loss)];
}

/// What a document says of one binary object (TS 103 707 table 8). Names and types are as the source gave them, and not
/// to be trusted.
struct BinaryObject {
    Uuid id;
    std::string url;
    std::optional<std::uint64_t> content_length;
    std::string content_type;  ///< empty: none
    std::optional<Instant> expiry;
    std::optional<Sha256> checksum;      ///< of the bytes as the source gave them
    std::string original_filename;       ///< WTF-8; empty: none
    std::string csp_defined_identifier;  ///< WTF-8; the attachment's id
    ObjectLoss loss = ObjectLoss::none;
};

/// What documents of a destination say beyond the item itself; immutable once an item has been made with it.
struct Profile {
    Endpoint sender;
    Endpoint receiver;
    std::string etsi_version;  ///< TS 103 120 version, `V1.14.1`
    std::string national_profile_owner = "N/A";
    std::string national_profile_version = "N/A";
    std::string schema_identifier;  ///< of the CSP-defined part, as the writer names it
    std::string schema_url;         ///< empty: none
    std::uint32_t writer_version = 1;

    friend bool operator==(const Profile&, const Profile&) = default;
};

/// What an item needs beyond its share to be written as a document.
struct ItemIdentity {
    Uuid object_id;  ///< ObjectIdentifier, the same on every attempt
    std::string_view liid;
    std::optional<ApplicationCorrelation> correlation;
    bool carries_schema = false;  ///< schemaContent goes with this item (TS 103 707 table 9)
};

}  // namespace lihandover::model
