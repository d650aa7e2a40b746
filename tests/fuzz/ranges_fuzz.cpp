// Range, If-Range, If-Match and If-None-Match. Eight bytes of the object's size, then a line for each of the fields.

#include <string>

#include "conditions.hpp"
#include "fuzz.hpp"
#include "ranges.hpp"

namespace {

using namespace lihandover;
using namespace lihandover::objectserver;
using fuzz::must;

void check_ranges(std::string_view field, std::uint64_t size) {
    const RangeChoice choice = choose_ranges(field, size);
    must((choice.kind == RangeChoice::Kind::ranges) == !choice.ranges.empty(), "ranges are chosen, or there are none");
    must(choice.ranges.size() <= max_ranges, "ranges are few");
    std::uint64_t left = size;
    for (const ByteRange& range : choice.ranges) {
        must(range.begin < range.end && range.end <= size, "a range is of the object and not empty");
        must(range.size() <= left, "ranges are no longer than the object");
        left -= range.size();
    }
    // What was chosen, asked for in the plainest form, is chosen again.
    if (choice.kind == RangeChoice::Kind::ranges) {
        std::string plain = "bytes=";
        for (const ByteRange& range : choice.ranges) {
            plain += (plain.size() > 6 ? "," : "") + std::to_string(range.begin) + '-' + std::to_string(range.end - 1);
        }
        must(choose_ranges(plain, size).ranges == choice.ranges, "the same ranges in plain words");
    }
}

void check_conditions(std::string_view first, std::string_view second, std::string_view if_range) {
    model::Sha256 digest{};
    digest.fill(0xab);
    const std::string tag = entity_tag(digest);
    const ConditionResult neither = evaluate({}, tag);
    const ConditionResult match = evaluate({.if_match = first, .if_none_match = {}}, tag);
    const ConditionResult none_match = evaluate({.if_match = {}, .if_none_match = second}, tag);
    const ConditionResult both = evaluate({.if_match = first, .if_none_match = second}, tag);
    must(neither == ConditionResult::proceed, "no condition, no objection");
    must(match != ConditionResult::not_modified, "If-Match never says 304");
    must(none_match != ConditionResult::precondition_failed, "If-None-Match says 304 to a GET");
    must(both == (match == ConditionResult::proceed ? none_match : match), "If-Match goes first");
    const bool named = first.find(tag) != std::string_view::npos || first.find('*') != std::string_view::npos;
    must(match == ConditionResult::precondition_failed || named, "what matches is named");
    const bool weakly = second.find(tag) != std::string_view::npos || second.find('*') != std::string_view::npos;
    must(none_match == ConditionResult::proceed || weakly, "what matches weakly is named");
    must(range_counts(if_range, tag) == (if_range == tag), "If-Range is the tag and nothing else");
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    fuzz::Input input(data, size);
    const std::uint64_t object = input.number();
    const fuzz::Exact range(input.line());
    const fuzz::Exact if_match(input.line());
    const fuzz::Exact if_none_match(input.line());
    check_ranges(range.view(), object);
    check_ranges(range.view(), object % 1000);
    check_conditions(if_match.view(), if_none_match.view(), fuzz::Exact(input.rest()).view());
}
