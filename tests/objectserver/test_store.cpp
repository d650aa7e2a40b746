#include "test_store.hpp"

#include <new>

namespace lihandover::objectserver::test {

char byte_at(std::uint64_t at) {
    return static_cast<char>((at * 2654435761U) >> 13U);
}

std::string bytes(std::uint64_t begin, std::uint64_t end) {
    std::string text;
    for (auto at = begin; at < end; ++at) {
        text += byte_at(at);
    }
    return text;
}

TestStore::TestStore(const model::Clock& clock) : store_(clock) {
    store_.bytes().before_read([this](std::uint64_t /*begin*/, std::uint64_t end) { return before_read(end); });
}

model::Uuid TestStore::put(const std::string& destination, std::uint64_t size,
                           const std::function<void(store::StoredObject&)>& change) {
    model::Sha256 sha256{};
    sha256.fill(0xAB);
    store::StoredObject object;
    object.described.id = model::Uuid::random();
    object.described.url = "https://csp.example.com:8444/objects/" + object.described.id.to_string();
    object.described.content_length = size;
    object.described.expiry = model::system_clock().wall();
    object.described.expiry->seconds += 3600;
    object.item_id = model::Uuid::random();
    object.model = model::BinaryModel::a;
    object.state = store::ObjectState::offered;
    object.sealed = store_.bytes().seal_made_up(
        size,
        [](std::uint64_t at, std::span<char> out) {
            for (char& byte : out) {
                byte = byte_at(at++);
            }
        },
        sha256);
    object.lane = lanes().lane(destination, "LIID-1").value();
    if (change) {
        change(object);
    }
    const model::Uuid id = object.described.id;
    store_.put(std::move(object));
    return id;
}

std::string TestStore::target_of(const model::Uuid& id) {
    return "/objects/" + id.to_string();
}

void TestStore::throw_lookups(bool fail) {
    store_.before_lookup(fail ? [] { throw std::bad_alloc{}; } : std::function<void()>{});
}

void TestStore::fail_opening(bool fail) {
    store_.bytes().before_open(
        [fail] { return fail ? model::Status(model::Error{"the file is gone"}) : model::Status(); });
}

void TestStore::fail_fetches(bool fail) {
    if (fail) {
        store_.fail(store::test::Call::fetched);
    } else {
        store_.mend(store::test::Call::fetched);
    }
}

void TestStore::hold_fetches(bool hold) {
    if (hold) {
        store_.hold(store::test::Call::fetched);
    } else {
        store_.release(store::test::Call::fetched);
    }
}

void TestStore::fail_reading_from(std::uint64_t byte) {
    const std::lock_guard lock{mutex_};
    fail_from_ = byte;
}

void TestStore::hold_reading_from(std::uint64_t byte) {
    const std::lock_guard lock{mutex_};
    hold_from_ = byte;
}

void TestStore::let_read() {
    const std::lock_guard lock{mutex_};
    hold_from_.reset();
    wake_.notify_all();
}

bool TestStore::holds() const {
    const std::lock_guard lock{mutex_};
    return holds_;
}

model::Status TestStore::before_read(std::uint64_t end) {
    std::unique_lock lock{mutex_};
    while (hold_from_ && end > *hold_from_) {
        holds_ = true;
        wake_.wait(lock);
    }
    holds_ = false;
    if (fail_from_ && end > *fail_from_) {
        return model::Error{"the seal is broken"};
    }
    return {};
}

}  // namespace lihandover::objectserver::test
