#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "capture.hpp"
#include "lihandover/model/result.hpp"
#include "message.hpp"

namespace lihandover::x2x3_send {

/// Cuts a stream of bytes into messages of SIP (by Content-Length) and MSRP (by the end line). What is neither is
/// passed over, up to the next line that may begin one.
class MessageCutter {
  public:
    struct Cut {
        Kind kind = Kind::sip;
        std::string bytes;
    };
    void add(std::string_view bytes) { buffer_ += bytes; }
    /// Bytes are missing here: the message they belong to is given up.
    void lose();
    [[nodiscard]] bool next(Cut& out);

  private:
    enum class Step : std::uint8_t { cut, more, skipped };
    Step cut_sip(Cut& out);
    Step cut_msrp(std::string_view start, Cut& out);

    std::string buffer_;
    std::size_t searched_ = 0;  ///< bytes of the buffer that hold no end line
};

/// Whose messages a capture's are.
struct CaptureOptions {
    std::vector<model::Uuid> xids;
    std::vector<std::string> targets;           ///< URIs
    std::vector<std::string> target_addresses;  ///< IPv4 or IPv6, as text
};

/// What was not read of a capture.
struct CaptureLosses {
    std::size_t packets = 0;  ///< neither UDP nor TCP, or broken
    std::size_t holes = 0;    ///< in streams of TCP
};

/// The messages of SIP and MSRP in a capture, over UDP and TCP, in the order of their last bytes: in order by sequence
/// number, repeated bytes dropped. Messages of SIP that one UDP datagram carries are taken whole.
[[nodiscard]] model::Result<std::vector<Message>> messages_of(std::string_view file, const CaptureOptions& options,
                                                              CaptureLosses* losses = nullptr);

}  // namespace lihandover::x2x3_send
