#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "item_loader.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::delivery {

/// Makes one HI1 message of several items' DELIVER actions. Its buffers are reused from message to message. Pure.
class MessageBuilder {
  public:
    enum class Added : std::uint8_t {
        added,
        full,        ///< it does not fit with the others, or under their header: into the next message
        impossible,  ///< no document can be written for it, see problem()
    };

    /// Forgets the last message.
    void clear();
    /// Adds an item; the first one always fits.
    ///   profile   the item's; null if the store does not know it
    ///   max_size  of the message in bytes
    [[nodiscard]] Added add(const store::StoredItem& item, std::string_view liid, const LoadedProfile* profile,
                            std::size_t max_size, model::Instant now);
    /// The message is complete.
    void finish();
    /// A new TransactionIdentifier and Timestamp: for another attempt with the same items.
    void renew_head(model::Instant now);

    [[nodiscard]] std::size_t actions() const { return objects_.size(); }
    /// ObjectIdentifiers by ActionIdentifier.
    [[nodiscard]] std::span<const model::Uuid> objects() const { return objects_; }
    [[nodiscard]] const model::Uuid& transaction() const { return transaction_; }
    [[nodiscard]] std::string_view message() const { return message_; }
    /// Why the last add() was impossible. Contains no content.
    [[nodiscard]] const std::string& problem() const { return problem_; }

  private:
    [[nodiscard]] bool write_action(const store::StoredItem& item, std::string_view liid,
                                    const model::Profile& profile);

    std::string message_;
    std::string head_;
    std::size_t head_size_ = 0;
    std::shared_ptr<const model::Profile> profile_;
    model::Uuid transaction_;
    std::vector<model::Uuid> objects_;
    std::vector<model::BinaryObject> binaries_;
    model::Share share_;
    std::string problem_;
};

}  // namespace lihandover::delivery
