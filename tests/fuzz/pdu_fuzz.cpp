// PDUs of X2 and X3. A byte that says where the rest is cut, then what came over a connection.

#include <string>

#include "fuzz.hpp"
#include "lihandover/intake/x2x3/pdu.hpp"

namespace {

using namespace lihandover;
using namespace lihandover::intake;
using fuzz::must;

constexpr PduBounds bounds{.max_header = 4096, .max_payload = 65536};

void check_pdu(const Pdu& pdu, std::string_view bytes) {
    must(pdu.major == 0, "only version 0 is read");
    must(pdu.octets >= 40 + pdu.payload.size() && pdu.octets <= bytes.size(), "a PDU is of the bytes that there are");
    must(pdu.payload.size() <= bounds.max_payload && pdu.octets - pdu.payload.size() <= bounds.max_header,
         "lengths are within their bounds");
    const std::string_view header = bytes.substr(0, pdu.octets - pdu.payload.size());
    must(pdu.payload.data() == header.data() + header.size(), "the payload follows the header");
    for (const std::string_view part :
         {pdu.domain_id, pdu.function_id, pdu.point_id, pdu.mime_type, pdu.mime_transfer_encoding, pdu.sdp,
          pdu.source_address, pdu.destination_address}) {
        must(fuzz::within(part, header), "attributes are of the header");
        fuzz::touch(part);
    }
    must(!pdu.at || (pdu.at->nanos >= 0 && pdu.at->nanos < 1'000'000'000), "a time is one");
    std::string scratch;
    for (const std::string_view target : pdu.matched_targets) {
        must(fuzz::within(target, header), "attributes are of the header");
        const std::string_view text = target_text(target, scratch);
        must(text.size() <= target.size(), "resolving makes nothing longer");
        fuzz::touch(text);
    }
    const std::string answer = acknowledgement_of(pdu);
    Pdu read_back;
    std::size_t needed = 0;
    must(read_pdu(answer, bounds, read_back, needed) == PduRead::pdu && read_back.sequence == pdu.sequence &&
             read_back.octets == answer.size(),
         "an acknowledgement can be read, and has the number");
}

using Cut = fuzz::Cut<PduRead>;

Cut cut_whole(std::string_view bytes) {
    Cut cut;
    Pdu pdu;
    std::size_t needed = 0;
    while ((cut.end = read_pdu(bytes, bounds, pdu, needed)) == PduRead::pdu) {
        check_pdu(pdu, bytes);
        cut.sizes.push_back(pdu.octets);
        bytes.remove_prefix(pdu.octets);
    }
    must(cut.end != PduRead::incomplete || needed > bytes.size(), "an incomplete one needs more than there is");
    return cut;
}

/// The same from pieces of `size`, waiting for no more bytes than it says that it needs.
Cut cut_pieces(std::string_view bytes, std::size_t size) {
    Cut cut;
    Pdu pdu;
    std::string there;
    for (;;) {
        std::size_t needed = 0;
        const fuzz::Exact exact(there);
        cut.end = read_pdu(exact.view(), bounds, pdu, needed);
        if (cut.end == PduRead::pdu) {
            cut.sizes.push_back(pdu.octets);
            there.erase(0, pdu.octets);
        } else if (cut.end != PduRead::incomplete || bytes.empty()) {
            return cut;
        } else {
            must(needed > there.size(), "an incomplete one needs more than there is");
            there += bytes.substr(0, size);
            bytes.remove_prefix(std::min(size, bytes.size()));
        }
    }
}

}  // namespace

void fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    fuzz::try_cut_anywhere(data, size, cut_whole, cut_pieces, "PDUs are the same however their bytes come");
}
