#include "lihandover/ims/multipart.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "file_name.hpp"
#include "header_parameters.hpp"
#include "text.hpp"
#include "transfer_encoding.hpp"

namespace lihandover::ims {

namespace {

std::string value_of(const HeaderParameter& parameter) {
    return parameter.quoted && has_escapes(parameter.value) ? without_escapes(parameter.value)
                                                            : std::string(parameter.value);
}

/// Where in a body a part ends, and where what follows its delimiter begins.
struct PartEnd {
    std::size_t end = 0;
    std::size_t next = 0;
    bool last = false;  ///< by the closing delimiter, or the end of the body
};

/// Finds the lines that delimit parts: `--boundary`, and `--boundary--` after the last.
class Delimiters {
  public:
    Delimiters(std::string_view body, std::string_view boundary) : body_(body), boundary_(boundary) {}

    /// The next one from `at` on, where a line begins. nullopt: there is none.
    [[nodiscard]] std::optional<PartEnd> find(std::size_t at) const {
        for (std::size_t line = at; line < body_.size();) {
            const std::size_t end = std::min(body_.find('\n', line), body_.size());
            const auto closing = is_delimiter(trimmed_back(body_.substr(line, end - line)));
            const std::size_t next = std::min(end + 1, body_.size());
            if (closing) {
                return PartEnd{.end = std::max(at, end_before(line)), .next = next, .last = *closing};
            }
            line = next;
        }
        return std::nullopt;
    }

  private:
    /// Whether a line is the closing one; nullopt where it delimits nothing.
    [[nodiscard]] std::optional<bool> is_delimiter(std::string_view line) const {
        if (!line.starts_with("--") || line.substr(2, boundary_.size()) != boundary_) {
            return std::nullopt;
        }
        const std::string_view rest = line.substr(2 + boundary_.size());
        return rest.empty() || rest == "--" ? std::optional(!rest.empty()) : std::nullopt;
    }
    /// The line end before a delimiter is a part of it.
    [[nodiscard]] std::size_t end_before(std::size_t line) const {
        line -= line > 0 ? 1 : 0;
        return line > 0 && body_[line - 1] == '\r' ? line - 1 : line;
    }

    std::string_view body_;
    std::string_view boundary_;
};

/// The boundary of a body whose type does not say it: that of the first line with something in it.
std::string_view seen_boundary(std::string_view body) {
    body = trimmed_front(body);
    const std::string_view line = trimmed_back(take_line(body));
    return line.starts_with("--") ? line.substr(2) : std::string_view();
}

struct Entity {
    BodyPart part;
    std::string_view transfer_encoding;
};

std::string_view kept(std::string text, BodyPart& part) {
    return *part.made.emplace_back(std::make_shared<const std::string>(std::move(text)));
}

void take_field(std::string_view field, Entity& entity) {
    const std::size_t colon = std::min(field.find(':'), field.size());
    const std::string_view name = trimmed_back(field.substr(0, colon));
    std::string_view* const to = same_name(name, "Content-Type")                ? &entity.part.content_type
                                 : same_name(name, "Content-Disposition")       ? &entity.part.content_disposition
                                 : same_name(name, "Content-ID")                ? &entity.part.content_id
                                 : same_name(name, "Content-Transfer-Encoding") ? &entity.transfer_encoding
                                                                                : nullptr;
    if (to != nullptr && to->empty()) {
        const std::string_view value = trimmed(field.substr(std::min(colon + 1, field.size())));
        *to = value.find('\n') == std::string_view::npos ? value : kept(unfolded(value), entity.part);
    }
}

/// A part with its header fields, an empty line and a body. One that begins with neither a field nor the empty line is
/// all body.
Entity read_entity(std::string_view bytes) {
    Entity entity;
    std::string_view rest = bytes;
    while (!rest.empty()) {
        const std::string_view before = rest;
        const std::string_view line = take_line(rest);
        if (line.empty()) {
            entity.part.body = rest;
            return entity;
        }
        if (before.data() == bytes.data() && !begins_field(line)) {
            entity.part.body = bytes;
            return entity;
        }
        while (!rest.empty() && is_blank(rest.front())) {
            take_line(rest);
        }
        take_field(before.substr(0, before.size() - rest.size()), entity);
    }
    return entity;
}

class PartReader {
  public:
    explicit PartReader(std::string_view whole) : whole_end_(whole.data() + whole.size()) {}

