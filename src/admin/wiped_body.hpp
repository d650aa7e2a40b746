#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

#include "lihandover/http/body_source.hpp"

namespace lihandover::admin {

/// An answer's body that holds somebody's content: overwritten when it has been sent, or could not be.
class WipedBody final : public http::BodySource {
  public:
    /// Leaves `text` empty.
    explicit WipedBody(std::string& text) { text_.swap(text); }
    WipedBody(const WipedBody&) = delete;
    WipedBody& operator=(const WipedBody&) = delete;
    ~WipedBody() override { explicit_bzero(text_.data(), text_.size()); }

    [[nodiscard]] std::optional<std::uint64_t> size() const override { return text_.size(); }
    [[nodiscard]] boost::asio::awaitable<model::Result<std::size_t>> read(std::span<char> buffer) override {
        const std::size_t count = std::min(buffer.size(), text_.size() - sent_);
        std::copy_n(text_.data() + sent_, count, buffer.data());
        sent_ += count;
        co_return count;
    }

  private:
    std::string text_;
    std::size_t sent_ = 0;
};

}  // namespace lihandover::admin
