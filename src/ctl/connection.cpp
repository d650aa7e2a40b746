#include "connection.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <system_error>
#include <utility>

#include "advice.hpp"
#include "lihandover/base/descriptor.hpp"

namespace lihandover::ctl {

namespace {

constexpr std::size_t max_answer = std::size_t{64} << 20;
constexpr std::chrono::seconds read_timeout{60};

std::string words_of(int error) {
    return std::error_code(error, std::system_category()).message();
}

Answer failed(std::string why) {
    Answer answer;
    answer.failure = std::move(why);
    return answer;
}

/// Whether two field names are equal except for case.
bool same_name(std::string_view left, std::string_view right) {
    constexpr auto lower = [](char byte) {
        return byte >= 'A' && byte <= 'Z' ? static_cast<char>(byte - 'A' + 'a') : byte;
    };
    return std::ranges::equal(left, right, [&](char one, char other) { return lower(one) == lower(other); });
}

std::optional<std::size_t> to_size(std::string_view text) {
    std::size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

/// The value of Content-Length in a head's fields.
std::optional<std::size_t> content_length(std::string_view head) {
    while (!head.empty()) {
        const auto end = std::min(head.find("\r\n"), head.size());
        const auto line = head.substr(0, end);
        head.remove_prefix(std::min(end + 2, head.size()));
        const auto colon = line.find(':');
        if (colon == std::string_view::npos || !same_name(line.substr(0, colon), "Content-Length")) {
            continue;
        }
        auto value = line.substr(colon + 1);
        value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
        return to_size(value.substr(0, value.find_last_not_of(" \t") + 1));
    }
    return std::nullopt;
}

/// Parses the answer from the bytes that came before the daemon closed the connection.
Answer taken_apart(const std::string& bytes) {
    const std::string_view text = bytes;
    const auto head_end = text.find("\r\n\r\n");
    if (head_end == std::string_view::npos || !text.starts_with("HTTP/1.") || text.size() < 12) {
        return failed("what answers there does not speak HTTP");
    }
    const auto status = to_size(text.substr(9, 3));
    const auto head = text.substr(0, head_end);
    const auto length = content_length(head.substr(std::min(head.find("\r\n"), head.size())));
    const auto body = text.substr(head_end + 4);
    if (!status || !length || body.size() != *length) {
        return failed("the answer is not whole");
    }
    Answer answer;
    answer.status = static_cast<unsigned>(*status);
    answer.body = body;
    return answer;
}

}  // namespace

Answer Connection::get(const std::string& target) const {
    return request("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", read_timeout);
}

Answer Connection::post(const std::string& target, std::string_view body, std::chrono::seconds timeout) const {
    std::string bytes = "POST " + target +
                        " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
                        "Content-Length: " +
                        std::to_string(body.size()) + "\r\n\r\n";
    bytes += body;
    return request(bytes, timeout);
}

Answer Connection::request(const std::string& bytes, std::chrono::seconds timeout) const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path_.empty() || path_.size() >= sizeof address.sun_path) {
        return failed(path_.empty() ? "--socket: a path is needed" : "--socket: the path is too long for a socket");
    }
    std::memcpy(address.sun_path, path_.data(), path_.size());
    const base::Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        return failed(words_of(errno));
    }
    timeval wait{};
    wait.tv_sec = timeout.count();
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    (void)::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    // The system call takes the address by its general type.
    const auto* const general = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(socket.get(), general, sizeof address) != 0) {
        const int error = errno;
        Answer answer = failed(advice_on(error, path_));
        answer.denied = error == EACCES || error == EPERM;
        return answer;
    }
    std::string_view rest = bytes;
    while (!rest.empty()) {
        const auto sent = ::send(socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) {
            continue;
        }
        // A daemon that refuses early may have answered all the same.
        if (sent < 0) {
            break;
        }
        rest.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string received;
    std::array<char, 65536> buffer{};
    for (;;) {
        const auto count = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            const bool late = errno == EAGAIN || errno == EWOULDBLOCK;
            return failed(late ? "the daemon has not answered within " + std::to_string(timeout.count()) +
                                     " s: it is busy, or stuck. What was asked for may still be done: look with "
                                     "`lihandoverctl status`, and into its log"
                               : "no answer: " + words_of(errno));
        }
        if (count == 0) {
            break;
        }
        received.append(buffer.data(), static_cast<std::size_t>(count));
        if (received.size() > max_answer) {
            return failed("the answer is too large");
        }
    }
    if (received.empty()) {
        return failed("the daemon closed the connection without an answer: it ends, or has too many connections");
    }
    return taken_apart(received);
}

}  // namespace lihandover::ctl
