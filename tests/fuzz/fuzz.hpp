#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace lihandover::fuzz {

/// The function of each fuzzer: takes an input and checks what must hold (must).
void try_input(const std::uint8_t* data, std::size_t size);

/// Ends the program, which is how a fuzzer reports: the engine then keeps the input.
inline void must(bool holds, const char* what, std::source_location place = std::source_location::current()) {
    if (!holds) {
        std::fprintf(stderr, "%s:%u: does not hold: %s\n", place.file_name(), static_cast<unsigned>(place.line()),
                     what);
        std::abort();
    }
}

/// The bytes of an input, taken from the front. Beyond the end, numbers are 0.
class Input {
  public:
    Input(const std::uint8_t* data, std::size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

    std::uint8_t byte() {
        if (rest_.empty()) {
            return 0;
        }
        const auto first = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return first;
    }
    /// Below `bound`, which is 1 to 256.
    std::size_t below(std::size_t bound) { return byte() % bound; }
    std::uint64_t number() {
        std::uint64_t value = 0;
        for (int i = 0; i < 8; ++i) {
            value = value << 8U | byte();
        }
        return value;
    }
    /// Up to a line end, which is taken too.
    std::string_view line() {
        const std::size_t end = std::min(rest_.find('\n'), rest_.size());
        const std::string_view taken = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        return taken;
    }
    [[nodiscard]] std::string_view rest() const { return rest_; }
    [[nodiscard]] bool done() const { return rest_.empty(); }

  private:
    std::string_view rest_;
};

/// A copy in memory of exactly its size, so that a sanitizer sees a step beyond it.
class Exact {
  public:
    explicit Exact(std::string_view text)
        : bytes_(std::make_unique<char[]>(text.size())), view_(bytes_.get(), text.size()) {
        std::ranges::copy(text, bytes_.get());
    }
    [[nodiscard]] std::string_view view() const { return view_; }

  private:
    std::unique_ptr<char[]> bytes_;
    std::string_view view_;
};

/// The sizes of the units that a stream begins with, and how reading it ends.
template <typename Read>
struct Cut {
    std::vector<std::size_t> sizes;
    Read end{};
    friend bool operator==(const Cut&, const Cut&) = default;
};

/// Input: a byte that says where the rest is cut, then what came over a connection. What `whole` makes of the stream in
/// one piece, `pieces` has to make of it piece by piece.
template <typename Whole, typename Pieces>
void try_cut_anywhere(const std::uint8_t* data, std::size_t size, const Whole& whole, const Pieces& pieces,
                      const char* what) {
    Input input(data, size);
    const std::size_t piece = 1 + input.below(256);
    const Exact bytes(input.rest());
    const auto expected = whole(bytes.view());
    must(expected == pieces(bytes.view(), piece), what);
    if (bytes.view().size() <= 512) {
        must(expected == pieces(bytes.view(), 1), what);
    }
}

/// Whether a view is of these bytes.
[[nodiscard]] inline bool within(std::string_view part, std::string_view whole) {
    return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

[[nodiscard]] inline bool is_ascii_text(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= 0x20 && c < 0x7f; });
}

/// Reads every byte, so that the sanitizers check them.
inline void touch(std::string_view text) {
    unsigned sum = 0;
    for (const char c : text) {
        sum += static_cast<unsigned char>(c);
    }
    volatile unsigned kept = sum;
    static_cast<void>(kept);
}

}  // namespace lihandover::fuzz
