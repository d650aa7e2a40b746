#include "lihandover/audit/lines.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <utility>

#include "lihandover/base/hex.hpp"
#include "lihandover/base/utf8.hpp"

namespace lihandover::audit {

namespace {

namespace dom = simdjson::dom;

constexpr std::array<Refusal::Kind, 6> refusal_kinds = {Refusal::Kind::hi1_error,        Refusal::Kind::http_status,
                                                        Refusal::Kind::invalid_document, Refusal::Kind::expired,
                                                        Refusal::Kind::no_answer,        Refusal::Kind::unreadable};

/// Writes the members of one object.
class Object {
  public:
    explicit Object(std::string& out) : out_(out) { out_ += '{'; }
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;
    Object(Object&&) = delete;
    Object& operator=(Object&&) = delete;
    ~Object() { out_ += '}'; }

    std::string& key(std::string_view name) {
        if (!std::exchange(first_, false)) {
            out_ += ',';
        }
        ((out_ += '"') += name) += "\":";
        return out_;
    }
    Object& number(std::string_view name, std::uint64_t value) {
        key(name) += std::to_string(value);
        return *this;
    }
    Object& hash(std::string_view name, const Hash& value) { return plain(name, base::to_hex(value)); }
    Object& time(std::string_view name, model::Instant value) { return plain(name, to_nanosecond_date_time(value)); }
    /// Text that needs no escapes.
    Object& plain(std::string_view name, std::string_view value) {
        ((key(name) += '"') += value) += '"';
        return *this;
    }
    /// Any bytes; nothing for none. Those that are no UTF-8 are written in hex, under another name.
    Object& text(std::string_view name, std::string_view value) {
        if (value.empty()) {
            return *this;
        }
        if (!base::is_encoded(value)) {
            return plain(std::string(name) + "_hex", base::to_hex(value));
        }
        key(name) += '"';
        for (const char byte : value) {
            const auto code = static_cast<unsigned char>(byte);
            if (byte == '"' || byte == '\\') {
                (out_ += '\\') += byte;
            } else if (code < 0x20 || code == 0x7F) {
                out_ += "\\u00";
                base::append_hex(out_, byte);
            } else {
                out_ += byte;
            }
        }
        out_ += '"';
        return *this;
    }
    Object& head(std::string_view name, const Head& value) {
        key(name);
        Object(out_).number("number", value.number).hash("hash", value.hash);
        return *this;
    }

  private:
    std::string& out_;
    bool first_ = true;
};

/// Reads the members of one object. What is missing or of another type leaves ok() false.
class Members {
  public:
    explicit Members(dom::object object) : object_(object) {}

    [[nodiscard]] bool has(std::string_view name) const { return object_[name].error() == simdjson::SUCCESS; }
    [[nodiscard]] bool ok() const { return ok_; }

    std::uint64_t number(std::string_view name) {
        std::uint64_t value = 0;
        take(object_[name].get(value) == simdjson::SUCCESS);
        return value;
    }
    std::string plain(std::string_view name) {
        std::string_view value;
        take(object_[name].get(value) == simdjson::SUCCESS);
        return std::string(value);
    }
    Hash hash(std::string_view name) {
        const auto value = base::parse_hex<32>(plain(name));
        take(value.has_value());
        return value.value_or(Hash{});
    }
    model::Instant time(std::string_view name) {
        const std::string text = plain(name);
        const auto value = model::parse_rfc3339(text);
        take(value.has_value());
        return value ? value->instant : model::Instant{};
    }
    /// Of any even length.
    std::string bytes(std::string_view name) {
        const std::string digits = plain(name);
        take(digits.size() % 2 == 0 && base::is_hex(digits));
        std::string value;
        for (std::size_t at = 0; ok_ && at < digits.size(); at += 2) {
            value += static_cast<char>(base::hex_byte(std::string_view(digits).substr(at)));
        }
        return value;
    }
    /// Where there is none, none.
    std::string text(std::string_view name) {
        const std::string coded = std::string(name) + "_hex";
        return has(coded) ? bytes(coded) : has(name) ? plain(name) : std::string{};
    }
    /// Text that is kept as long as the file is read.
    std::string short_text(std::string_view name) {
        std::string value = text(name);
        take(value.size() <= longest_name);
        return value;
    }
    Head head(std::string_view name) {
        const auto found = object(name);
        if (!found) {
            return {};
        }
        Members members(*found);
        const Head value{members.number("number"), members.hash("hash")};
        take(members.ok());
        return value;
    }
    std::optional<dom::object> object(std::string_view name) {
        dom::object value;
        const bool found = object_[name].get(value) == simdjson::SUCCESS;
        take(found);
        return found ? std::optional(value) : std::nullopt;
    }
    void take(bool good) { ok_ = ok_ && good; }

