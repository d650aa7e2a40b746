#include "fake_objects.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "lihandover/store/digest.hpp"

namespace lihandover::store::test {

namespace {

class FakeSealed final : public SealedObject {
  public:
    FakeSealed(std::shared_ptr<FakeObjects> from, std::atomic<int>& alive, std::uint64_t size,
               FakeObjects::MakeUp make_up, const model::Sha256& sha256)
        : from_(std::move(from)), alive_(alive), size_(size), make_up_(std::move(make_up)), sha256_(sha256) {
        ++alive_;
    }
    FakeSealed(const FakeSealed&) = delete;
    FakeSealed& operator=(const FakeSealed&) = delete;
    FakeSealed(FakeSealed&&) = delete;
    FakeSealed& operator=(FakeSealed&&) = delete;
    ~FakeSealed() override { --alive_; }

    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] const model::Sha256& sha256() const override { return sha256_; }
    [[nodiscard]] const FakeObjects::MakeUp& make_up() const { return make_up_; }
    [[nodiscard]] bool of(const FakeObjects& objects) const { return from_.get() == &objects; }

  private:
    std::shared_ptr<FakeObjects> from_;  // which has the counter
    std::atomic<int>& alive_;
    std::uint64_t size_;
    FakeObjects::MakeUp make_up_;
    model::Sha256 sha256_{};
};

/// While it lives, one thread is at work.
class Alone {
  public:
    explicit Alone(std::atomic<bool>& busy) : busy_(busy) {
        if (busy_.exchange(true)) {
            throw std::logic_error("two threads use one reader");
        }
    }
    Alone(const Alone&) = delete;
    Alone& operator=(const Alone&) = delete;
    Alone(Alone&&) = delete;
    Alone& operator=(Alone&&) = delete;
    ~Alone() { busy_ = false; }

  private:
    std::atomic<bool>& busy_;
};

}  // namespace

class FakeObjects::Writer final : public ObjectWriter {
  public:
    explicit Writer(std::shared_ptr<FakeObjects> objects) : objects_(std::move(objects)) { ++objects_->open_writers_; }
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    Writer(Writer&&) = delete;
    Writer& operator=(Writer&&) = delete;
    ~Writer() override { --objects_->open_writers_; }

    [[nodiscard]] model::Status reserve(std::uint64_t bytes) override {
        return objects_->ask(&FakeObjects::before_write_, static_cast<std::size_t>(bytes));
    }
    [[nodiscard]] model::Status write(std::span<const char> bytes) override {
        if (auto asked = objects_->ask(&FakeObjects::before_write_, bytes.size()); !asked) {
            return asked;
        }
        {
            const std::lock_guard lock(objects_->mutex_);
            objects_->written_.append(bytes.data(), bytes.size());
        }
        bytes_.append(bytes.data(), bytes.size());
        return {};
    }
    [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
    [[nodiscard]] model::Status read(std::uint64_t at, std::span<char> out) override {
        if (at > bytes_.size() || out.size() > bytes_.size() - at) {
            return model::Error{"so much was not written"};
        }
        bytes_.copy(out.data(), out.size(), static_cast<std::size_t>(at));
        return {};
    }
    [[nodiscard]] model::Result<std::shared_ptr<const SealedObject>> finish() override {
        if (auto asked = objects_->ask(&FakeObjects::before_finish_); !asked) {
            return asked.error();
        }
        return objects_->seal(std::move(bytes_));
    }

  private:
    std::shared_ptr<FakeObjects> objects_;
    std::string bytes_;
};

class FakeObjects::Reader final : public ObjectReader {
  public:
    Reader(std::shared_ptr<const FakeObjects> objects, std::uint64_t size, MakeUp make_up)
        : objects_(std::move(objects)), size_(size), make_up_(std::move(make_up)) {}

