#include "audit_resource.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>

#include "lihandover/audit/lines.hpp"
#include "lihandover/audit/verification.hpp"
#include "lihandover/base/background.hpp"
#include "lihandover/base/hex.hpp"
#include "query.hpp"
#include "words.hpp"

namespace lihandover::admin {

std::string text_of(const AuditPlace& at) {
    return std::to_string(at.place.number) + ":" + base::to_hex(at.place.hash) + ":" + std::to_string(at.place.row) +
           ":" + std::to_string(at.place.checkpoint) + ":" + std::to_string(at.to);
}

std::optional<AuditPlace> parse_audit_place(std::string_view text) {
    std::array<std::string_view, 5> parts;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const auto colon = text.find(':');
        if ((colon == std::string_view::npos) != (i + 1 == parts.size())) {
            return std::nullopt;
        }
        parts[i] = text.substr(0, colon);
        text.remove_prefix(colon == std::string_view::npos ? text.size() : colon + 1);
    }
    const auto number = parse_number(parts[0]);
    const auto hash = base::parse_hex<32>(parts[1]);
    const auto row = parse_number(parts[2]);
    const auto checkpoint = parse_number(parts[3]);
    const auto to = parse_number(parts[4]);
    constexpr auto largest = static_cast<std::uint64_t>(std::numeric_limits<store::RowId>::max());
    if (!number || !hash || !row || !checkpoint || !to || *number > largest || *row > largest ||
        *checkpoint > largest) {
        return std::nullopt;
    }
    return AuditPlace{{*number, *hash, static_cast<store::RowId>(*row), *checkpoint}, *to};
}

namespace {

/// Writes what is read as lines.
class Lines final : public store::AuditLog::Visitor {
  public:
    Lines(std::string& out, std::string_view destination, std::string_view liid)
        : out_(out), destination_(destination), liid_(liid) {}

    [[nodiscard]] bool entry(const audit::Recorded& recorded) override {
        const bool all = destination_.empty();
        if (all || (recorded.entry.destination == destination_ && recorded.entry.liid == liid_)) {
            audit::write_line(recorded, !all, out_);
        }
        return out_.size() < AuditResource::page_bytes;
    }
    void checkpoint(const audit::Checkpoint& checkpoint) override { audit::write_line(checkpoint, out_); }

  private:
    std::string& out_;
    std::string_view destination_;
    std::string_view liid_;
};

}  // namespace

struct AuditResource::Page {
    std::optional<model::Instant> since, until;
    std::string destination, liid;
    std::optional<AuditPlace> token;
};

boost::asio::awaitable<Answer> AuditResource::list(std::string_view query) const {
    const auto pairs = parse_query(query);
    if (!pairs) {
        co_return refuse(400, "the query cannot be read");
    }
    Page page;
    for (const auto& [name, value] : *pairs) {
        if (name == "since" || name == "until") {
            const auto time = model::parse_rfc3339(value);
            if (!time) {
                co_return refuse(400, "since, until: a time as 2026-03-01T00:00:00Z");
            }
            (name == "since" ? page.since : page.until) = time->instant;
        } else if (name == "destination") {
            page.destination = value;
        } else if (name == "liid") {
            page.liid = value;
        } else if (name == "from") {
            page.token = parse_audit_place(value);
            if (!page.token) {
                co_return refuse(400, "from: what an earlier answer gave as next");
            }
        } else {
            co_return refuse(400, "an unknown parameter; known are since, until, destination, liid and from");
        }
    }
    if (page.destination.empty() != page.liid.empty()) {
        co_return refuse(400, "destination and liid name a warrant together");
    }
    auto write = [this, page = std::move(page), version = control_.status().version] {
        return this->write(page, version);
    };
    co_return co_await base::run_on(worker_, std::move(write));
}

Answer AuditResource::write(Page page, std::string_view version) const {
    Answer result;
    result.content_type = "application/x-ndjson";
    if (!page.token) {
        const auto range = audit_.range(page.since, page.until);
        if (!range) {
            return refuse(500, range.error().message);
        }
        audit::Header header{
            range->chain, range->node, std::string(version), clock_.wall(), {range->from.number, range->from.hash},
            range->to,    range->head, page.since,           page.until,    page.destination,
            page.liid};
        audit::write_line(header, result.body);
        if (range->before) {
            audit::write_line(*range->before, result.body);
        }
        page.token = AuditPlace{range->from, range->to.number};
    }
    Lines lines(result.body, page.destination, page.liid);
    const auto read = audit_.read(page.token->place, page.token->to, page_entries, lines);
    if (!read) {
        return refuse(500, read.error().message);
    }
    // The last line is no part of the export.
    JsonWriter json(result.body);
    json.open_object().key("next");
    if (read->ended) {
        json.null();
    } else {
        json.text(text_of({read->place, page.token->to}));
    }
    json.close_object();
    result.body += '\n';
    return result;
}

}  // namespace lihandover::admin
