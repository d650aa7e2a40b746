// RFC 3339 and Retry-After, against the C library's calendar and themselves.

#include <ctime>
#include <string>

#include "answer_classifier.hpp"
#include "fuzz.hpp"
#include "lihandover/model/time.hpp"

namespace {

using namespace lihandover;
using fuzz::must;

std::int64_t number(std::string_view digits) {
    std::int64_t value = 0;
    for (const char c : digits) {
        must(c >= '0' && c <= '9', "a time has digits in its places");
        value = value * 10 + (c - '0');
    }
    return value;
}

// By the C library's calendar; `text` has the form of a time.
std::int64_t plain_seconds(std::string_view text) {
    std::tm parts{};
    parts.tm_year = static_cast<int>(number(text.substr(0, 4))) - 1900;
    parts.tm_mon = static_cast<int>(number(text.substr(5, 2))) - 1;
    parts.tm_mday = static_cast<int>(number(text.substr(8, 2)));
    parts.tm_hour = static_cast<int>(number(text.substr(11, 2)));
    parts.tm_min = static_cast<int>(number(text.substr(14, 2)));
    parts.tm_sec = static_cast<int>(std::min<std::int64_t>(number(text.substr(17, 2)), 59));
    std::int64_t seconds = timegm(&parts);
    if (text.back() != 'Z' && text.back() != 'z') {
        const std::string_view offset = text.substr(text.size() - 6);
        const std::int64_t minutes = number(offset.substr(1, 2)) * 60 + number(offset.substr(4, 2));
        seconds -= offset.front() == '-' ? -60 * minutes : 60 * minutes;
    }
    return seconds;
}

void check_time(std::string_view text) {
    const auto time = model::parse_rfc3339(text);
    if (!time) {
        return;
    }
    must(time->text == text, "a time keeps its text");
    must(time->instant.nanos >= 0 && time->instant.nanos < 1'000'000'000, "nanoseconds are below a second");
    must(time->instant.seconds == plain_seconds(text), "a time is when its text says");
    // What documents contain can be read again, and is the same second.
    const std::string whole = model::to_qualified_date_time(text);
    const auto again = model::parse_rfc3339(whole);
    must(again && again->instant == model::Instant{time->instant.seconds, 0}, "whole seconds are the same seconds");
    must(model::to_qualified_date_time(whole) == whole, "writing it again changes nothing");
    const std::string micros = model::to_microsecond_date_time(time->instant);
    const auto from_micros = model::parse_rfc3339(micros);
    if (time->instant.seconds >= -62'135'596'800 && time->instant.seconds < 253'402'300'800) {
        must(from_micros && from_micros->instant.micros() == time->instant.micros(), "microseconds are the same");
    }
    must(model::Instant::from_micros(time->instant.micros()).micros() == time->instant.micros(), "there and back");
}

void check_retry_after(std::string_view text) {
    const auto wait = delivery::parse_retry_after(text, {1'790'000'000, 0});
    must(!wait || (wait->count() >= 0 && *wait <= delivery::max_retry_after), "patience has its bounds");
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    const fuzz::Exact bytes({reinterpret_cast<const char*>(data), size});
    check_time(bytes.view());
    check_retry_after(bytes.view());
}
