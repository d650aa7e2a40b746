#include "message.hpp"

#include <array>
#include <charconv>
#include <ctime>
#include <stdexcept>

#include "lihandover/http/failure.hpp"
#include "lihandover/http/server.hpp"

namespace lihandover::http {
namespace {

bool is_name(std::string_view name) {
    static constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
    for (const char letter : name) {
        const bool alphanumeric =
            (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') || (letter >= 'a' && letter <= 'z');
        if (!alphanumeric && marks.find(letter) == std::string_view::npos) {
            return false;
        }
    }
    return !name.empty();
}

bool is_value(std::string_view value) {
    for (const char letter : value) {
        const auto code = static_cast<unsigned char>(letter);
        if ((code < 0x20 && code != '\t') || code == 0x7F) {
            return false;
        }
    }
    return true;
}

constexpr char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
}

}  // namespace

void throw_exception_from_error(BodyFailure /*failure*/, const boost::source_location& /*location*/) {
    throw std::logic_error{"a request body was used although reading it failed"};
}

void throw_exception_from_error(const Failure& failure, const boost::source_location& /*location*/) {
    throw std::logic_error{"an answer was used although the exchange failed: " + failure.message};
}

Executor concrete(const boost::asio::any_io_executor& executor) {
    const auto* own = executor.target<Executor>();
    if (own == nullptr) {
        throw std::invalid_argument{"http needs the executor of an io_context"};
    }
    return *own;
}

bool same_name(std::string_view left, std::string_view right) {
    if (left.size() != right.size()) {
        return false;
    }
    for (std::size_t index = 0; index < left.size(); ++index) {
        if (lower(left[index]) != lower(right[index])) {
            return false;
        }
    }
    return true;
}

void append_field(std::string& head, std::string_view name, std::string_view value) {
    if (!is_name(name) || !is_value(value)) {
        throw std::logic_error{"a header field holds characters that HTTP does not allow"};
    }
    head += name;
    head += ": ";
    head += value;
    head += "\r\n";
}

void append_field(std::string& head, std::string_view name, std::uint64_t number) {
    std::array<char, 20> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    head += name;
    head += ": ";
    head.append(digits.data(), end);
    head += "\r\n";
}

void append_framing(std::string& head, std::optional<std::uint64_t> length) {
    if (length) {
        append_field(head, "Content-Length", *length);
    } else {
        head += "Transfer-Encoding: chunked\r\n";
    }
}

void append_date(std::string& head) {
    static constexpr std::array<std::string_view, 7> days{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array<std::string_view, 12> months{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                             "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    static thread_local std::time_t made_at = -1;
    static thread_local std::string field;
    const std::time_t now = std::time(nullptr);
    if (now != made_at) {
        made_at = now;
        std::tm parts{};
        if (gmtime_r(&now, &parts) == nullptr) {
            return;  // RFC 9110 6.6.1: none without a clock
        }
        // Not strftime, which would follow the locale.
        const auto two = [](int number) {
            return std::string{static_cast<char>('0' + number / 10), static_cast<char>('0' + number % 10)};
        };
        field = "Date: ";
        field += days.at(static_cast<std::size_t>(parts.tm_wday));
        field += ", " + two(parts.tm_mday) + ' ';
        field += months.at(static_cast<std::size_t>(parts.tm_mon));
        field += ' ' + std::to_string(parts.tm_year + 1900) + ' ' + two(parts.tm_hour) + ':' + two(parts.tm_min) + ':' +
                 two(parts.tm_sec) + " GMT\r\n";
    }
    head += field;
}

}  // namespace lihandover::http
