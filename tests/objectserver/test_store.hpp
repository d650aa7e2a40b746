#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "fake_store.hpp"
#include "lihandover/model/clock.hpp"

namespace lihandover::objectserver::test {

/// Bytes at any place of an object of any size, without keeping them.
[[nodiscard]] char byte_at(std::uint64_t at);
[[nodiscard]] std::string bytes(std::uint64_t begin, std::uint64_t end);

/// The fake store, with what the object server's tests put into it and have go wrong. Thread-safe.
class TestStore {
  public:
    explicit TestStore(const model::Clock& clock);

    [[nodiscard]] store::ObjectDownloads& downloads() { return store_.object_downloads(); }
    [[nodiscard]] store::Register& lanes() { return store_.warrant_register(); }

    /// Puts an object into the store, offered to the lane of `destination` for an hour; `change` changes that. Its
    /// bytes are byte_at.
    model::Uuid put(const std::string& destination, std::uint64_t size,
                    const std::function<void(store::StoredObject&)>& change = {});
    void change(const model::Uuid& id, const std::function<void(store::StoredObject&)>& change) {
        store_.change(id, change);
    }
    [[nodiscard]] static std::string target_of(const model::Uuid& id);

    [[nodiscard]] std::vector<store::Fetch> fetches() const {
        return store_.asked([](const store::test::Asked& asked) { return asked.fetched; });
    }
    /// Ids looked for, in order.
    [[nodiscard]] std::vector<model::Uuid> lookups() const {
        return store_.asked([](const store::test::Asked& asked) { return asked.looked_up; });
    }
    [[nodiscard]] std::size_t opened() { return store_.bytes().opened(); }
    void fail_lookups(bool fail) { store_.fail_reads(fail); }
    void throw_lookups(bool fail);
    void fail_opening(bool fail);
    /// Fetches are not taken: Outcome::failed.
    void fail_fetches(bool fail);
    /// Fetches wait to be committed until this says false.
    void hold_fetches(bool hold);
    [[nodiscard]] std::size_t held_fetches() const { return store_.held(store::test::Call::fetched); }
    /// Reading at or beyond this byte fails.
    void fail_reading_from(std::uint64_t byte);
    /// Reading at or beyond this byte waits until let_read().
    void hold_reading_from(std::uint64_t byte);
    void let_read();
    [[nodiscard]] bool holds() const;

  private:
    model::Status before_read(std::uint64_t end);

    store::test::FakeStore store_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::optional<std::uint64_t> fail_from_;
    std::optional<std::uint64_t> hold_from_;
    bool holds_ = false;
};

}  // namespace lihandover::objectserver::test
