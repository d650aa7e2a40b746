#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"
#include "message.hpp"

namespace lihandover::x2x3_send {

using TaskNames = std::map<std::string, model::Uuid, std::less<>>;

/// Messages in the text form that README.md describes.
struct Flow {
    std::vector<Message> messages;
    TaskNames tasks;
};

/// What a flow leaves open.
struct FlowDefaults {
    TaskNames tasks;                ///< before those that the flow names
    std::vector<model::Uuid> xids;  ///< of messages that name no task, where the flow names none either
};

/// Elisions are filled, lengths and ranges computed. An error names the line.
[[nodiscard]] model::Result<Flow> read_flow(std::string_view text, const FlowDefaults& defaults);

/// Messages as a flow, that read_flow() reads again, for printing: what is not printable goes as `{hex …}`.
[[nodiscard]] std::string flow_text(const Message& message);

}  // namespace lihandover::x2x3_send
