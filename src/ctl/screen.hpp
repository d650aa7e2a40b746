#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace lihandover::ctl {

/// The terminal's other screen, for as long as this lives: drawn upon again and again, and what was there before comes
/// back at the end, also where a signal ends or stops the program. One at a time.
class Screen {
  public:
    Screen();
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;
    ~Screen();

    /// Replaces what is shown, from the top. Lines that are too long are cut, and so are those below the last; what is
    /// cut is said. False where it cannot be written.
    [[nodiscard]] bool draw(std::string_view text);

    enum class Woken : std::uint8_t {
        time,
        redraw,  ///< the window has another size, the program goes on after a stop, or somebody pressed a key
        quit,    ///< somebody pressed q
    };
    [[nodiscard]] Woken wait(std::chrono::milliseconds time);

  private:
    bool keys_ = false;  ///< standard input is the terminal's keyboard
};

/// The same wait without a screen. False as soon as nobody reads standard output any more.
[[nodiscard]] bool wait_with_reader(std::chrono::milliseconds time);

}  // namespace lihandover::ctl
