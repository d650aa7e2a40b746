#include "lihandover/model/time.hpp"

#include <chrono>

namespace lihandover::model {

namespace {

constexpr int max_xml_offset_minutes = 14 * 60;

// A cursor over the fixed-width parts of RFC 3339; every read checks what is left.
class Cursor {
  public:
    explicit Cursor(std::string_view text) : text_(text) {}

    bool digits(int count, int& value) {
        if (text_.size() < static_cast<std::size_t>(count)) {
            return false;
        }
        value = 0;
        for (int i = 0; i < count; ++i) {
            const char c = text_[static_cast<std::size_t>(i)];
            if (c < '0' || c > '9') {
                return false;
            }
            value = value * 10 + (c - '0');
        }
        text_.remove_prefix(static_cast<std::size_t>(count));
        return true;
    }
    bool take(char c) {
        if (text_.empty() || text_.front() != c) {
            return false;
        }
        text_.remove_prefix(1);
        return true;
    }
    [[nodiscard]] bool done() const { return text_.empty(); }

  private:
    std::string_view text_;
};

struct Fields {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
    std::int32_t nanos = 0;
    bool zulu = false;
    int offset_minutes = 0;
};

bool read_fraction(Cursor& cursor, std::int32_t& nanos) {
    int digit = 0;
    int count = 0;
    std::int32_t unit = 100'000'000;
    while (cursor.digits(1, digit)) {
        nanos += digit * unit;
        unit /= 10;
        ++count;
    }
    return count > 0;
}

bool read_offset(Cursor& cursor, Fields& fields) {
    if (cursor.take('Z') || cursor.take('z')) {
        fields.zulu = true;
        return true;
    }
    const bool east = cursor.take('+');
    if (!east && !cursor.take('-')) {
        return false;
    }
    int hours = 0;
    int minutes = 0;
    if (!cursor.digits(2, hours) || !cursor.take(':') || !cursor.digits(2, minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    fields.offset_minutes = (hours * 60 + minutes) * (east ? 1 : -1);
    return true;
}

bool read_fields(std::string_view text, Fields& fields) {
    Cursor cursor(text);
    if (!cursor.digits(4, fields.year) || !cursor.take('-') || !cursor.digits(2, fields.month) || !cursor.take('-') ||
        !cursor.digits(2, fields.day) || !(cursor.take('T') || cursor.take('t')) || !cursor.digits(2, fields.hour) ||
        !cursor.take(':') || !cursor.digits(2, fields.minute) || !cursor.take(':') ||
        !cursor.digits(2, fields.second)) {
        return false;
    }
    if (cursor.take('.') && !read_fraction(cursor, fields.nanos)) {
        return false;
    }
    return read_offset(cursor, fields) && cursor.done();
}

std::int64_t days_since_epoch(int year, int month, int day) {
    using namespace std::chrono;
    return sys_days(std::chrono::year(year) / month / day).time_since_epoch().count();
}

bool valid(const Fields& fields) {
    using namespace std::chrono;
    return fields.year >= 1 && (std::chrono::year(fields.year) / fields.month / fields.day).ok() && fields.hour <= 23 &&
           fields.minute <= 59 && fields.second <= 60;
}

void append_number(std::string& out, std::int64_t value, int width) {
    char digits[20];
    for (int i = width - 1; i >= 0; --i) {
        digits[i] = static_cast<char>('0' + value % 10);
        value /= 10;
    }
    out.append(digits, static_cast<std::size_t>(width));
}

// Without a zone: the callers add decimals and `Z`.
std::string date_time(std::int64_t seconds) {
    using namespace std::chrono;
    const std::int64_t day = seconds >= 0 ? seconds / 86400 : -((-seconds + 86399) / 86400);
    const std::int64_t in_day = seconds - day * 86400;
    const year_month_day date{sys_days{days{day}}};
    std::string out;
    out.reserve(27);
    append_number(out, int{date.year()}, 4);
    out += '-';
    append_number(out, unsigned{date.month()}, 2);
    out += '-';
    append_number(out, unsigned{date.day()}, 2);
    out += 'T';
    append_number(out, in_day / 3600, 2);
    out += ':';
    append_number(out, in_day / 60 % 60, 2);
    out += ':';
    append_number(out, in_day % 60, 2);
    return out;
}

}  // namespace

std::optional<QualifiedTime> parse_rfc3339(std::string_view text) {
    Fields fields;
    if (!read_fields(text, fields) || !valid(fields)) {
        return std::nullopt;
    }
    const bool leap = fields.second == 60;
    const std::int64_t minute_start = days_since_epoch(fields.year, fields.month, fields.day) * 86400 +
                                      fields.hour * 3600 + (fields.minute - fields.offset_minutes) * 60;
    if (leap && (minute_start % 86400 + 86400) % 86400 != 86340) {
        return std::nullopt;  // leap seconds occur at 23:59 UTC only
    }
    QualifiedTime time;
    time.instant = leap ? Instant{minute_start + 59, 999'999'999} : Instant{minute_start + fields.second, fields.nanos};
    time.text = text;
    return time;
}

std::string to_qualified_date_time(std::string_view rfc3339) {
    Fields fields;
    if (!read_fields(rfc3339, fields)) {
        return {};
    }
    if (fields.offset_minutes > max_xml_offset_minutes || fields.offset_minutes < -max_xml_offset_minutes) {
        const auto time = parse_rfc3339(rfc3339);
        return time ? to_qualified_date_time(time->instant) : std::string{};
    }
    std::string out(rfc3339.substr(0, 19));
    out[10] = 'T';
    if (fields.second == 60) {
        out.replace(17, 2, "59");
    }
    if (fields.zulu) {
        out += 'Z';
    } else {
        out += rfc3339.substr(rfc3339.size() - 6);
    }
    return out;
}

std::string to_qualified_date_time(Instant instant) {
    return date_time(instant.seconds) + 'Z';
}

std::string to_microsecond_date_time(Instant instant) {
    std::string out = date_time(instant.seconds);
    out += '.';
    append_number(out, instant.nanos / 1000, 6);
    out += 'Z';
    return out;
}

}  // namespace lihandover::model
