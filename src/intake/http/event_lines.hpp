#pragma once

#include <cstdint>
#include <string_view>

#include "http/body_format.hpp"

namespace lihandover::intake {

/// The events of a body, one after another, with their line numbers. Views the body.
class EventLines {
  public:
    /// A byte order mark at the start is skipped, as are blank lines everywhere.
    EventLines(std::string_view body, BodyFormat format);

    [[nodiscard]] bool done() const { return rest_.empty(); }
    /// Unless done.
    [[nodiscard]] std::string_view next();
    /// The line of the event that next() returned last, from 1.
    [[nodiscard]] std::uint64_t number() const { return given_; }

  private:
    [[nodiscard]] std::string_view take();
    void skip_blank();

    std::string_view rest_;
    BodyFormat format_;
    std::uint64_t line_ = 1;
    std::uint64_t given_ = 1;
};

}  // namespace lihandover::intake