    void read(Entity entity, std::size_t depth) {
        const ContentType type = read_content_type(entity.part.content_type);
        if (!type.type.starts_with("multipart/") || depth == max_part_depth || !read_parts(entity, type, depth)) {
            add(std::move(entity), type);
        }
    }
    std::vector<BodyPart> take() { return std::move(out_); }

  private:
    bool read_parts(const Entity& entity, const ContentType& type, std::size_t depth);
    void add(Entity entity, const ContentType& type);

    const char* whole_end_;
    std::vector<BodyPart> out_;
    bool full_ = false;
};

/// false: there are none.
bool PartReader::read_parts(const Entity& entity, const ContentType& type, std::size_t depth) {
    const std::string_view body = entity.part.body;
    const std::string_view boundary = type.boundary.empty() ? seen_boundary(body) : type.boundary;
    if (boundary.empty()) {
        return false;
    }
    const Delimiters delimiters(body, boundary);
    const std::size_t before = out_.size();
    auto found = delimiters.find(0);
    while (found && !found->last && !full_) {
        const std::size_t begin = found->next;
        if (out_.size() + 1 == max_leaves) {
            const auto rest = static_cast<std::size_t>(whole_end_ - body.data()) - begin;
            BodyPart& beyond = out_.emplace_back();
            beyond.content_type = "application/octet-stream";
            beyond.body = std::string_view(body.data() + begin, rest);
            full_ = true;
            break;
        }
        found = delimiters.find(begin);
        const std::size_t end = found ? found->end : body.size();
        if (found || !trimmed(body.substr(begin)).empty()) {
            read(read_entity(body.substr(begin, end - begin)), depth + 1);
        }
    }
    return out_.size() > before;
}

void PartReader::add(Entity entity, const ContentType& type) {
    BodyPart& part = out_.emplace_back(std::move(entity.part));
    if (auto decoded = without_transfer_encoding(part.body, entity.transfer_encoding)) {
        part.body = kept(std::move(*decoded), part);
    }
    part.file_name = file_name_of(part.content_disposition);
    if (part.file_name.empty()) {
        part.file_name = type.name;
    }
}

}  // namespace

ContentType read_content_type(std::string_view value) {
    ContentType out;
    out.raw = trimmed(value);
    std::string_view text = out.raw;
    std::string_view after_quotes;
    if (text.starts_with('"')) {  // the draft quotes it
        const std::size_t end = std::min(text.find('"', 1), text.size());
        after_quotes = text.substr(std::min(end + 1, text.size()));
        text = text.substr(1, end - 1);
    }
    const std::size_t type_end = std::min(text.find_first_of("; \t\r\n,"), text.size());
    const std::string_view type = text.substr(0, type_end);
    const std::size_t slash = type.find('/');
    if (slash == std::string_view::npos || !is_token(type.substr(0, slash)) || !is_token(type.substr(slash + 1))) {
        return out;
    }
    out.type = lowered(type);
    for (const std::string_view all : {text.substr(type_end), after_quotes}) {
        const std::string_view parameters = all.substr(std::min(all.find(';'), all.size()));
        std::string_view rest = parameters;
        while (const auto parameter = take_parameter(rest)) {
            if (same_name(parameter->name, "charset") && out.charset.empty()) {
                out.charset = lowered(value_of(*parameter));
            } else if (same_name(parameter->name, "boundary") && out.boundary.empty()) {
                out.boundary = trimmed_back(value_of(*parameter));
            }
        }
        if (out.name.empty() && !parameters.empty()) {
            out.name = file_name_parameter(parameters, "name");
        }
    }
    return out;
}

std::vector<BodyPart> leaves_of(std::string_view content_type, std::string_view disposition, std::string_view body) {
    Entity whole;
    whole.part.content_type = content_type;
    whole.part.content_disposition = disposition;
    whole.part.body = body;
    PartReader reader(body);
    reader.read(std::move(whole), 0);
    return reader.take();
}

}  // namespace lihandover::ims
