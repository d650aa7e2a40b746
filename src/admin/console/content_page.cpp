#include <array>
#include <cstring>

#include "console/pages.hpp"
#include "lihandover/base/hex.hpp"

namespace lihandover::admin {

namespace {

void write_object(Html& html, const View& view, const std::string& item, const store::StoredObject& object) {
    const model::BinaryObject& described = object.described;
    const std::string id = described.id.to_string();
    html.open("li").open("dl");
    write_fact(html, "Object", id);
    write_fact(html, "Name", described.original_filename);
    write_fact(html, "Type, as the source says", described.content_type);
    if (described.content_length) {
        write_fact(html, "Size", std::to_string(*described.content_length) + " bytes");
    }
    html.close();
    if (object.sealed) {
        open_form(html, view, Link("/items").step(item).step("objects").step(id));
        html.element("button", "Show what it is",
                     {{"type", "submit"}, {"aria-label", "Show what object " + id + " is"}});
        html.close();
    } else {
        html.element("p", "Its bytes are not there: they are still being copied, or were lost.");
    }
    html.close();
}

/// Writes texts from outside up to a number of bytes for the whole page: what cannot be seen takes many times its size.
class Bounded {
  public:
    explicit Bounded(Html& html) : html_(html) {}

    void line(std::string_view text) { html_.foreign(take(text)); }
    void lines(std::string_view text) { html_.foreign_lines(take(text)); }
    [[nodiscard]] bool cut() const { return cut_; }

  private:
    std::string_view take(std::string_view text) {
        if (text.size() > left_) {
            cut_ = true;
            text = text.substr(0, left_);
        }
        left_ -= text.size();
        return text;
    }

    Html& html_;
    std::size_t left_ = max_text;
    bool cut_ = false;
};

/// Nobody is to decide about what he has not seen without knowing it.
void write_cut(Html& html, const Bounded& bounded) {
    if (bounded.cut()) {
        html.element("p",
                     "This is not all of it: a page shows " + std::to_string(max_text >> 10U) +
                         " KiB. `lihandoverctl show ID --content` has the rest.",
                     {{"class", "wrong"}, {"role", "alert"}});
    }
}

/// Sixteen bytes in each line, with what is ASCII of them.
std::string hex_of(std::string_view bytes) {
    constexpr std::size_t width = 16;
    std::string out;
    for (std::size_t at = 0; at < bytes.size(); at += width) {
        const std::string_view line = bytes.substr(at, width);
        std::string shown;
        for (const char byte : {static_cast<char>(at >> 8U), static_cast<char>(at)}) {
            base::append_hex(out, byte);
        }
        out += "  ";
        for (std::size_t n = 0; n < width; ++n) {
            if (n < line.size()) {
                base::append_hex(out, line[n]);
                shown += line[n] >= 0x20 && line[n] < 0x7F ? line[n] : '.';
            } else {
                out += "  ";
            }
            out += n == 7 ? "  " : " ";
        }
        out.append(" ").append(shown) += '\n';
    }
    return out;
}

Page end_content(Html& html) {
    Page page = end_page(html);
    page.content = true;
    return page;
}

}  // namespace

std::string_view image_type_of(std::string_view bytes) {
    constexpr std::string_view png("\x89PNG\r\n\x1A\n", 8);
    if (bytes.starts_with(png)) {
        return "image/png";
    }
    if (bytes.starts_with("\xFF\xD8\xFF")) {
        return "image/jpeg";
    }
    if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) {
        return "image/gif";
    }
    if (bytes.starts_with("RIFF") && bytes.size() >= 16 && bytes.substr(8, 4) == "WEBP" &&
        bytes.substr(12, 3) == "VP8") {
        return "image/webp";
    }
    return {};
}

Page content_page(const View& view, const Look& look) {
    const std::string id = look.view.object_id.to_string();
    Html html = begin_page(view, "Content of item " + id, "/items");
    html.open("p").words("You have looked at it on record. ");
    html.element("a", "Back to the item", {{"href", Link("/items").step(id)}}).close();
    Bounded bounded(html);
    if (!look.document.empty()) {
        html.open("section", {{"aria-label", "Document"}}).element("h2", "Document");
        html.open("pre", {{"tabindex", "0"}});
        bounded.lines(look.document);
        html.close().close();
        write_cut(html, bounded);
        return end_content(html);
    }
    html.open("section", {{"aria-label", "Fields"}}).element("h2", "Fields").open("dl");
    for (const auto& [name, value] : look.content.fields) {
        html.open("dt");
        bounded.line(name);
        html.close().open("dd");
        bounded.line(value);
        html.close();
    }
    html.close().close();
    if (look.content.has_text) {
        html.open("section", {{"aria-label", "Text"}}).element("h2", "Text");
        html.open("pre", {{"class", "text"}, {"tabindex", "0"}});
        bounded.lines(look.content.text);
        html.close().close();
    }
    write_cut(html, bounded);
    if (!look.objects.empty()) {
        html.open("section", {{"aria-label", "Binary objects"}}).element("h2", "Binary objects");
        html.element("p",
                     "An image opens by itself; of anything else the first bytes are shown. Each is a look on "
                     "record.");
        html.open("ul", {{"class", "objects"}});
        for (const store::StoredObject& object : look.objects) {
            write_object(html, view, id, object);
        }
        html.close().close();
    }
    return end_content(html);
}

Page object_page(const View& view, const model::Uuid& item, const model::Uuid& object, ObjectLook look) {
    const std::string_view image = image_type_of(look.bytes);
    if (!image.empty() && look.bytes.size() == look.size) {
        Page page;
        page.body = std::move(look.bytes);
        page.content_type = image;
        page.sandboxed = true;
        page.content = true;
        return page;
    }
    const std::string id = item.to_string();
    Html html = begin_page(view, "Binary object " + object.to_string(), "/items");
    html.open("p").words(std::to_string(look.size) + " bytes, " +
                         (image.empty() ? "no image that is shown here" : "too large an image to be shown here") +
                         "; this is how it begins. ");
    html.element("a", "Back to the item", {{"href", Link("/items").step(id)}}).close();
    html.open("pre", {{"class", "hex"}, {"tabindex", "0"}});
    html.words(hex_of(std::string_view(look.bytes).substr(0, max_hex))).close();
    explicit_bzero(look.bytes.data(), look.bytes.size());
    return end_content(html);
}

}  // namespace lihandover::admin
