// What one task's conferences make of copies. Between lines of two hyphens: a line that says what it is, and a body.
//   N d c    a NOTIFY of dialog d with CSeq c; the body is its document
//   P, G     a body by itself, that the target puts or gets, after a line with its type
//   I n, F n an INVITE of call n to a focus, or by one;  A n  its 200;  B n  a BYE;  R n a REFER for the body
//   K n, O   a NICKNAME of call n, the body is the name; the answer to it
// The same copies make the same events; and when nobody speaks any more, nothing is kept.

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzz.hpp"
#include "lihandover/ims/tracker.hpp"

namespace {

using namespace lihandover;
using fuzz::must;
using ims::Copy;
using ims::Direction;
using ims::Made;

class NoSpools : public ims::Spools {
  public:
    [[nodiscard]] model::Result<std::unique_ptr<ims::Spool>> make() override { return model::Error{"no spool"}; }
};

struct Payload {
    Copy::Kind kind = Copy::Kind::sip;
    Direction direction = Direction::to_target;
    std::string type;
    std::string bytes;
};

std::string head(std::string_view start, std::string_view from, std::string_view to, std::string_view call,
                 std::string_view cseq) {
    std::string text(start);
    text.append("\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <").append(from).append(">;tag=f\r\nTo: <");
    text.append(to).append(">").append(start.starts_with("INVITE") ? "" : ";tag=t").append("\r\nCall-ID: ");
    return text.append(call).append("\r\nCSeq: ").append(cseq).append("\r\n");
}

std::string with_body(std::string text, std::string_view type, std::string_view body) {
    text.append("Content-Type: ").append(type).append("\r\nContent-Length: ").append(std::to_string(body.size()));
    return text.append("\r\n\r\n").append(body);
}

std::string description(std::string_view path) {
    return "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\nc=IN IP4 h\r\nt=0 0\r\nm=message 1 TCP/MSRP *\r\na=path:msrp://" +
           std::string(path) + ";tcp\r\n";
}

constexpr std::string_view user = "sip:a@x";
constexpr std::string_view room = "sip:c@x";

Payload call_message(char what, std::string_view number, std::string_view body) {
    const std::string call(number.substr(0, 8));
    const std::string isfocus = "Contact: <sip:c@x>;isfocus\r\n";
    switch (what) {
        case 'I':
            return {Copy::Kind::sip,
                    Direction::from_target,
                    {},
                    with_body(head("INVITE sip:c@x SIP/2.0", user, room, call, "1 INVITE"), "application/sdp",
                              description("a:1/" + call))};
        case 'F':
            return {Copy::Kind::sip,
                    Direction::to_target,
                    {},
                    with_body(head("INVITE sip:a@x SIP/2.0", room, user, call, "1 INVITE") + isfocus, "application/sdp",
                              description("c:1/" + call))};
        case 'A':
            return {Copy::Kind::sip,
                    Direction::to_target,
                    {},
                    with_body(head("SIP/2.0 200 OK", user, "sip:factory@x", call, "1 INVITE") + isfocus,
                              "application/sdp", description("c:1/" + call))};
        case 'B':
            return {Copy::Kind::sip,
                    Direction::from_target,
                    {},
                    head("BYE sip:c@x SIP/2.0", user, room, call, "2 BYE") + "\r\n"};
        default:
            return {Copy::Kind::sip,
                    Direction::from_target,
                    {},
                    head("REFER sip:c@x SIP/2.0", user, room, call, "3 REFER") + "Refer-To: <" +
                        std::string(body.substr(0, body.find_first_of("\r\n>"))) + ">\r\n\r\n"};
    }
}

Payload frame(char what, std::string_view number, std::string_view body) {
    const std::string call(number.substr(0, 8));
    const std::string user_path = "msrp://a:1/" + call + ";tcp";
    const std::string focus_path = "msrp://c:1/" + call + ";tcp";
    if (what == 'O') {
        return {Copy::Kind::msrp,
                Direction::to_target,
                {},
                "MSRP nick 200 OK\r\nTo-Path: " + user_path + "\r\nFrom-Path: " + focus_path + "\r\n-------nick$\r\n"};
    }
    return {Copy::Kind::msrp,
            Direction::from_target,
            {},
            "MSRP nick NICKNAME\r\nTo-Path: " + focus_path + "\r\nFrom-Path: " + user_path + "\r\nUse-Nickname: \"" +
                std::string(body.substr(0, body.find_first_of("\r\n\""))) + "\"\r\n-------nick$\r\n"};
}

Payload payload_of(std::string_view line, std::string_view body) {
    const char what = line.empty() ? 'G' : line.front();
    const std::string_view rest = line.substr(line.size() > 1 ? 2 : line.size());
    if (what == 'N') {
        const std::string_view dialog = rest.substr(0, rest.find(' '));
        const std::string_view cseq = rest.substr(std::min(dialog.size() + 1, rest.size()));
        return {Copy::Kind::sip,
                Direction::to_target,
                {},
                with_body(head("NOTIFY sip:a@x SIP/2.0", room, user, dialog, std::string(cseq) + " NOTIFY") +
                              "Event: conference\r\nSubscription-State: active\r\n",
                          "application/conference-info+xml", body)};
    }
    if (what == 'P' || what == 'G') {
        const std::size_t end = std::min(body.find('\n'), body.size());
        return {Copy::Kind::mime, what == 'P' ? Direction::from_target : Direction::to_target,
                std::string(body.substr(0, end)), std::string(body.substr(std::min(end + 1, body.size())))};
    }
    return what == 'K' || what == 'O' ? frame(what, rest, body) : call_message(what, rest, body);
}

/// A tracker, and what a door keeps for it.
class Run {
  public:
    void take(const Payload& payload) {
        Copy copy;
        copy.xid.bytes[0] = 1;
        copy.correlation = 7;
        copy.kind = payload.kind;
        copy.direction = payload.direction;
        copy.mime_type = payload.type;
        copy.payload = payload.bytes;
        copy.at = model::Instant{++seconds_, 0};
        now_ += std::chrono::seconds(1);
        must(static_cast<bool>(tracker_.take(copy, now_, out_)), "nothing here needs a spool");
        note(payload.bytes.size());
    }
    void end() {
        for (int i = 0; i < 4; ++i) {
            now_ += std::chrono::hours(200);
            must(static_cast<bool>(tracker_.expire(now_, out_)), "nothing here needs a spool");
            note(0);
        }
        must(kept_.empty(), "nothing is kept of what is forgotten");
        must(!tracker_.due(), "nothing is due any more");
    }
    [[nodiscard]] const std::vector<std::string>& ids() const { return ids_; }

