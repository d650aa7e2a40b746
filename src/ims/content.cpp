#include "content.hpp"

#include <algorithm>
#include <utility>

#include "event_maker.hpp"

namespace lihandover::ims {

namespace {

constexpr std::string_view plain = "text/plain";
constexpr std::string_view html = "text/html";

bool equal_in_any_case(std::string_view left, std::string_view right) {
    return std::ranges::equal(left, right, [](char a, char b) {
        const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
        return lower(a) == lower(b);
    });
}

bool is_recipient_list(std::string_view disposition) {
    const std::string_view name = disposition.substr(0, disposition.find_first_of("; \t"));
    return equal_in_any_case(name, "recipient-list") || equal_in_any_case(name, "recipient-list-history");
}

constexpr std::string_view boundary = "=_the-only-part";
constexpr std::string_view only_part_type = "multipart/mixed; boundary=\"=_the-only-part\"";

/// An encoded body as the only part of a multipart one, so that its encoding is undone.
std::string as_only_part(std::string_view content_type, std::string_view disposition, std::string_view encoding,
                         std::string_view body) {
    std::string made;
    made.reserve(body.size() + 256);
    made.append("--").append(boundary).append("\r\nContent-Type: ").append(content_type);
    if (!disposition.empty()) {
        made.append("\r\nContent-Disposition: ").append(disposition);
    }
    made.append("\r\nContent-Transfer-Encoding: ").append(encoding);
    made.append("\r\n\r\n").append(body).append("\r\n--").append(boundary).append("--\r\n");
    return made;
}

class Reader {
  public:
    Reader(Content& out, std::size_t max_text) : out_(out), max_text_(max_text) {}

    void read(std::string_view content_type, std::string_view disposition, std::string_view body, int depth) {
        out_.parts.push_back(leaves_of(content_type, disposition, body));
        for (const BodyPart& part : out_.parts.back()) {
            leaf(part, depth);
        }
    }

    void read_encoded(std::string_view content_type, std::string_view disposition, std::string_view encoding,
                      std::string_view body, int depth) {
        if (encoding.empty()) {
            read(content_type, disposition, body, depth);
            return;
        }
        out_.made.push_back(as_only_part(content_type, disposition, encoding, body));
        read(only_part_type, {}, out_.made.back(), depth);
    }

  private:
    void leaf(const BodyPart& part, int depth) {
        const ContentType type = read_content_type(part.content_type);
        if (type.type == "message/cpim" && depth < max_cpim_depth && cpim(part.body, depth)) {
            return;
        }
        if (type.type == "message/imdn+xml" && notification(part)) {
            return;
        }
        if (type.type == "application/im-iscomposing+xml") {
            out_.other = true;
            return;
        }
        if (type.type == "application/resource-lists+xml" && list(part)) {
            return;
        }
        if ((type.type == plain || type.type == html) && text(part, type)) {
            return;
        }
        object(part);
    }

    bool cpim(std::string_view body, int depth) {
        const auto message = read_cpim(body);
        if (!message) {
            return false;
        }
        add_wrapping(out_, *message);
        read_encoded(message->content_type, message->content_disposition, message->content_transfer_encoding,
                     message->body, depth + 1);
        return true;
    }

    bool notification(const BodyPart& part) {
        auto read = read_imdn(part.body);
        if (read) {
            out_.notifications.push_back(std::move(*read));
            out_.other = true;
        }
        return read.has_value();
    }

    /// What it names are receivers. It stays an object unless it says that this is all it is for.
    bool list(const BodyPart& part) {
        for (std::string& uri : receivers_of_list(part.body)) {
            out_.listed.push_back(std::move(uri));
        }
        if (!is_recipient_list(part.content_disposition)) {
            return false;
        }
        out_.other = true;
        return true;
    }

    /// A text with a file name is a file; and an event has one text, so that a second one is an object.
    bool text(const BodyPart& part, const ContentType& type) {
        if (out_.has_text || !part.file_name.empty() || part.body.size() > max_text_) {
            return false;
        }
        if (!text_to_utf8(part.body, type.charset, out_.text) || out_.text.size() > max_text_) {
            out_.text.clear();
            return false;
        }
        out_.has_text = true;
        out_.text_type = type.type == html ? html : plain;
        return true;
    }

    void object(const BodyPart& part) {
        if (part.body.empty() && part.content_type.empty()) {
            return;
        }
        out_.objects.push_back({part.content_type, part.file_name, part.body});
    }

    Content& out_;
    std::size_t max_text_;
};

void first(std::string_view& to, std::string_view from) {
    to = to.empty() ? from : to;
}

}  // namespace

void add_wrapping(Content& content, const CpimMessage& message) {
    if (message.from) {
        content.from.push_back(*message.from);
    }
    content.to.insert(content.to.end(), message.to.begin(), message.to.end());
    content.to.insert(content.to.end(), message.cc.begin(), message.cc.end());
    first(content.date_time, message.date_time);
    first(content.subject, message.subject);
    first(content.imdn_message_id, message.imdn_message_id);
}

Content read_content(std::string_view content_type, std::string_view disposition, std::string_view body,
                     std::size_t max_text) {
    Content content;
    if (!content_type.empty() || !body.empty()) {
        Reader(content, max_text).read(content_type, disposition, body, 0);
    }
    return content;
}

Content read_encoded_content(std::string_view content_type, std::string_view transfer_encoding, std::string_view body,
                             std::size_t max_text) {
    Content content;
    Reader(content, max_text).read_encoded(content_type, {}, transfer_encoding, body, 0);
    return content;
}

std::string_view description_in(std::string_view content_type, std::string_view body, Content& storage) {
    if (body.empty()) {
        return {};
    }
    storage.parts.push_back(leaves_of(content_type, {}, body));
    for (const BodyPart& part : storage.parts.back()) {
        if (read_content_type(part.content_type).type == "application/sdp") {
            return part.body;
        }
    }
    return {};
}

void add_content(MadeEvent& made, const Content& content) {
    if (content.has_text) {
        set_text(made, content.text_type, content.text);
    }
    for (const Content::Object& object : content.objects) {
        add_object(made, object.type, object.file_name, Bytes(std::string(object.bytes)));
    }
    add_wrapping_parameters(made, content);
}

void add_wrapping_parameters(MadeEvent& made, const Content& content) {
    if (!content.subject.empty()) {
        add_parameter(made, "subject", content.subject);
    }
    if (!content.date_time.empty()) {
        add_parameter(made, "date_time", content.date_time);
    }
    if (!content.imdn_message_id.empty()) {
        add_parameter(made, "imdn_message_id", content.imdn_message_id);
    }
}

}  // namespace lihandover::ims
