#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>

#include "lihandover/store/objects.hpp"

namespace lihandover::store::test {

/// The bytes of binary objects, in memory: what was done with them, and what is to go wrong. Thread-safe; shared by the
/// objects that came of it, which may outlive it.
class FakeObjects : public std::enable_shared_from_this<FakeObjects> {
  public:
    // What a test does to it. Each of these is called on the thread that does the work, before it is done, and may
    // block; an error is what the work ends with. nullptr: nothing more.

    /// A new file, or a copy of a named one.
    void before_writer(std::function<model::Status(bool copy)> hook);
    void before_write(std::function<model::Status(std::size_t bytes)> hook);
    void before_finish(std::function<model::Status()> hook);
    void before_open(std::function<model::Status()> hook);
    /// Of the bytes from `begin` up to `end`.
    void before_read(std::function<model::Status(std::uint64_t begin, std::uint64_t end)> hook);

    // What was done.

    [[nodiscard]] std::size_t writers() const { return writers_; }
    /// Copies that somebody tried to begin.
    [[nodiscard]] std::size_t copy_tries() const { return copy_tries_; }
    /// Writers that nobody has finished or dropped.
    [[nodiscard]] int open_writers() const { return open_writers_; }
    /// Sealed objects that somebody holds.
    [[nodiscard]] int alive() const { return alive_; }
    /// How often one was opened for reading.
    [[nodiscard]] std::size_t opened() const { return opened_; }
    /// Bytes of all writers, one after another.
    [[nodiscard]] std::string written() const;

    // What the store does with it.

    [[nodiscard]] model::Result<std::unique_ptr<ObjectWriter>> writer(bool copy);
    [[nodiscard]] model::Result<std::unique_ptr<ObjectReader>> open(const SealedObject& object);

    [[nodiscard]] std::shared_ptr<const SealedObject> seal(std::string bytes);
    /// One of any size without its bytes, which are made up where they are read.
    using MakeUp = std::function<void(std::uint64_t at, std::span<char> out)>;
    [[nodiscard]] std::shared_ptr<const SealedObject> seal_made_up(std::uint64_t size, MakeUp make_up,
                                                                   const model::Sha256& sha256);

  private:
    class Writer;
    class Reader;

    template <typename Hook, typename... Arguments>
    model::Status ask(const Hook FakeObjects::*hook, Arguments... arguments) const;
    template <typename Hook>
    void set(Hook FakeObjects::*hook, Hook to);

    mutable std::mutex mutex_;
    // Guarded by mutex_.
    std::function<model::Status(bool)> before_writer_;
    std::function<model::Status(std::size_t)> before_write_;
    std::function<model::Status()> before_finish_;
    std::function<model::Status()> before_open_;
    std::function<model::Status(std::uint64_t, std::uint64_t)> before_read_;
    std::string written_;

    std::atomic<std::size_t> writers_{0};
    std::atomic<std::size_t> copy_tries_{0};
    std::atomic<std::size_t> opened_{0};
    std::atomic<int> open_writers_{0};
    std::atomic<int> alive_{0};
};

/// The bytes of an object that a FakeObjects sealed.
[[nodiscard]] std::string bytes_of(const SealedObject& object);

}  // namespace lihandover::store::test