    [[nodiscard]] std::uint64_t size() const override { return size_; }
    [[nodiscard]] model::Result<std::size_t> read(std::uint64_t at, std::span<char> out) override {
        const Alone alone(busy_);
        const std::uint64_t end = std::max(at, std::min<std::uint64_t>(size_, at + out.size()));
        if (auto asked = objects_->ask(&FakeObjects::before_read_, at, end); !asked) {
            return asked.error();
        }
        const auto size = static_cast<std::size_t>(end - at);
        make_up_(at, out.first(size));
        return size;
    }

  private:
    std::shared_ptr<const FakeObjects> objects_;
    std::uint64_t size_;
    MakeUp make_up_;
    std::atomic<bool> busy_{false};
};

template <typename Hook, typename... Arguments>
model::Status FakeObjects::ask(const Hook FakeObjects::*hook, Arguments... arguments) const {
    Hook asked;
    {
        const std::lock_guard lock(mutex_);
        asked = this->*hook;
    }
    return asked ? asked(arguments...) : model::Status();
}

template <typename Hook>
void FakeObjects::set(Hook FakeObjects::*hook, Hook to) {
    const std::lock_guard lock(mutex_);
    this->*hook = std::move(to);
}

void FakeObjects::before_writer(std::function<model::Status(bool)> hook) {
    set(&FakeObjects::before_writer_, std::move(hook));
}

void FakeObjects::before_write(std::function<model::Status(std::size_t)> hook) {
    set(&FakeObjects::before_write_, std::move(hook));
}

void FakeObjects::before_finish(std::function<model::Status()> hook) {
    set(&FakeObjects::before_finish_, std::move(hook));
}

void FakeObjects::before_open(std::function<model::Status()> hook) {
    set(&FakeObjects::before_open_, std::move(hook));
}

void FakeObjects::before_read(std::function<model::Status(std::uint64_t, std::uint64_t)> hook) {
    set(&FakeObjects::before_read_, std::move(hook));
}

std::string FakeObjects::written() const {
    const std::lock_guard lock(mutex_);
    return written_;
}

model::Result<std::unique_ptr<ObjectWriter>> FakeObjects::writer(bool copy) {
    if (copy) {
        ++copy_tries_;
    }
    if (auto asked = ask(&FakeObjects::before_writer_, copy); !asked) {
        return asked.error();
    }
    ++writers_;
    return std::unique_ptr<ObjectWriter>(std::make_unique<Writer>(shared_from_this()));
}

model::Result<std::unique_ptr<ObjectReader>> FakeObjects::open(const SealedObject& object) {
    const auto* sealed = dynamic_cast<const FakeSealed*>(&object);
    if (sealed == nullptr || !sealed->of(*this)) {
        return model::Error{"the binary object is not of this store"};
    }
    ++opened_;
    if (auto asked = ask(&FakeObjects::before_open_); !asked) {
        return asked.error();
    }
    return std::unique_ptr<ObjectReader>(
        std::make_unique<Reader>(shared_from_this(), sealed->size(), sealed->make_up()));
}

std::shared_ptr<const SealedObject> FakeObjects::seal(std::string bytes) {
    Sha256Digest digest;
    digest.update(bytes);
    const std::uint64_t size = bytes.size();
    return seal_made_up(
        size,
        [kept = std::make_shared<const std::string>(std::move(bytes))](std::uint64_t at, std::span<char> out) {
            kept->copy(out.data(), out.size(), static_cast<std::size_t>(at));
        },
        digest.finish());
}

std::shared_ptr<const SealedObject> FakeObjects::seal_made_up(std::uint64_t size, MakeUp make_up,
                                                              const model::Sha256& sha256) {
    return std::make_shared<const FakeSealed>(shared_from_this(), alive_, size, std::move(make_up), sha256);
}

std::string bytes_of(const SealedObject& object) {
    const auto& sealed = dynamic_cast<const FakeSealed&>(object);
    std::string bytes(static_cast<std::size_t>(sealed.size()), '\0');
    sealed.make_up()(0, bytes);
    return bytes;
}

}  // namespace lihandover::store::test
