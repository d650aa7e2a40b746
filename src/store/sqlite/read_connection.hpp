#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string_view>

#include "common/catalogue.hpp"
#include "common/object_files.hpp"
#include "key_slots.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/model/item.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/types.hpp"
#include "sqlite.hpp"

namespace lihandover::store::sqlite {

/// Rows of one read transaction in long scans: a longer one would keep the write-ahead log from beginning anew.
inline constexpr std::int64_t scan_step = 20'000;

/// One connection that reads beside the writer. What it is asked for is in outbox_reads.hpp and operator_reads.hpp.
class ReadConnection {
  public:
    struct Setup {
        std::filesystem::path database;
        std::shared_ptr<const Catalogue> catalogue;
        std::shared_ptr<ObjectFiles> files;
        std::shared_ptr<KeySlots> keys;
        const model::Clock* clock = nullptr;  ///< outlives it
    };
    /// Kept for as long as the connection works; bound by whoever runs one.
    struct Statements {
        Statement load;            ///< a queued item by its row
        Statement load_set_aside;  ///< one that is set aside
        Statement object;          ///< an object by its id
        Statement objects_of_item;
    };

    explicit ReadConnection(const Setup& setup) : setup_(setup) {}

    /// Runs `work` on a connection that works; gives it up when the database fails, so that the next call gets a new
    /// one.
    template <typename Work>
    model::Status reading(const Work& work) {
        try {
            connect();
            work();
            return {};
        } catch (const SqlFailure& failure) {
            statements_ = {};
            connection_ = Connection();
            return model::Error{"the store cannot be read: " + failure.describe()};
        }
    }

    // Within reading() only.
    [[nodiscard]] Connection& connection() { return connection_; }
    [[nodiscard]] Statements& statements() { return statements_; }

    [[nodiscard]] const Setup& setup() const { return setup_; }

  private:
    void connect();

    const Setup& setup_;
    Connection connection_;
    Statements statements_;  // after the connection they belong to
};

}  // namespace lihandover::store::sqlite
