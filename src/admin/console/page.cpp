#include "console/page.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace lihandover::admin {

namespace {

struct Entry {
    Url path;
    std::string_view words;
};
constexpr std::array<Entry, 3> entries = {{{"/", "Overview"}, {"/items", "Items"}, {"/warrants", "Warrants"}}};

void write_header(Html& html, const View& view, std::string_view here) {
    html.skip_link();
    html.open("header").element("p", "lihandoverd", {{"class", "product"}});
    html.open("nav", {{"aria-label", "Pages"}}).open("ul");
    for (const Entry& entry : entries) {
        html.open("li");
        if (entry.path.path() == here) {
            html.element("a", entry.words, {{"href", Link(entry.path)}, {"aria-current", "page"}});
        } else {
            html.element("a", entry.words, {{"href", Link(entry.path)}});
        }
        html.close();
    }
    html.close().close();
    html.open("p", {{"class", "person"}}).foreign(view.person.subject);
    html.words(view.person.review && view.person.operate ? " (review, operate)"
               : view.person.review                      ? " (review)"
                                                         : " (operate)");
    html.close().close();
}

}  // namespace

http::Response response_of(Page page) {
    http::Response response;
    response.status = page.status;
    response.content_type = page.content_type;
    response.body = std::move(page.body);
    response.close = page.close;
    response.fields = {
        {"Cache-Control", "no-store"},
        {"Content-Security-Policy",
         page.sandboxed ? "sandbox; default-src 'none'; frame-ancestors 'none'"
                        : "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; base-uri "
                          "'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        {"X-Frame-Options", "DENY"},
        // With `no-referrer` browsers would send our own forms without an origin.
        {"Referrer-Policy", "same-origin"},
        {"Cross-Origin-Opener-Policy", "same-origin"},
        {"Cross-Origin-Resource-Policy", "same-origin"},
        {"Cross-Origin-Embedder-Policy", "require-corp"},
        {"Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"},
        {"X-DNS-Prefetch-Control", "off"},
    };
    if (page.status == 503) {
        response.fields.emplace_back("Retry-After", "1");
    }
    return response;
}

Html begin_page(const View& view, std::string_view title, std::string_view here) {
    Html html;
    html.doctype().open("html", {{"lang", "en"}}).open("head").assets();
    html.element("title", std::string(title) + " – lihandoverd").close();
    html.open("body");
    write_header(html, view, here);
    html.open("main", {{"id", "main"}, {"tabindex", "-1"}}).element("h1", title);
    return html;
}

Page end_page(Html& html, unsigned status) {
    html.close().close().close();  // main, body, html
    Page page;
    page.status = status;
    page.body = html.take();
    return page;
}

Page message_page(const View& view, unsigned status, std::string_view title, std::string_view sentence,
                  const Link& back, std::string_view back_words) {
    Html html = begin_page(view, title, "");
    html.element("p", sentence, {{"class", status == 200 ? "done" : "wrong"}, {"role", "status"}});
    html.open("p").element("a", back_words, {{"href", back}}).close();
    return end_page(html, status);
}

Page plain_page(unsigned status, std::string_view sentence) {
    Html html;
    html.doctype().open("html", {{"lang", "en"}}).open("head").element("title", "lihandoverd").close();
    html.open("body").open("main").element("h1", "lihandoverd").element("p", sentence).close().close().close();
    Page page;
    page.status = status;
    page.body = html.take();
    return page;
}

void open_form(Html& html, const View& view, const Link& action, std::string_view css_class) {
    html.open("form", {{"method", "post"}, {"action", action}, {"class", css_class}});
    html.lone("input", {{"type", "hidden"}, {"name", "token"}, {"value", view.token}});
}

void write_time(Html& html, const std::optional<model::Instant>& time) {
    if (time) {
        const std::string text = model::to_qualified_date_time(*time);
        html.element("time", text, {{"datetime", text}});
    } else {
        html.words("–");
    }
}

void write_fact(Html& html, std::string_view name, std::string_view value) {
    html.element("dt", name).open("dd").foreign(value).close();
}

std::string words_of(std::string_view name) {
    std::string words(name);
    std::ranges::replace(words, '_', ' ');
    return words;
}

std::string counted(std::uint64_t number, std::string_view what) {
    return std::to_string(number) + " " + std::string(what) + (number == 1 ? "" : "s");
}

}  // namespace lihandover::admin
