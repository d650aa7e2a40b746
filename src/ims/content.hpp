#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/ims/cpim.hpp"
#include "lihandover/ims/event.hpp"
#include "lihandover/ims/multipart.hpp"

namespace lihandover::ims {

/// What a body says, whatever it is wrapped in. Texts view the body it was read from, or what is kept here.
struct Content {
    struct Object {
        std::string_view type;
        std::string file_name;
        std::string_view bytes;
    };
    bool has_text = false;
    std::string_view text_type;  ///< a literal: text/plain or text/html
    std::string text;            ///< UTF-8
    std::vector<Object> objects;
    std::vector<std::string> listed;  ///< receivers that a list in the body names
    std::vector<Imdn> notifications;
    /// Of message/cpim around the content, the outermost first.
    std::vector<CpimAddress> from;
    std::vector<CpimAddress> to;
    std::string_view date_time;
    std::string_view subject;
    std::string_view imdn_message_id;
    /// Something was read that is no message: a notification, a list, that somebody is typing.
    bool other = false;

    /// Whether there is a message in it: not where it only says that one arrived or is being typed.
    [[nodiscard]] bool is_message() const { return has_text || !objects.empty() || !other; }

    std::deque<std::vector<BodyPart>> parts;
    std::deque<std::string> made;
};

/// Reads a body. Text beyond `max_text` is an object.
[[nodiscard]] Content read_content(std::string_view content_type, std::string_view disposition, std::string_view body,
                                   std::size_t max_text);

/// The same of a body that is encoded for transfer (base64, quoted-printable).
[[nodiscard]] Content read_encoded_content(std::string_view content_type, std::string_view transfer_encoding,
                                           std::string_view body, std::size_t max_text);

/// Takes down what message/cpim says of what it wraps.
void add_wrapping(Content& content, const CpimMessage& message);

/// The description of a session in a body; empty if there is none.
[[nodiscard]] std::string_view description_in(std::string_view content_type, std::string_view body, Content& storage);

/// Puts it into an event: text, objects, and as parameters what message/cpim says of it.
void add_content(MadeEvent& made, const Content& content);
/// The parameters alone.
void add_wrapping_parameters(MadeEvent& made, const Content& content);

}  // namespace lihandover::ims
