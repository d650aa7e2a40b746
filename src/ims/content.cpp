#include "content.hpp"

#include <algorithm>
#include <utility>

#include "event_maker.hpp"
#include "transfer_encoding.hpp"

namespace lihandover::ims {

namespace {

constexpr std::string_view plain = "text/plain";
constexpr std::string_view html = "text/html";
constexpr std::size_t most_listed = 4096;

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

class ContentReader {
  public:
    ContentReader(Content& out, std::size_t max_text) : out_(out), max_text_(max_text) {}

    void read(std::string_view content_type, std::string_view disposition, std::string_view body, int depth) {
        out_.parts.push_back(leaves_of(content_type, disposition, body));
        for (const BodyPart& part : out_.parts.back()) {
            leaf(part, depth);
        }
    }

    void read_encoded(std::string_view content_type, std::string_view disposition, std::string_view encoding,
                      std::string_view body, int depth) {
        auto decoded = without_transfer_encoding(body, encoding);
        if (decoded) {
            body = out_.made.emplace_back(std::move(*decoded));
        }
        read(content_type, disposition, body, depth);
    }

  private:
    void leaf(const BodyPart& part, int depth) {
        const ContentType type = read_content_type(part.content_type);
        // What is nested is unwrapped as long as it does not become too many parts.
        const bool unwrap = depth < max_cpim_depth && ++leaves_ <= max_leaves;
        if (type.type == "message/cpim" && unwrap && cpim(part.body, depth)) {
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
            if (out_.listed.size() < most_listed) {
                out_.listed.push_back(std::move(uri));
            }
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
    std::size_t leaves_ = 0;
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
        ContentReader(content, max_text).read(content_type, disposition, body, 0);
    }
    return content;
}

Content read_encoded_content(std::string_view content_type, std::string_view transfer_encoding, std::string_view body,
                             std::size_t max_text) {
    Content content;
    ContentReader(content, max_text).read_encoded(content_type, {}, transfer_encoding, body, 0);
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
