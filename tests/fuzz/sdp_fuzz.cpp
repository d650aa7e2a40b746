// A session description.

#include <string>

#include "fuzz.hpp"
#include "lihandover/ims/sdp.hpp"

namespace {

using namespace lihandover;
using namespace lihandover::ims;
using fuzz::must;

/// All of it as one text.
std::string told(const SessionDescription& sdp) {
    std::string out = std::to_string(sdp.media);
    const auto add = [&out](std::string_view text) { out.append("\n").append(text); };
    const auto add_all = [&add](const std::vector<std::string_view>& texts) {
        must(texts.size() <= max_sdp_values, "values are bounded");
        add("-");
        for (const std::string_view text : texts) {
            must(!text.empty(), "a value of a list is not empty");
            add(text);
        }
    };
    for (const std::string_view text : {sdp.session_id, sdp.version, sdp.subject}) {
        add(text);
    }
    for (const SdpMsrp& medium : sdp.msrp) {
        add(std::to_string(medium.port) + std::to_string(medium.max_size.value_or(7)));
        add(std::string{medium.secure ? 's' : '-', medium.cema ? 'c' : '-', medium.chatroom ? 'r' : '-'});
        for (const std::string_view text : {medium.address, medium.setup, medium.direction}) {
            add(text);
        }
        add_all(medium.path);
        add_all(medium.accept_types);
        add_all(medium.accept_wrapped_types);
        add_all(medium.chatroom_tokens);
        must(medium.chatroom || medium.chatroom_tokens.empty(), "only a chat room has its tokens");
        if (medium.file) {
            add(std::to_string(medium.file->size.value_or(7)));
            for (const std::string_view text : {medium.file->name, medium.file->type, medium.file->hash,
                                                medium.file->transfer_id, medium.file->disposition}) {
                add(text);
            }
        }
    }
    return out;
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    const fuzz::Exact bytes({reinterpret_cast<const char*>(data), size});
    const auto sdp = read_sdp(bytes.view());

    // Line ends do not matter.
    std::string plain;
    for (std::size_t at = 0; at < bytes.view().size(); ++at) {
        if (bytes.view()[at] != '\n') {
            plain.push_back(bytes.view()[at]);
            continue;
        }
        while (plain.ends_with('\r')) {
            plain.pop_back();
        }
        plain.push_back('\n');
    }
    const auto again = read_sdp(plain);
    must(sdp.has_value() == again.has_value(), "line ends do not matter");
    if (!sdp) {
        return;
    }
    must(told(*sdp) == told(*again), "line ends change nothing");
    must(sdp->media <= max_sdp_media && sdp->msrp.size() <= sdp->media, "media are bounded");
    // Neither does a line that nobody knows.
    const std::string longer = "x=unknown\n" + plain;
    const auto with_unknown = read_sdp(longer);
    must(with_unknown && told(*with_unknown) == told(*sdp), "unknown lines are passed over");
}
