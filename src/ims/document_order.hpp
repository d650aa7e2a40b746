#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "lihandover/ims/conference.hpp"
#include "lihandover/model/time.hpp"
#include "table_key.hpp"

namespace lihandover::ims {

/// Which documents of a conference are news. Several dialogs may tell of one conference, and each is seen at several
/// hops, early or late.
class DocumentOrder {
  public:
    struct Arrival {
        TableKey dialog;         ///< the subscription that brought it
        std::uint32_t cseq = 0;  ///< 0: it came without one
        std::optional<std::uint32_t> version;
        InfoState state = InfoState::full;
        bool whole = false;  ///< Roster::is_whole()
        std::optional<model::Instant> at;
    };
    enum class News : std::uint8_t {
        news,
        repeat,  ///< its dialog has said so, or something newer
        late,    ///< another dialog has told what came after it
    };
    /// Within a dialog the CSeq counts, and for those that are not whole the version: a focus that begins to count anew
    /// tells all. Between dialogs the time of interception, to two seconds.
    ///   gap   set where one is missing before it
    [[nodiscard]] News take(const Arrival& arrival, bool& gap);

    /// A dialog has ended.
    void end(const TableKey& dialog);
    /// The conference has ended.
    void forget() { *this = DocumentOrder(); }

    static constexpr std::size_t most_dialogs = 8;

  private:
    struct Dialog {
        TableKey key;
        std::uint32_t cseq = 0;
        std::optional<std::uint32_t> version;
    };

    std::vector<Dialog> dialogs_;  ///< the one heard of last comes last
    std::optional<TableKey> told_by_;
    std::optional<model::Instant> told_at_;
    bool gap_ = false;
};

}  // namespace lihandover::ims