  private:
    void note(std::size_t size) {
        if (out_.kept_by != 0) {
            ++kept_[out_.kept_by];
        }
        for (const Made::Part& part : out_.kept_parts) {
            must(part.owner != 0 && part.first <= size && part.size <= size - part.first, "a part is of the payload");
            ++kept_[part.owner];
        }
        for (const std::uint64_t owner : out_.let_go) {
            kept_.erase(owner);
        }
        for (const ims::MadeEvent& made : out_.events) {
            check(made);
            ids_.emplace_back(made.event.event_id);
        }
    }
    static void check(const ims::MadeEvent& made) {
        must(!made.event.event_id.empty() && !made.substance.empty(), "an event has a name");
        must(!made.event.parties.empty() || made.event.type == model::EventType::message, "somebody is concerned");
        must(made.event.parties.size() == made.targeted.size(), "each party is marked or not");
        must(made.event.attachments.size() == made.objects.size(), "each attachment has its bytes");
        for (std::size_t i = 1; i < made.event.parties.size(); ++i) {
            must(made.event.parties[i - 1].role <= made.event.parties[i].role, "parties are in their order");
        }
        must(made.event.type == model::EventType::message || !made.event.conversation.id.empty(),
             "it is of a conversation");
    }

    NoSpools spools_;
    ims::Tracker tracker_{{.service = "ims"}, spools_};
    ims::Tracker::SteadyTime now_{std::chrono::hours(1)};
    std::int64_t seconds_ = 1'790'000'000;
    Made out_;
    std::map<std::uint64_t, int> kept_;
    std::vector<std::string> ids_;
};

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    std::string_view rest(reinterpret_cast<const char*>(data), size);
    Run one;
    Run other;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find("\n--\n"), rest.size());
        const std::string_view piece = rest.substr(0, end);
        rest.remove_prefix(std::min(end + 4, rest.size()));
        const std::size_t line = std::min(piece.find('\n'), piece.size());
        const Payload payload = payload_of(piece.substr(0, line), piece.substr(std::min(line + 1, piece.size())));
        one.take(payload);
        other.take(payload);
    }
    must(one.ids() == other.ids(), "the same copies make the same events");
    one.end();
}
