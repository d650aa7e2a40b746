#pragma once

#include <string>
#include <string_view>

#include "content.hpp"
#include "parties.hpp"
#include "take.hpp"

namespace lihandover::ims {

/// Which event a message's IMDN id stands for: disposition notifications name that id, whatever they came with.
class ImdnIds {
  public:
    void add(const Take& take, std::string_view imdn_id, const Digest& event);
    [[nodiscard]] const Digest* find(const Take& take, std::string_view imdn_id);

    static constexpr std::size_t most = 100'000;

  private:
    AgedTable<Digest> table_;
};

/// Who is at which end of a notification, and where it was heard.
struct NotificationEnds {
    const Uris& reporter;  ///< who got the message
    const Uris& sender;    ///< who sent the message, and is told
    std::string_view reporter_name;
    std::string_view sender_name;
    std::string conversation;  ///< empty: none
    std::string_view kind;
};

/// The events that the notifications in a body stand for: delivered, read, failed. What says none of it makes none.
void add_notifications(const Take& take, const Content& content, const NotificationEnds& ends, ImdnIds& ids);

}  // namespace lihandover::ims
