#pragma once

#include "aged.hpp"
#include "event_maker.hpp"
#include "lihandover/ims/tracker.hpp"
#include "table_key.hpp"

namespace lihandover::ims {

/// One copy being taken, and what it leads to.
struct Take {
    const Copy& copy;
    SteadyTime now;
    const TrackerOptions& options;
    const TableSecret& secret;
    Made& out;

    [[nodiscard]] Origin origin() const { return {copy, options.service}; }
    void repeat() const {
        if (out.events.empty() && out.outcome == Made::Outcome::no_event) {
            out.outcome = Made::Outcome::repeat;
        }
    }
    void add(MadeEvent made) const {
        out.events.push_back(std::move(made));
        if (out.outcome != Made::Outcome::malformed) {
            out.outcome = Made::Outcome::event;
        }
    }
};

/// Tables in memory, so that keys of one never meet those of another.
enum class Table : std::uint8_t {
    page_message,
    early_answer,
    imdn_id,
    call,
    call_by_tag,
    path,
    correlation,
    tag,
    stream,
    frame,
    message,
    transaction,
    hop,
    content,
    made,
};
[[nodiscard]] inline KeyMaker key_for(const Take& take, Table table) {
    return {take.secret, static_cast<std::uint64_t>(table)};
}

}  // namespace lihandover::ims
