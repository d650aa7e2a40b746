#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lihandover::http {

/// A field as it lies in the connection's buffer.
struct FieldView {
    std::string_view name;
    std::string_view value;
};

/// The first field of that name, or nullptr.
[[nodiscard]] const FieldView* find_field(const std::vector<FieldView>& fields, std::string_view name);

/// The head of a message, as views into the connection's buffer. Reused from message to message.
struct Head {
    std::string_view method;
    std::string_view target;
    unsigned status = 0;
    bool http11 = false;
    std::vector<FieldView> fields;

    std::size_t max_fields = 0;
    std::size_t max_target = 0;
    /// Why the head is refused: an HTTP status for the sender of a request.
    unsigned refusal = 0;

    void clear();
};

/// Where decoded bytes of a chunked body go.
struct ChunkSink {
    char* out = nullptr;
    std::size_t room = 0;
    std::size_t written = 0;
};

/// The chunked coding of a message whose head was read.
class ChunkDecoder {
  public:
    /// Decodes body bytes from `input` into `sink`; returns how many it used. `ec` is need_more if it cannot go on with
    /// these.
    virtual std::size_t decode(std::string_view input, ChunkSink& sink, boost::beast::error_code& ec) = 0;
    /// The last chunk and what follows it have been read.
    [[nodiscard]] virtual bool is_decoded() const = 0;

  protected:
    ChunkDecoder() = default;
    ChunkDecoder(const ChunkDecoder&) = default;
    ChunkDecoder& operator=(const ChunkDecoder&) = default;
    ~ChunkDecoder() = default;
};

/// Beast's parser with the fields left where they are in the buffer, which must therefore not move until the head is
/// done with. Stricter than Beast where Beast's tolerance would let two readers disagree on where a message ends: no
/// folded fields, Transfer-Encoding once and exactly `chunked`, and in a request Content-Length once. One per message.
template <bool IsRequest>
class HeadParser final : public boost::beast::http::basic_parser<IsRequest>, public ChunkDecoder {
  public:
    HeadParser(Head& head, std::size_t max_header);

    std::size_t decode(std::string_view input, ChunkSink& sink, boost::beast::error_code& ec) override;
    [[nodiscard]] bool is_decoded() const override { return this->is_done(); }

  private:
    using ErrorCode = boost::beast::error_code;
    using Text = boost::beast::string_view;

    void on_request_impl(boost::beast::http::verb method, Text method_text, Text target, int version,
                         ErrorCode& ec) override;
    void on_response_impl(int code, Text reason, int version, ErrorCode& ec) override;
    void on_field_impl(boost::beast::http::field field, Text name, Text value, ErrorCode& ec) override;
    void on_header_impl(ErrorCode& ec) override;
    void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode& ec) override;
    std::size_t on_body_impl(Text body, ErrorCode& ec) override;
    void on_chunk_header_impl(std::uint64_t size, Text extensions, ErrorCode& ec) override;
    std::size_t on_chunk_body_impl(std::uint64_t remain, Text body, ErrorCode& ec) override;
    void on_finish_impl(ErrorCode& ec) override;

    Head* head_;
    ChunkSink* sink_ = nullptr;
    unsigned lengths_ = 0;
    unsigned encodings_ = 0;
    unsigned hosts_ = 0;
    bool in_trailer_ = false;
};

using RequestParser = HeadParser<true>;
using AnswerParser = HeadParser<false>;

}  // namespace lihandover::http