  private:
    dom::object object_;
    bool ok_ = true;
};

void write_entry(const Recorded& recorded, bool with_previous, std::string& out) {
    const Entry& entry = recorded.entry;
    Object line(out);
    line.number("number", recorded.number).time("at", entry.at);
    // A number that nobody gave can stand in a database that somebody changed.
    const auto kind = static_cast<std::size_t>(entry.kind);
    line.plain("kind", kind < kind_names.size() ? kind_names[kind] : "unknown");
    line.text("destination", entry.destination).text("liid", entry.liid);
    if (entry.object_id) {
        line.plain("id", entry.object_id->to_string());
    }
    if (recorded.item) {
        line.number("item", *recorded.item);
    }
    if (entry.correlation) {
        line.number("level_id", entry.correlation->level_id).number("sequence", entry.correlation->sequence_number);
    }
    if (entry.received_at) {
        line.time("received_at", *entry.received_at);
    }
    line.text("who", entry.who).text("why", entry.why);
    if (entry.refusal != nullptr) {
        line.key("refusal");
        Object(out)
            .plain("kind", name_of(entry.refusal->kind))
            .number("code", entry.refusal->code)
            .text("words", entry.refusal->words);
    }
    if (with_previous) {
        line.hash("previous", recorded.previous);
    }
    line.hash("hash", recorded.hash);
}

bool read_refusal(Members members, Refusal& refusal) {
    const std::string kind = members.plain("kind");
    const auto* const found = std::ranges::find(refusal_kinds, kind, [](Refusal::Kind one) { return name_of(one); });
    refusal.code = members.number("code");
    refusal.words = members.text("words");
    if (found == refusal_kinds.end()) {
        return false;
    }
    refusal.kind = *found;
    return members.ok();
}

Header read_header(Members& members) {
    Header header;
    members.take(members.number("audit_export") == 1);
    header.chain = members.hash("chain");
    header.node = members.short_text("node");
    header.version = members.short_text("version");
    header.exported_at = members.time("exported_at");
    header.from = members.head("from");
    header.to = members.head("to");
    header.head = members.head("head");
    if (members.has("since")) {
        header.since = members.time("since");
    }
    if (members.has("until")) {
        header.until = members.time("until");
    }
    header.destination = members.short_text("destination");
    header.liid = members.short_text("liid");
    return header;
}

Checkpoint read_checkpoint(Members& members) {
    Checkpoint checkpoint;
    checkpoint.head = {members.number("checkpoint"), members.hash("hash")};
    checkpoint.at = members.time("at");
    checkpoint.node = members.short_text("node");
    if (members.has("signature")) {
        checkpoint.signature = members.bytes("signature");
    }
    return checkpoint;
}

Closing read_closing(Members& members) {
    Closing closing;
    closing.to = {members.number("end"), members.hash("hash")};
    closing.lines = members.number("lines");
    closing.sha256 = members.hash("sha256");
    return closing;
}

std::unique_ptr<ReadEntry> read_entry(Members& members) {
    auto read = std::make_unique<ReadEntry>();
    Recorded& recorded = read->recorded;
    Entry& entry = recorded.entry;
    recorded.number = members.number("number");
    entry.at = members.time("at");
    const std::string kind = members.plain("kind");
    const auto* const found = std::ranges::find(kind_names, kind);
    members.take(found != kind_names.end());
    entry.kind = static_cast<Kind>(found == kind_names.end() ? 0 : found - kind_names.begin());
    entry.destination = read->destination = members.text("destination");
    entry.liid = read->liid = members.text("liid");
    if (members.has("id")) {
        entry.object_id = model::Uuid::parse(members.plain("id"));
        members.take(entry.object_id.has_value());
    }
    if (members.has("item")) {
        recorded.item = members.number("item");
    }
    if (members.has("level_id")) {
        entry.correlation = {members.number("level_id"), members.number("sequence")};
    }
    if (members.has("received_at")) {
        entry.received_at = members.time("received_at");
    }
    entry.who = read->who = members.text("who");
    entry.why = read->why = members.text("why");
    if (members.has("refusal")) {
        const auto refusal = members.object("refusal");
        members.take(refusal && read_refusal(Members(*refusal), read->refusal));
        entry.refusal = &read->refusal;
    }
    read->has_previous = members.has("previous");
    if (read->has_previous) {
        recorded.previous = members.hash("previous");
    }
    recorded.hash = members.hash("hash");
    return read;
}

void write_again(const Line& line, std::string& out) {
    if (const auto* const entry = std::get_if<std::unique_ptr<ReadEntry>>(&line)) {
        write_line((*entry)->recorded, (*entry)->has_previous, out);
    } else if (const auto* const header = std::get_if<Header>(&line)) {
        write_line(*header, out);
    } else if (const auto* const checkpoint = std::get_if<Checkpoint>(&line)) {
        write_line(*checkpoint, out);
    } else {
        write_line(std::get<Closing>(line), out);
    }
}

}  // namespace

void write_line(const Header& header, std::string& out) {
    {
        Object line(out);
        line.number("audit_export", 1).hash("chain", header.chain).text("node", header.node);
        line.text("version", header.version).time("exported_at", header.exported_at);
        line.head("from", header.from).head("to", header.to).head("head", header.head);
        if (header.since) {
            line.time("since", *header.since);
        }
        if (header.until) {
            line.time("until", *header.until);
        }
        line.text("destination", header.destination).text("liid", header.liid);
    }
    out += '\n';
}

void write_line(const Recorded& recorded, bool with_previous, std::string& out) {
    write_entry(recorded, with_previous, out);
    out += '\n';
}

void write_line(const Checkpoint& checkpoint, std::string& out) {
    {
        Object line(out);
        line.number("checkpoint", checkpoint.head.number).hash("hash", checkpoint.head.hash);
        line.time("at", checkpoint.at).text("node", checkpoint.node);
        if (!checkpoint.signature.empty()) {
            line.plain("signature", base::to_hex(checkpoint.signature));
        }
    }
    out += '\n';
}

void write_line(const Closing& closing, std::string& out) {
    Object(out)
        .number("end", closing.to.number)
        .hash("hash", closing.to.hash)
        .number("lines", closing.lines)
        .hash("sha256", closing.sha256);
    out += '\n';
}

model::Result<Line> read_line(std::string_view text) {
    if (text.size() >= longest_line) {
        return model::Error{"longer than any line of an export"};
    }
    static thread_local dom::parser parser(longest_line);
    dom::object object;
    if (parser.parse(text.data(), text.size()).get(object) != simdjson::SUCCESS) {
        return model::Error{"no JSON object"};
    }
    Members members(object);
    Line line;
    if (members.has("number")) {
        line = read_entry(members);
    } else if (members.has("checkpoint")) {
        line = read_checkpoint(members);
    } else if (members.has("end")) {
        line = read_closing(members);
    } else {
        line = read_header(members);
    }
    if (!members.ok()) {
        return model::Error{"not a line of an export, or of one that a newer program made"};
    }
    std::string again;
    write_again(line, again);
    again.pop_back();
    if (again != text) {
        return model::Error{"not written as an export writes it: changed by hand or by a program"};
    }
    return line;
}

std::string to_nanosecond_date_time(model::Instant instant) {
    std::string text = model::to_qualified_date_time(instant);
    text.pop_back();
    std::string nanos = std::to_string(instant.nanos);
    text.append(".").append(9 - std::min<std::size_t>(nanos.size(), 9), '0').append(nanos).append("Z");
    return text;
}

}  // namespace lihandover::audit
