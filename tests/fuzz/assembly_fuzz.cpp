// Messages of MSRP put together: a byte that says how much is in memory, then chunks, six bytes each, against a map of
// octets.

#include <algorithm>
#include <string>

#include "../ims/octet_map.hpp"
#include "../ims/spools.hpp"
#include "fuzz.hpp"

namespace {

using namespace lihandover;
using namespace lihandover::ims;
using fuzz::must;

void check(const Assembly& assembly, const OctetMap& model) {
    must(assembly.complete() == model.complete(), "complete");
    must(assembly.abandoned() == model.abandoned(), "abandoned");
    must(assembly.ended() == model.ended(), "ended");
    must(assembly.conflicting() == model.conflicting(), "conflicting");
    must(assembly.lost() == model.lost(), "lost");
    must(assembly.total() == model.total(), "total");
    const auto& there = model.octets();
    must(assembly.held() >= there.size(), "held");
    std::uint64_t octets = 0;
    for (const Range& range : assembly.ranges()) {
        must(there.contains(range.first) && there.contains(range.last), "a range is there");
        must(!there.contains(range.first - 1) && !there.contains(range.last + 1), "and all of it");
        octets += range.last - range.first + 1;
    }
    must(octets == there.size(), "and nothing besides");
}

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
        OctetMap model;
        std::string body;
        for (std::size_t chunks = 0; !input.done() && chunks < 512; ++chunks) {
            const MsrpFrame frame = read_chunk(input, body, spools);
            if (!assembly.take(frame)) {
                check(assembly, model);
                spools.mend();
                must(bool(assembly.take(frame)), "when it works again, it is taken");
            }
            spools.mend();
            model.take(frame);
            check(assembly, model);
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
