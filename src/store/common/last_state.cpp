#include "last_state.hpp"

#include <spdlog/spdlog.h>

namespace lihandover::store {

namespace {

LastState cannot_tell(const audit::Head& ends, const std::string& what) {
    const std::string said = "state_dir/audit.head, which names the newest audit entry, " + what;
    spdlog::error(
        "store: {}. Whether an older state was put in the place of the database, which ends with entry {}, cannot be "
        "known: compare that with the last export",
        said, ends.number);
    return {said + ": whether an older state of the store was put in its place cannot be known", {}};
}

LastState another_state(const audit::ChainHead& was, const audit::Head& head, bool same_chain) {
    const std::string ends = "ends with audit entry " + std::to_string(head.number) + ", and ";
    const std::string other = same_chain && was.head.number <= head.number ? "another " : "";
    const std::string named = other + "entry " + std::to_string(was.head.number) + " of " +
                              (same_chain ? "it" : "another database") + " was there";
    spdlog::critical(
        "store: the database {}{}: another state was put in its place. What was decided in between is not on record, "
        "and what was delivered goes out again",
        ends, named);
    return {"another state of the store was put in its place: it " + ends + named, was};
}

}  // namespace

LastState compare_with_last(
    const model::Result<std::optional<audit::ChainHead>>& named, const audit::ChainHead& ends,
    const std::function<model::Result<std::optional<audit::Hash>>(std::uint64_t number)>& entry) {
    const audit::Head& head = ends.head;
    if (!named || !*named) {
        return cannot_tell(head, named ? "is missing" : "cannot be read: " + named.error().message);
    }
    const audit::ChainHead& known = **named;
    const bool same_chain = known.chain == ends.chain;
    if (same_chain && known.head == head) {
        return {};
    }
    if (!same_chain || known.head.number >= head.number) {
        return another_state(known, head, same_chain);
    }
    const auto hash = entry(known.head.number);
    if (!hash) {
        return cannot_tell(head, "names entry " + std::to_string(known.head.number) + ", which cannot be looked up (" +
                                     hash.error().message + ")");
    }
    if (!*hash) {
        return cannot_tell(
            head, "names entry " + std::to_string(known.head.number) + ", which is older than all that are kept");
    }
    if (**hash != known.head.hash) {
        return another_state(known, head, same_chain);
    }
    spdlog::info(
        "store: state_dir/audit.head names audit entry {}, and the database goes on from there to entry {}, as after a "
        "crash or a full disk",
        known.head.number, head.number);
    return {};
}

}  // namespace lihandover::store
