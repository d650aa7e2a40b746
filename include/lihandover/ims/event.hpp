#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/ims/assembly.hpp"
#include "lihandover/model/event.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::ims {

/// An event that was made here, with the memory that its texts view.
class MadeEvent {
  public:
    MadeEvent();
    MadeEvent(MadeEvent&&) noexcept = default;
    MadeEvent& operator=(MadeEvent&&) noexcept = default;
    ~MadeEvent() = default;

    /// Copies a text to where it lives as long as this event. Once for each text that is not a literal.
    [[nodiscard]] std::string_view keep(std::string_view text);

    /// The task that it is of: waiting makes events of any task, and so may a copy of another one.
    model::Uuid xid;
    /// Attachment sources are not used: the bytes of attachments[i] are objects[i].
    model::Event event;
    std::vector<Bytes> objects;
    /// targeted[i]: the copy marks parties[i] as the target (isTargetedParty). As long as `event.parties`.
    std::vector<bool> targeted;
    /// What it is to itself, the same for each copy of it whatever time or hop it comes with: what distinguishes two
    /// events that use one event_id.
    std::string substance;

  private:
    std::unique_ptr<std::pmr::monotonic_buffer_resource> texts_;
};

}  // namespace lihandover::ims
