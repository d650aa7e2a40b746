#pragma once

namespace lihandover::base {

/// Whether a person who reads a text would not see the character, or would see others moved by it: controls, format
/// characters (Cf of Unicode 15), fillers, line ends, variation selectors (which can hide any data behind a letter),
/// and lone surrogates. Texts from outside are shown with something in its place.
[[nodiscard]] bool is_hidden(char32_t value);

}  // namespace lihandover::base
