#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/result.hpp"

namespace lihandover::x2x3_send {

/// A header as its lines are: a folded one has CRLF in its value.
struct Header {
    std::string name;
    std::string value;  ///< what follows the colon, blanks included
    /// Nothing, or `(...)`: as the document prints what it does not repeat.
    [[nodiscard]] bool elided() const;
};

/// A message of SIP as lines.
struct SipText {
    std::string start;
    std::vector<Header> headers;
    bool has_body = false;
    std::vector<std::string> body;
    [[nodiscard]] const Header* find(std::string_view name) const;
    [[nodiscard]] Header* find(std::string_view name);
};
[[nodiscard]] model::Result<SipText> read_sip_text(const std::vector<std::string>& lines);

/// Fills what a message leaves out, from those before it: from the nearest one of the same dialog (that is, with the
/// same last Via) and the same kind (request of that method, or answer) that has the header. Without one, what names
/// the dialog comes from the nearest of the dialog, anything else from the nearest of the kind, since who asserts to be
/// what in a request says nothing of the answer; then the other way round; then from any. So for lines of a session
/// description: the first `a=` from the first, the second from the second. A message that leaves out its Via is of the
/// dialog of the last request. Content-Length is left to the writer.
class Elisions {
  public:
    [[nodiscard]] model::Status fill(SipText& text);

  private:
    struct Earlier {
        std::string dialog;
        std::string kind;
        SipText text;
    };
    template <typename Has>
    [[nodiscard]] const SipText* nearest(const std::string& dialog, const std::string& kind, bool dialog_first,
                                         Has has) const;
    [[nodiscard]] model::Status fill_body(SipText& text, const std::string& dialog, const std::string& kind) const;

    std::vector<Earlier> earlier_;
};

}  // namespace lihandover::x2x3_send
