#include "lihandover/base/hidden.hpp"

#include <algorithm>
#include <array>

namespace lihandover::base {

namespace {

struct Range {
    char32_t first;
    char32_t last;
};

constexpr std::array<Range, 29> hidden = {{
    {0x00, 0x1F},       {0x7F, 0x9F},       {0xAD, 0xAD},       {0x34F, 0x34F},     {0x600, 0x605},
    {0x61C, 0x61C},     {0x6DD, 0x6DD},     {0x70F, 0x70F},     {0x890, 0x891},     {0x8E2, 0x8E2},
    {0x115F, 0x1160},   {0x17B4, 0x17B5},   {0x180B, 0x180F},   {0x200B, 0x200F},   {0x2028, 0x202E},
    {0x2060, 0x206F},   {0x2800, 0x2800},   {0x3164, 0x3164},   {0xD800, 0xDFFF},   {0xFE00, 0xFE0F},
    {0xFEFF, 0xFEFF},   {0xFFA0, 0xFFA0},   {0xFFF0, 0xFFFB},   {0x110BD, 0x110BD}, {0x110CD, 0x110CD},
    {0x13430, 0x1343F}, {0x1BCA0, 0x1BCA3}, {0x1D173, 0x1D17A}, {0xE0000, 0xE0FFF},
}};
static_assert(std::ranges::is_sorted(hidden, {}, &Range::first));

}  // namespace

bool is_hidden(char32_t value) {
    if (value >= 0x20 && value < 0x7F) {
        return false;
    }
    const auto* const behind = std::ranges::upper_bound(hidden, value, {}, &Range::first);
    return behind != hidden.begin() && value <= std::prev(behind)->last;
}

}  // namespace lihandover::base
