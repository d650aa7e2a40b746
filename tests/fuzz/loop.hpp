#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/io_context.hpp>
#include <cerrno>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz.hpp"

namespace lihandover::fuzz {

/// The far end of a connection whose near end is served by an io_context on this very thread: sends what it was given,
/// in pieces, then no more, and takes whatever comes.
class FarEnd {
  public:
    /// Takes over the descriptor, which does not block.
    explicit FarEnd(int descriptor) : descriptor_(descriptor) {}
    FarEnd(const FarEnd&) = delete;
    FarEnd& operator=(const FarEnd&) = delete;
    ~FarEnd() { ::close(descriptor_); }

    /// Runs until `done`. That has to come: the far end has closed its side by then, so nobody waits for it.
    ///   piece  bytes to send at a time; 0: all at once
    void serve(boost::asio::io_context& context, std::string_view bytes, std::size_t piece,
               const std::function<bool()>& done) {
        constexpr std::chrono::seconds guard{20};
        const auto end = std::chrono::steady_clock::now() + guard;
        bool shut = false;
        for (;;) {
            context.restart();
            bool moved = context.poll() > 0;
            moved = take() || moved;
            if (done()) {
                take();
                return;
            }
            if (!bytes.empty()) {
                const auto sent = ::send(descriptor_, bytes.data(),
                                         piece == 0 ? bytes.size() : std::min(piece, bytes.size()), MSG_NOSIGNAL);
                if (sent < 0 && errno != EAGAIN) {
                    bytes = {};  // nobody takes them any more
                }
                bytes.remove_prefix(sent > 0 ? static_cast<std::size_t>(sent) : 0);
                moved = moved || sent > 0;
            } else if (!shut) {
                ::shutdown(descriptor_, SHUT_WR);
                shut = moved = true;
            }
            if (!moved) {
                must(std::chrono::steady_clock::now() < end, "the connection comes to its end");
                context.restart();
                context.run_one_for(std::chrono::milliseconds(5));
            }
        }
    }

    /// Everything that came.
    [[nodiscard]] const std::string& taken() const { return taken_; }

  private:
    bool take() {
        std::array<char, 16384> some{};
        bool any = false;
        for (;;) {
            const auto got = ::recv(descriptor_, some.data(), some.size(), 0);
            if (got <= 0) {
                return any;
            }
            taken_.append(some.data(), static_cast<std::size_t>(got));
            any = true;
        }
    }

    int descriptor_;
    std::string taken_;
};

}  // namespace lihandover::fuzz
