#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "console/access.hpp"
#include "console/html.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/model/time.hpp"

namespace lihandover::admin {

/// What the reviewers' page answers.
struct Page {
    unsigned status = 200;
    std::string body;
    std::string_view content_type = "text/html; charset=utf-8";
    /// Shown by itself, with nothing of ours around it: it may do nothing at all.
    bool sandboxed = false;
    bool close = false;    ///< the connection, after it
    bool content = false;  ///< somebody's content is in it, which is wiped once it has been written
};

/// With the fields that keep browsers from keeping, running, framing and guessing.
[[nodiscard]] http::Response response_of(Page page);

/// What a page needs to know of who looks at it.
struct View {
    const Person& person;
    const std::string& token;  ///< for its forms
};

/// The head of a page and everything before what is its own.
///   here  the path of its entry in the navigation
[[nodiscard]] Html begin_page(const View& view, std::string_view title, std::string_view here);
/// The rest of it.
[[nodiscard]] Page end_page(Html& html, unsigned status = 200);

/// A page that says one thing.
[[nodiscard]] Page message_page(const View& view, unsigned status, std::string_view title, std::string_view sentence,
                                const Link& back, std::string_view back_words);
/// The same for somebody who gets no page.
[[nodiscard]] Page plain_page(unsigned status, std::string_view sentence);

/// The beginning of a form that is sent with its token; to be closed.
void open_form(Html& html, const View& view, const Link& action, std::string_view css_class = "");

/// A time, to the second.
void write_time(Html& html, const std::optional<model::Instant>& time);
/// A row of a list of facts: both of `dl`.
void write_fact(Html& html, std::string_view name, std::string_view value);

/// `set_aside` as people write it: `set aside`.
[[nodiscard]] std::string words_of(std::string_view name);

/// `1 item`, `2 items`.
[[nodiscard]] std::string counted(std::uint64_t number, std::string_view what);

}  // namespace lihandover::admin
