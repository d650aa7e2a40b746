#include "parser.hpp"

#include <boost/beast/http/error.hpp>
#include <boost/none.hpp>
#include <cstring>

#include "message.hpp"

namespace lihandover::http {
namespace {

namespace beast_http = boost::beast::http;

std::string_view view(boost::beast::string_view text) {
    return {text.data(), text.size()};
}

/// Beast passes a folded value either from its own buffer or as the part after the fold. In an unfolded field there are
/// only a colon and white space between name and value.
bool is_folded(std::string_view name, std::string_view value, std::size_t max_header) {
    const char* const name_end = name.data() + name.size();
    const char* const begin = value.data();
    // Compared as numbers, because the two may belong to different arrays.
    const auto from = reinterpret_cast<std::uintptr_t>(name_end);
    const auto to = reinterpret_cast<std::uintptr_t>(begin);
    if (to <= from || to - from > max_header) {
        return true;
    }
    return std::memchr(name_end, '\n', to - from) != nullptr;
}

}  // namespace

const FieldView* find_field(const std::vector<FieldView>& fields, std::string_view name) {
    for (const auto& field : fields) {
        if (same_name(field.name, name)) {
            return &field;
        }
    }
    return nullptr;
}

void Head::clear() {
    method = {};
    target = {};
    status = 0;
    http11 = false;
    fields.clear();
    refusal = 0;
}

template <bool IsRequest>
HeadParser<IsRequest>::HeadParser(Head& head, std::size_t max_header) : head_(&head) {
    this->header_limit(static_cast<std::uint32_t>(max_header));
    this->body_limit(boost::none);  // bounded by the reader of the body
    head.clear();
}

template <bool IsRequest>
std::size_t HeadParser<IsRequest>::decode(std::string_view input, ChunkSink& sink, boost::beast::error_code& ec) {
    sink_ = &sink;
    std::size_t used = 0;
    ec = {};
    // put() takes one step (a chunk's head, some of its bytes) at a time.
    while (!this->is_done() && sink.written < sink.room) {
        const auto rest = input.substr(used);
        if (rest.empty()) {
            ec = beast_http::error::need_more;
            break;
        }
        used += this->put(boost::asio::const_buffer{rest.data(), rest.size()}, ec);
        if (ec) {
            break;
        }
    }
    sink_ = nullptr;
    return used;
}

template <bool IsRequest>
void HeadParser<IsRequest>::on_request_impl(beast_http::verb /*method*/, Text method_text, Text target, int version,
                                            ErrorCode& ec) {
    head_->method = view(method_text);
    head_->target = view(target);
    head_->http11 = version >= 11;
    if (target.size() > head_->max_target) {
        head_->refusal = 414;
        ec = beast_http::error::bad_target;
    }
}

template <bool IsRequest>
void HeadParser<IsRequest>::on_response_impl(int code, Text /*reason*/, int version, ErrorCode& ec) {
    head_->status = static_cast<unsigned>(code);
    head_->http11 = version >= 11;
    if (code < 100 || code > 599) {
        ec = beast_http::error::bad_status;
    }
}

template <bool IsRequest>
void HeadParser<IsRequest>::on_field_impl(beast_http::field field, Text name, Text value, ErrorCode& ec) {
    if (in_trailer_) {
        return;  // nothing in it is of use
    }
    if (head_->fields.size() >= head_->max_fields) {
        head_->refusal = 431;
        ec = beast_http::error::header_limit;
        return;
    }
    if (is_folded(view(name), view(value), 65536)) {
        ec = beast_http::error::bad_value;
        return;
    }
    switch (field) {
        case beast_http::field::content_length:
            // Beast accepts equal numbers, which RFC 9110 8.6 allows. An answer's reader may accept them; for a
            // request, two readers should not have to agree.
            if (IsRequest && (++lengths_ > 1 || value.find(',') != Text::npos)) {
                ec = beast_http::error::multiple_content_length;
            }
            break;
        case beast_http::field::transfer_encoding:
            // Beast ignores codings it does not know and would go on as if there were no body.
            if (++encodings_ > 1 || !head_->http11 || !same_name(view(value), "chunked")) {
                ec = beast_http::error::bad_transfer_encoding;
            }
            break;
        case beast_http::field::host:
            ++hosts_;
            break;
        default:
            break;
    }
    head_->fields.push_back({view(name), view(value)});
}

template <bool IsRequest>
void HeadParser<IsRequest>::on_header_impl(ErrorCode& ec) {
    in_trailer_ = true;
    if constexpr (IsRequest) {
        // RFC 9112 3.2
        if (hosts_ > 1 || (head_->http11 && hosts_ == 0)) {
            ec = beast_http::error::bad_field;
        }
    }
}

template <bool IsRequest>
void HeadParser<IsRequest>::on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/, ErrorCode& /*ec*/) {}

template <bool IsRequest>
std::size_t HeadParser<IsRequest>::on_body_impl(Text /*body*/, ErrorCode& /*ec*/) {
    return 0;  // bodies of known length are not parsed here
}

template <bool IsRequest>
void HeadParser<IsRequest>::on_chunk_header_impl(std::uint64_t /*size*/, Text /*extensions*/, ErrorCode& /*ec*/) {}

template <bool IsRequest>
std::size_t HeadParser<IsRequest>::on_chunk_body_impl(std::uint64_t /*remain*/, Text body, ErrorCode& /*ec*/) {
    const std::size_t count = std::min(body.size(), sink_->room - sink_->written);
    std::memcpy(sink_->out + sink_->written, body.data(), count);
    sink_->written += count;
    return count;
}

template <bool IsRequest>
void HeadParser<IsRequest>::on_finish_impl(ErrorCode& /*ec*/) {}

template class HeadParser<true>;
template class HeadParser<false>;

}  // namespace lihandover::http
