// Messages of MSRP put together: a byte that says how much is in memory, then chunks, six bytes each, against a map of
// octets.

#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "../ims/spools.hpp"
#include "fuzz.hpp"

namespace {

using namespace lihandover;
using namespace lihandover::ims;
using fuzz::must;

/// The plainest there is.
class Model {
  public:
    void take(const MsrpFrame& frame) {
        const std::uint64_t start = frame.range ? std::max<std::uint64_t>(frame.range->start, 1) : 1;
        constexpr std::uint64_t last_octet = std::uint64_t{1} << 48;
        const bool possible = start <= last_octet && frame.body.size() <= last_octet - start + 1;
        lost_ = lost_ || !possible;
        for (std::size_t i = 0; possible && i < frame.body.size(); ++i) {
            const auto [octet, fresh] = octets_.try_emplace(start + i, frame.body[i]);
            conflicting_ = conflicting_ || (!fresh && octet->second != frame.body[i]);
            octet->second = frame.body[i];
        }
        announced_ = frame.range && frame.range->total ? frame.range->total : announced_;
        abandoned_ = abandoned_ || frame.flag == ChunkFlag::abandoned;
        if (frame.flag == ChunkFlag::last) {
            ended_ = true;
            end_ = possible ? std::max(end_.value_or(0), start + frame.body.size() - 1) : end_;
        }
    }

    void check(const Assembly& assembly) const {
        const std::uint64_t last = octets_.empty() ? 0 : octets_.rbegin()->first;
        must(assembly.complete() == (end_ && !lost_ && octets_.size() == last && last >= *end_), "complete");
        must(assembly.abandoned() == abandoned_, "abandoned");
        must(assembly.ended() == (ended_ || abandoned_), "ended");
        must(assembly.conflicting() == conflicting_, "conflicting");
        must(assembly.lost() == lost_, "lost");
        must(assembly.total() == (end_ ? std::optional(std::max(*end_, last)) : announced_), "total");
        must(assembly.held() >= octets_.size(), "held");
        std::uint64_t octets = 0;
        for (const Range& range : assembly.ranges()) {
            must(octets_.contains(range.first) && octets_.contains(range.last), "a range is there");
            must(!octets_.contains(range.first - 1) && !octets_.contains(range.last + 1), "and all of it");
            octets += range.last - range.first + 1;
        }
        must(octets == octets_.size(), "and nothing besides");
    }

    [[nodiscard]] std::string bytes() const {
        std::string out;
        for (const auto& [at, octet] : octets_) {
            out += octet;
        }
        return out;
    }

  private:
    std::map<std::uint64_t, char> octets_;
    std::optional<std::uint64_t> announced_;
    std::optional<std::uint64_t> end_;
    bool ended_ = false;
    bool abandoned_ = false;
    bool conflicting_ = false;
    bool lost_ = false;
};

/// Start (two bytes), size, what is in it, flag and total, and what fails.
MsrpFrame read_chunk(fuzz::Input& input, std::string& body, FakeSpools& spools) {
    MsrpFrame frame;
    frame.method = "SEND";
    std::uint64_t start = input.byte() | input.below(8) << 8U;
    if (start >= 0x7f0) {
        start = start == 0x7ff ? ~std::uint64_t{0} : (std::uint64_t{1} << (start - 0x7f0 + 36)) - 1;
    }
    const std::size_t length = input.byte();
    const std::uint8_t content = input.byte();
    body.clear();
    for (std::size_t i = 0; i < length; ++i) {
        body += static_cast<char>('a' + (start + i + (i % 16 == content >> 4U ? content & 3U : 0)) % 26);
    }
    frame.body = body;
    const std::uint8_t flags = input.byte();
    frame.flag = (flags & 7U) == 1 ? ChunkFlag::last : (flags & 7U) == 2 ? ChunkFlag::abandoned : ChunkFlag::more;
    if ((flags & 8U) == 0) {
        frame.range = ByteRange{start, std::nullopt, std::nullopt};
        if ((flags & 16U) != 0) {
            frame.range->total = flags;
        }
    }
    const std::uint8_t fails = input.byte();
    spools.half_written = (fails & 1U) != 0;
    if (fails >= 0x80) {
        ((fails & 2U) == 0   ? spools.appends_left
         : (fails & 4U) == 0 ? spools.reads_left
                             : spools.makings_left) = fails >> 4U & 3U;
    }
    return frame;
}

}  // namespace

void fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::size_t in_memory = input.below(64) * 16;
    FakeSpools spools;
    {
        Assembly assembly(spools, in_memory);
        Model model;
        std::string body;
        for (std::size_t chunks = 0; !input.done() && chunks < 512; ++chunks) {
            const MsrpFrame frame = read_chunk(input, body, spools);
            if (!assembly.take(frame)) {
                model.check(assembly);
                spools.mend();
                must(bool(assembly.take(frame)), "when it works again, it is taken");
            }
            spools.mend();
            model.take(frame);
            model.check(assembly);
            must(assembly.held() <= 2 * model.bytes().size() + in_memory + 2 * body.size() + 4096,
                 "repeats are not held");
        }
        auto bytes = assembly.take_bytes();
        must(bool(bytes), "the bytes are given");
        must(text_of(*bytes) == model.bytes(), "and are what came");
        must(assembly.held() == 0 && assembly.ranges().empty() && !assembly.ended(), "nothing is left");
    }
    must(spools.open == 0, "no spool stays open");
}
