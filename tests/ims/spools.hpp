#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "lihandover/ims/assembly.hpp"

namespace lihandover::ims {

/// Spools in memory, which fail when they are told to.
class FakeSpools final : public Spools {
  public:
    /// So many appends, reads and makings go well, then all fail.
    std::size_t appends_left = never;
    std::size_t reads_left = never;
    std::size_t makings_left = never;
    /// An append that fails has written half of it.
    bool half_written = false;

    std::size_t made = 0;
    std::size_t open = 0;
    std::uint64_t appended = 0;
    std::size_t largest_append = 0;

    static constexpr std::size_t never = static_cast<std::size_t>(-1);
    void mend() { appends_left = reads_left = makings_left = never; }

    [[nodiscard]] model::Result<std::unique_ptr<Spool>> make() override {
        if (!goes_well(makings_left)) {
            return model::Error{"no spool today"};
        }
        ++made;
        return std::unique_ptr<Spool>(std::make_unique<Fake>(*this));
    }

  private:
    static bool goes_well(std::size_t& left) {
        if (left == never) {
            return true;
        }
        return left > 0 && left-- > 0;
    }

    class Fake final : public Spool {
      public:
        explicit Fake(FakeSpools& owner) : owner_(owner) { ++owner_.open; }
        ~Fake() override { --owner_.open; }
        Fake(const Fake&) = delete;
        Fake& operator=(const Fake&) = delete;

        [[nodiscard]] model::Status append(std::string_view bytes) override {
            if (!goes_well(owner_.appends_left)) {
                bytes_ += bytes.substr(0, owner_.half_written ? bytes.size() / 2 : 0);
                return model::Error{"the disk is full"};
            }
            owner_.appended += bytes.size();
            owner_.largest_append = std::max(owner_.largest_append, bytes.size());
            bytes_ += bytes;
            return {};
        }
        [[nodiscard]] model::Status read(std::uint64_t at, std::span<char> out) override {
            if (!goes_well(owner_.reads_left)) {
                return model::Error{"the disk is broken"};
            }
            if (at > bytes_.size() || out.size() > bytes_.size() - at) {
                return model::Error{"read beyond what was appended"};
            }
            bytes_.copy(out.data(), out.size(), static_cast<std::size_t>(at));
            return {};
        }
        [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }

      private:
        FakeSpools& owner_;
        std::string bytes_;
    };
};

/// All of them.
[[nodiscard]] inline std::string text_of(const Bytes& bytes) {
    if (bytes.in_memory()) {
        return std::string(bytes.memory());
    }
    std::string out(static_cast<std::size_t>(bytes.size()), '\0');
    return bytes.spooled()->read(0, out) ? out : std::string("unreadable");
}

}  // namespace lihandover::ims
