#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/hi1/message.hpp"
#include "lihandover/hi1/xml_document.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::hi1 {

// Reads requests, for the side that answers. The reader splits a message into its actions and leaves their objects as
// XML, to be read by whoever knows their kind.

/// TS 103 120 6.4. Cancelling is an UPDATE of the desired status.
enum class Verb : std::uint8_t { unknown, get, create, update, list, deliver, get_csp_config };

/// One ActionRequest.
struct RequestedAction {
    std::uint64_t action = max_number;      ///< ActionIdentifier; max_number also if it is missing or not a number
    Verb verb = Verb::unknown;              ///< unknown also if the action has more than one
    std::optional<model::Uuid> identifier;  ///< of GET, UPDATE and DELIVER; none if it is unreadable
    Element content;                        ///< the verb's element; none from scan_request
    /// HI1Object, whose type() tells its kind; none if there is none, and from scan_request.
    Element object;
};

struct Request {
    Header header;
    /// In document order. Identifiers that repeat or leave gaps are reported as they are: see action_order_error.
    std::vector<RequestedAction> actions;
    std::unique_ptr<Document> document;  ///< owns what the elements above refer to
};

/// Reads a request of any shape that the schemas allow. `max_size` bounds the body in bytes.
[[nodiscard]] model::Result<Request> read_request(std::string_view body, std::size_t max_size = std::size_t{64} << 20);

/// ActionIdentifiers start at 0 and rise by 1; otherwise the whole message is refused before any of it is done (6.4.4).
/// Returns the error to answer with in that case.
[[nodiscard]] std::optional<ErrorInformation> action_order_error(std::span<const RequestedAction> actions);

/// Reference/LIID of a DeliveryObject; empty if there is none.
[[nodiscard]] std::string liid_of(const Element& delivery_object);

/// The cheap way, for benchmarks: finds header, ActionIdentifiers and DELIVER/Identifiers by searching for the tags as
/// our own writer writes them, without checking the rest. `out` is reused. An error if they are not found.
[[nodiscard]] model::Status scan_request(std::string_view body, Request& out);

}  // namespace lihandover::hi1
