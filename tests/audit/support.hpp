#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lihandover/audit/lines.hpp"
#include "lihandover/audit/signature.hpp"
#include "lihandover/audit/verification.hpp"

namespace lihandover::audit::test {

/// A chain as a store makes one, and exports of it.
class TestChain {
  public:
    explicit TestChain(std::uint8_t name = 7) { chain_.fill(name); }

    /// The next entry; the strings have to outlive the chain.
    Recorded& add(std::string_view liid = "LIID-1", Kind kind = Kind::item_made, std::string_view why = "") {
        Recorded& made = entries_.emplace_back();
        made.number = entries_.size();
        made.entry.kind = kind;
        made.entry.at = {1'800'000'000 + static_cast<std::int64_t>(entries_.size()), 123'456'789};
        made.entry.destination = "lea";
        made.entry.liid = liid;
        made.entry.why = why;
        made.previous = head().hash;
        made.hash = hasher_.of(made.previous, made);
        hashes_.push_back(made.hash);
        return made;
    }
    void add_some(int count) {
        for (int i = 0; i < count; ++i) {
            add();
        }
    }
    [[nodiscard]] Head head() const { return hashes_.empty() ? Head{0, chain_} : Head{hashes_.size(), hashes_.back()}; }
    void checkpoint(const SigningKey* key = nullptr) {
        Checkpoint& made = checkpoints_.emplace_back();
        made.head = head();
        made.at = {1'800'000'100, 1};
        made.node = "csp-a";
        if (key != nullptr) {
            made.signature = key->sign(signed_bytes(chain_, made));
        }
    }
    [[nodiscard]] const Hash& name() const { return chain_; }

    [[nodiscard]] Header header(std::int64_t exported = 1'800'000'200) const {
        return {chain_, "csp-a", "1.0", {exported, 0}, {0, chain_}, head(), head(), {}, {}, {}, {}};
    }
    /// Of one warrant where a LIID is given.
    [[nodiscard]] std::vector<std::string> lines(std::string_view liid = "", std::int64_t exported = 1'800'000'200) {
        Header header = this->header(exported);
        if (!liid.empty()) {
            header.destination = "lea";
            header.liid = liid;
        }
        return lines(header);
    }
    /// Whatever the first line says: with what it says is there.
    [[nodiscard]] std::vector<std::string> lines(const Header& header) {
        std::vector<std::string> made(1);
        write_line(header, made.back());
        for (const Recorded& entry : entries_) {
            const std::uint64_t number = entry.number;
            if (number > header.from.number && number <= header.to.number &&
                (header.whole() || entry.entry.liid == header.liid)) {
                write_line(entry, !header.whole(), made.emplace_back());
            }
            for (const Checkpoint& checkpoint : checkpoints_) {
                if (checkpoint.head.number == number && number >= header.from.number && number <= header.to.number) {
                    write_line(checkpoint, made.emplace_back());
                }
            }
        }
        close(made, header.to);
        return made;
    }
    [[nodiscard]] Head head_at(std::uint64_t number) const {
        return number == 0 ? Head{0, chain_} : Head{number, hashes_.at(number - 1)};
    }
    /// An export of the entries behind `from` up to `to`.
    [[nodiscard]] Header part(std::uint64_t from, std::uint64_t to, std::int64_t exported = 1'800'000'200) const {
        Header header = this->header(exported);
        header.from = head_at(from);
        header.to = head_at(to);
        header.until = header.exported_at;
        return header;
    }
    /// Writes the last line, or writes it anew, as somebody would who hides a change.
    void close(std::vector<std::string>& lines, bool anew = false) {
        if (anew) {
            lines.pop_back();
        }
        close(lines, head());
    }
    void close(std::vector<std::string>& lines, const Head& to) {
        for (const std::string& line : lines) {
            hasher_.update(line);
        }
        const Closing closing{to, lines.size(), hasher_.finish()};
        write_line(closing, lines.emplace_back());
    }
    std::deque<Recorded>& entries() { return entries_; }

  private:
    Hash chain_{};
    std::deque<Recorded> entries_;
    std::vector<Hash> hashes_;
    std::vector<Checkpoint> checkpoints_;
    Hasher hasher_;
};

[[nodiscard]] inline std::string joined(const std::vector<std::string>& lines) {
    std::string all;
    for (const std::string& line : lines) {
        all += line;
    }
    return all;
}

/// Calls `visit` with each line and whether it has a newline.
template <typename Visit>
void each_line(std::string_view text, const Visit& visit) {
    while (!text.empty()) {
        const auto end = text.find('\n');
        visit(text.substr(0, end), end != std::string_view::npos);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

/// What a verification of these files finds, joined by newlines.
struct Verdict {
    bool holds = false;
    Verification::Outcome outcome{};
    std::string findings;
    std::string doubts;
    std::string notes;
};
[[nodiscard]] inline std::string joined_lines(const Verification::Sentences& sentences) {
    std::string all;
    for (const std::string& sentence : sentences.told) {
        all += sentence + '\n';
    }
    return all;
}
[[nodiscard]] inline Verdict verify(const std::vector<std::string>& files, Verification::Options options = {}) {
    Verification verification(std::move(options));
    for (std::size_t i = 0; i < files.size(); ++i) {
        verification.begin("file" + std::to_string(i));
        each_line(files[i], [&](std::string_view line, bool whole) { verification.line(line, whole); });
        verification.end();
    }
    verification.compare();
    for (std::size_t i = 0; verification.needs_second_look() && i < files.size(); ++i) {
        verification.begin_second();
        each_line(files[i], [&](std::string_view line, bool /*whole*/) { verification.second_line(line); });
        verification.end_second();
    }
    verification.conclude();
    return {verification.outcome() == Verification::Outcome::holds, verification.outcome(),
            joined_lines(verification.findings()), joined_lines(verification.doubts()),
            joined_lines(verification.notes())};
}

}  // namespace lihandover::audit::test
