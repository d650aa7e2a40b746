#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crlf.hpp"
#include "lihandover/ims/tracker.hpp"

namespace lihandover::ims::test {

/// Spools in memory, which fail when they are told to.
class MemorySpools : public Spools {
  public:
    [[nodiscard]] model::Result<std::unique_ptr<Spool>> make() override {
        if (failing) {
            return model::Error{"no spool"};
        }
        ++made;
        return std::unique_ptr<Spool>(std::make_unique<Memory>(*this));
    }

    bool failing = false;
    int made = 0;

  private:
    class Memory : public Spool {
      public:
        explicit Memory(MemorySpools& spools) : spools_(spools) {}
        [[nodiscard]] model::Status append(std::string_view bytes) override {
            if (spools_.failing) {
                return model::Error{"the disk is full"};
            }
            bytes_.append(bytes);
            return {};
        }
        [[nodiscard]] model::Status read(std::uint64_t at, std::span<char> out) override {
            std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(at), out.size(), out.begin());
            return {};
        }
        [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }

      private:
        MemorySpools& spools_;
        std::string bytes_;
    };
};

/// Text with the line ends of the wire.
inline std::string wire(std::string_view text) {
    return crlf(text);
}

/// The bytes of an event's object.
inline std::string bytes_of(const Bytes& bytes) {
    if (bytes.in_memory()) {
        return std::string(bytes.memory());
    }
    std::string out(bytes.size(), '\0');
    EXPECT_TRUE(bytes.spooled()->read(0, std::span(out.data(), out.size())));
    return out;
}

inline std::string parameter_of(const MadeEvent& made, std::string_view name) {
    for (const model::Property& property : made.event.parameters) {
        if (property.name == name) {
            return std::string(property.value);
        }
    }
    return {};
}

/// `sender*=sip:a@x,tel:+1`: a role, `*` where it is the target, its identifiers.
inline std::vector<std::string> parties_of(const MadeEvent& made) {
    std::vector<std::string> out;
    for (std::size_t i = 0; i < made.event.parties.size(); ++i) {
        const model::Party& party = made.event.parties[i];
        std::string text(name_of(party.role));
        text += made.targeted[i] ? "*=" : "=";
        for (const model::Identifier& identifier : made.event.identifiers_of(party)) {
            text.append(text.back() == '=' ? "" : ",").append(identifier.value);
        }
        out.push_back(text);
    }
    return out;
}

/// `message "hello"`: what happened, and in what words.
inline std::string line_of(const MadeEvent& made) {
    std::string out(name_of(made.event.type));
    if (!made.event.status.empty()) {
        out.append(" ").append(made.event.status);
    }
    if (made.event.has_content) {
        out.append(" \"").append(made.event.text).append("\"");
    }
    for (const model::Attachment& attachment : made.event.attachments) {
        out.append(" [").append(attachment.content_type).append("]");
    }
    return out;
}

struct SentCopy {
    Copy::Kind kind = Copy::Kind::sip;
    Direction direction = Direction::from_target;
    std::string payload;
    std::uint64_t correlation = 5;
    std::string mime_type;
    std::string encoding;
    std::string sdp;
    std::vector<std::string> matched;
    std::optional<model::Instant> at;
    model::Instant received_at;
    std::string point;
    int task = 1;

    [[nodiscard]] Copy view() const {
        Copy copy;
        copy.xid.bytes[0] = static_cast<std::uint8_t>(task);
        copy.correlation = correlation;
        copy.kind = kind;
        copy.direction = direction;
        copy.at = at;
        copy.received_at = received_at;
        copy.matched.assign(matched.begin(), matched.end());
        copy.mime_type = mime_type;
        copy.mime_transfer_encoding = encoding;
        copy.sdp = sdp;
        copy.point = point;
        copy.payload = payload;
        return copy;
    }
};

/// What a door does: it keeps what it is told to keep.
class KeptCopies {
  public:
    void note(const SentCopy& copy, const Made& made) {
        if (made.kept_by != 0) {
            kept_.push_back({made.kept_by, copy});
        }
        for (const Made::Part& part : made.kept_parts) {
            SentCopy part_of = copy;
            part_of.payload = copy.payload.substr(part.first, part.size);
            kept_.push_back({part.owner, std::move(part_of)});
        }
        for (const std::uint64_t owner : made.let_go) {
            std::erase_if(kept_, [owner](const auto& one) { return one.first == owner; });
        }
    }
    [[nodiscard]] std::vector<SentCopy> take() {
        std::vector<SentCopy> copies;
        for (auto& one : kept_) {
            copies.push_back(std::move(one.second));
        }
        kept_.clear();
        return copies;
    }
    void forget() { kept_.clear(); }
    [[nodiscard]] std::size_t size() const { return kept_.size(); }

  private:
    std::vector<std::pair<std::uint64_t, SentCopy>> kept_;
};

class TrackerTest : public testing::Test {
  protected:
    TrackerTest() { start(); }

    void start() { tracker = std::make_unique<Tracker>(options, spools); }
    /// The process ends and begins again: with a new tracker, what was kept is taken first.
    void restart() {
        start();
        for (const SentCopy& copy : kept.take()) {
            feed(copy);
        }
    }

    Made::Outcome feed(const SentCopy& copy) {
        status = tracker->take(copy.view(), now, out);
        kept.note(copy, out);
        collect();
        return out.outcome;
    }
    Made::Outcome sip(std::string_view text, Direction direction = Direction::from_target) {
        return feed(copy(Copy::Kind::sip, wire(text), direction));
    }
    Made::Outcome msrp(std::string_view text, Direction direction = Direction::from_target) {
        return feed(copy(Copy::Kind::msrp, wire(text), direction));
    }
    [[nodiscard]] SentCopy copy(Copy::Kind kind, std::string payload,
                                Direction direction = Direction::from_target) const {
        SentCopy made;
        made.kind = kind;
        made.direction = direction;
        made.payload = std::move(payload);
        made.correlation = correlation;
        made.matched = matched;
        made.at = at;
        made.received_at = {std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()).count(), 0};
        return made;
    }
    void pass(std::chrono::milliseconds time) {
        now += time;
        expire();
    }
    void expire() {
        status = tracker->expire(now, out);
        kept.note({}, out);
        collect();
    }

    [[nodiscard]] std::vector<std::string> lines() const {
        std::vector<std::string> made;
        for (const MadeEvent& event : events) {
            made.push_back(line_of(event));
        }
        return made;
    }
    [[nodiscard]] std::vector<std::string> ids() const {
        std::vector<std::string> made;
        for (const MadeEvent& event : events) {
            made.emplace_back(event.event.event_id);
        }
        return made;
    }
    [[nodiscard]] const MadeEvent& last() const { return events.back(); }

    MemorySpools spools;
    TrackerOptions options{.service = "ims"};
    std::unique_ptr<Tracker> tracker;
    Tracker::SteadyTime now{std::chrono::hours(1)};
    std::uint64_t correlation = 5;
    std::vector<std::string> matched;
    std::optional<model::Instant> at;
    Made out;
    model::Status status;
    KeptCopies kept;
    std::vector<MadeEvent> events;

  private:
    void collect() {
        for (MadeEvent& event : out.events) {
            EXPECT_EQ(event.event.parties.size(), event.targeted.size());
            EXPECT_EQ(event.event.attachments.size(), event.objects.size());
            EXPECT_FALSE(event.substance.empty());
            EXPECT_EQ(event.event.service, "ims");
            events.push_back(std::move(event));
        }
        out.events.clear();
    }
};

using Lines = std::vector<std::string>;

}  // namespace lihandover::ims::test
