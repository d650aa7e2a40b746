#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "../support/manual_clock.hpp"
#include "lihandover/intake/pipeline/snapshot.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/digest.hpp"
#include "lihandover/store/objects.hpp"
#include "lihandover/store/store.hpp"
#include "lihandover/warrants/index.hpp"

namespace lihandover::intake::testing {

/// Nothing in these tests takes near so long; it keeps a broken one from hanging.
constexpr std::chrono::seconds guard{30};

inline constexpr model::Instant noon{1'769'083'200, 250'000'000};  // 2026-01-22T12:00:00.25Z

/// Binary objects in memory, with a record of what was done.
class FakeObjects : public store::Objects {
  public:
    class Sealed : public store::SealedObject {
      public:
        Sealed(std::string bytes, model::Sha256 digest, std::atomic<int>& alive)
            : bytes_(std::move(bytes)), digest_(digest), alive_(alive) {
            ++alive_;
        }
        Sealed(const Sealed&) = delete;
        Sealed& operator=(const Sealed&) = delete;
        ~Sealed() override { --alive_; }
        [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
        [[nodiscard]] const model::Sha256& sha256() const override { return digest_; }
        [[nodiscard]] const std::string& bytes() const { return bytes_; }

      private:
        std::string bytes_;
        model::Sha256 digest_;
        std::atomic<int>& alive_;
    };
    struct Prepared {
        model::Uuid file;
        std::shared_ptr<const store::SealedObject> copy;
        model::ObjectLoss loss{};
    };

    /// Writers that nobody has finished or dropped.
    [[nodiscard]] int open_writers() const { return open_writers_; }
    /// Sealed objects that somebody holds.
    [[nodiscard]] int alive() const { return alive_; }
    /// From now on nothing can be written, or nothing finished.
    void refuse(bool refuse) { refusing_ = refuse; }
    void fail_to_finish(bool fail) { failing_ = fail; }
    /// From now on nothing new is taken.
    void fail_to_open(bool fail) { taking_none_ = fail; }
    /// From now on no copy can be begun. refuse() does not keep copies from being begun.
    void refuse_copies(bool refuse) { refusing_copies_ = refuse; }
    [[nodiscard]] std::size_t copy_tries() const { return copy_tries_; }
    /// Larger objects can never be held.
    void hold_at_most(std::uint64_t bytes) { most_ = bytes; }
    /// Called before each write, with its size, on the thread that writes.
    void before_write(std::function<void(std::size_t bytes)> hook) {
        const std::lock_guard lock(mutex_);
        before_write_ = std::move(hook);
    }
    [[nodiscard]] std::size_t writers() const { return writers_; }
    /// Bytes of all writers, one after another.
    [[nodiscard]] std::string written() const {
        const std::lock_guard lock(mutex_);
        return written_;
    }
    /// From now on writers wait in write(), as on a disk that hangs, until they may go on.
    void hang(bool hang) {
        hanging_ = hang;
        hanging_.notify_all();
    }
    [[nodiscard]] std::vector<std::uint64_t> fillers() const {
        const std::lock_guard lock(mutex_);
        return fillers_;
    }
    void pending(std::vector<std::shared_ptr<const store::SourceFile>> files) { pending_ = std::move(files); }
    /// Waits until so many files were prepared.
    std::vector<Prepared> wait_for_prepared(std::size_t count) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, guard, [&] { return prepared_.size() >= count; })) {
            throw std::runtime_error("the files are not prepared");
        }
        return prepared_;
    }

    void set_listener(store::ObjectListener*) override {}
    [[nodiscard]] model::Result<std::unique_ptr<store::ObjectWriter>> writer() override {
        if (refusing_ || taking_none_) {
            return model::Error{"full"};
        }
        ++writers_;
        return std::unique_ptr<store::ObjectWriter>(std::make_unique<Writer>(*this));
    }
    [[nodiscard]] model::Result<std::unique_ptr<store::ObjectWriter>> copy_writer(std::uint64_t /*size*/) override {
        ++copy_tries_;
        if (refusing_copies_) {
            return model::Error{"full"};
        }
        ++writers_;
        return std::unique_ptr<store::ObjectWriter>(std::make_unique<Writer>(*this));
    }
    [[nodiscard]] bool fits(std::uint64_t size) const override { return size <= most_; }
    [[nodiscard]] model::Result<std::unique_ptr<store::ObjectReader>> open(const store::SealedObject&) const override {
        return model::Error{"not part of these tests"};
    }
    [[nodiscard]] model::Status write_filler(std::uint64_t bytes) override {
        if (refusing_ || failing_) {
            return model::Error{"full"};
        }
        const std::lock_guard lock(mutex_);
        fillers_.push_back(bytes);
        return {};
    }
    [[nodiscard]] model::Result<std::vector<std::shared_ptr<const store::SourceFile>>> pending_files() override {
        return pending_;
    }
    void prepared(const model::Uuid& file, std::shared_ptr<const store::SealedObject> copy, model::ObjectLoss loss,
                  Done done) override {
        {
            const std::lock_guard lock(mutex_);
            prepared_.push_back({file, std::move(copy), loss});
            changed_.notify_all();
        }
        done(store::Outcome::committed);
    }
    void stamp(store::RowId, model::Instant, Done) override {}
    void pushed(const model::Uuid&, Done) override {}
    void refused(const model::Uuid&, store::Refusal, Done) override {}
    void fetched(store::Fetch, Done) override {}

  private:
    class Writer : public store::ObjectWriter {
      public:
        explicit Writer(FakeObjects& objects) : objects_(objects) { ++objects_.open_writers_; }
        Writer(const Writer&) = delete;
        Writer& operator=(const Writer&) = delete;
        ~Writer() override { --objects_.open_writers_; }
        [[nodiscard]] model::Status write(std::span<const char> bytes) override {
            std::function<void(std::size_t)> hook;
            {
                const std::lock_guard lock(objects_.mutex_);
                hook = objects_.before_write_;
            }
            if (hook) {
                hook(bytes.size());
            }
            objects_.hanging_.wait(true);
            if (objects_.refusing_) {
                return model::Error{"full"};
            }
            {
                const std::lock_guard lock(objects_.mutex_);
                objects_.written_.append(bytes.data(), bytes.size());
            }
            bytes_.append(bytes.data(), bytes.size());
            digest_.update(bytes);
            return {};
        }
        [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
        [[nodiscard]] model::Result<std::shared_ptr<const store::SealedObject>> finish() override {
            if (objects_.failing_) {
                return model::Error{"full"};
            }
            return std::shared_ptr<const store::SealedObject>(
                std::make_shared<Sealed>(std::move(bytes_), digest_.finish(), objects_.alive_));
        }

      private:
        FakeObjects& objects_;
        std::string bytes_;
        store::Sha256Digest digest_;
    };

    std::atomic<bool> hanging_{false};
    std::atomic<bool> refusing_{false};
    std::atomic<bool> failing_{false};
    std::atomic<bool> taking_none_{false};
    std::atomic<bool> refusing_copies_{false};
    std::atomic<std::size_t> copy_tries_{0};
    std::atomic<std::uint64_t> most_{UINT64_MAX};
    std::atomic<int> open_writers_{0};
    std::atomic<int> alive_{0};
    std::atomic<std::size_t> writers_{0};
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::function<void(std::size_t)> before_write_;
    std::string written_;
    std::vector<std::uint64_t> fillers_;
    std::vector<std::shared_ptr<const store::SourceFile>> pending_;
    std::vector<Prepared> prepared_;
};

/// The bytes of an object that FakeObjects sealed.
inline std::string bytes_of(const std::shared_ptr<const store::SealedObject>& object) {
    return dynamic_cast<const FakeObjects::Sealed&>(*object).bytes();
}

/// A store in memory that commits, fails or holds back what it is given.
class FakeStore : public store::Store {
  public:
    enum class Mode : std::uint8_t { commit, fail, hold };

    void mode(Mode mode) {
        const std::lock_guard lock(mutex_);
        mode_ = mode;
    }
    void accept(bool accepting) { accepting_ = accepting; }
    /// Groups after the first `count` fail.
    void fail_after(std::size_t count) {
        const std::lock_guard lock(mutex_);
        good_groups_ = count;
    }

    /// Waits until so many groups were submitted.
    void wait_for_groups(std::size_t count) {
        std::unique_lock lock(mutex_);
        if (!changed_.wait_for(lock, guard, [&] { return groups_.size() >= count; })) {
            throw std::runtime_error("the groups do not come");
        }
    }
    /// Ends what was held back, and commits from now on.
    void release() {
        std::vector<Done> held;
        {
            const std::lock_guard lock(mutex_);
            mode_ = Mode::commit;
            held.swap(held_);
        }
        for (const Done& done : held) {
            done(store::Outcome::committed);
        }
    }
    [[nodiscard]] std::vector<std::vector<store::NewItem>> groups() const {
        const std::lock_guard lock(mutex_);
        return groups_;
    }
    [[nodiscard]] std::vector<store::NewItem> items() const {
        std::vector<store::NewItem> all;
        for (const auto& group : groups()) {
            all.insert(all.end(), group.begin(), group.end());
        }
        return all;
    }

    void submit(std::vector<store::NewItem> items, Done done) override {
        store::Outcome outcome{};
        {
            const std::lock_guard lock(mutex_);
            groups_.push_back(std::move(items));
            changed_.notify_all();
            if (mode_ == Mode::hold) {
                held_.push_back(std::move(done));
                return;
            }
            const bool good = mode_ == Mode::commit && groups_.size() <= good_groups_;
            outcome = good ? store::Outcome::committed : store::Outcome::failed;
        }
        done(outcome);
    }
    [[nodiscard]] bool accepting() const override { return accepting_; }
    [[nodiscard]] store::Hash128 keyed_hash(std::span<const std::string_view> parts) const override {
        std::string joined;
        for (const std::string_view part : parts) {
            joined += std::to_string(part.size()) + ':' + std::string(part);
        }
        store::Hash128 hash{};
        for (std::size_t i = 0; i < 2; ++i) {
            const std::size_t half = std::hash<std::string>{}(joined + std::to_string(i));
            std::memcpy(hash.data() + 8 * i, &half, 8);
        }
        return hash;
    }

    void stop() override {}
    void set_listener(store::Listener*) override {}
    void set_commit_observer(std::function<void(double)>) override {}
    void set_limits(std::uint64_t, std::chrono::seconds) override {}
    [[nodiscard]] model::Result<std::unique_ptr<store::Reader>> reader() const override { return unused(); }
    [[nodiscard]] model::Result<store::LaneId> lane(std::string_view, std::string_view) override { return unused(); }
    [[nodiscard]] model::Result<std::vector<store::LaneId>> lanes(
        std::span<const std::pair<std::string, std::string>>) override {
        return unused();
    }
    [[nodiscard]] model::Result<store::ProfileId> profile(const model::Profile&) override { return unused(); }
    [[nodiscard]] std::shared_ptr<const store::Lane> find_lane(store::LaneId) const override { return nullptr; }
    [[nodiscard]] std::shared_ptr<const model::Profile> find_profile(store::ProfileId) const override {
        return nullptr;
    }
    void accepted(std::vector<store::Acceptance>, Done) override {}
    void refused(store::RowId, store::Refusal, Done) override {}
    void retry(std::vector<model::Uuid>, std::string, DoneCount) override {}
    void retry_all(std::string, std::optional<std::uint64_t>, std::string, DoneCount) override {}
    void reject(std::vector<model::Uuid>, std::string, std::string, DoneCount) override {}
    [[nodiscard]] model::Result<std::vector<store::StoredWarrant>> warrants() override { return unused(); }
    [[nodiscard]] model::Status change_warrants(const store::WarrantChanges&) override { return unused(); }
    [[nodiscard]] FakeObjects& objects() override { return objects_; }
    [[nodiscard]] store::Statistics statistics() const override { return {}; }

  private:
    static model::Error unused() { return {"not part of these tests"}; }

    FakeObjects objects_;  // holds on longer than the items, which hold its objects
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    Mode mode_ = Mode::commit;
    std::size_t good_groups_ = SIZE_MAX;
    std::atomic<bool> accepting_{true};
    std::vector<std::vector<store::NewItem>> groups_;
    std::vector<Done> held_;
};

/// A warrant for one user id, all of 2026.
inline warrants::Warrant warrant(std::string liid, const std::string& user_id) {
    warrants::Warrant made;
    made.liid = std::move(liid);
    made.destination = "lea-one";
    made.valid_from = {1'767'225'600, 0};
    made.valid_until = {1'798'761'600, 0};
    made.targets.push_back({model::IdentifierType::user_id, user_id, {}, {}, {}});
    made.deliver = {.metadata = true, .content = true, .binary = false, .location = true};
    return made;
}

/// How the objects of the warrants in these tests reach their LEA.
inline std::shared_ptr<const BinaryRoute> binary_route() {
    return std::make_shared<const BinaryRoute>(BinaryRoute{.model = model::BinaryModel::b,
                                                           .url_prefix = "https://lea.example.com/binaryData/",
                                                           .url_suffix = "/x",
                                                           .lifetime = std::chrono::hours(72),
                                                           .remove_when_fetched = false});
}

/// A snapshot of these warrants, with lane 100 + n and profile 7 for warrant n in the order of the index.
inline std::shared_ptr<Snapshot> snapshot(const std::vector<warrants::Warrant>& all) {
    std::vector<warrants::WarrantPtr> shared;
    for (const warrants::Warrant& each : all) {
        shared.push_back(std::make_shared<const warrants::Warrant>(each));
    }
    auto made = std::make_shared<Snapshot>();
    made->index = std::make_shared<const warrants::Index>(std::move(shared));
    for (std::size_t i = 0; i < all.size(); ++i) {
        made->routes.push_back({static_cast<store::LaneId>(100 + i), 7, store::SchemaContent::first,
                                all[i].deliver.binary ? binary_route() : nullptr});
    }
    return made;
}

/// The JSON of an event of one sender. `rest` begins with a comma.
inline std::string event(const std::string& id, const std::string& user, const std::string& rest = {}) {
    return R"({"event_id":")" + id + R"(","service":"examplechat","event_type":"message","sender":{"identifiers":[)" +
           R"({"type":"user_id","value":")" + user + R"("}]})" + rest + '}';
}

struct Answer {
    int status = 0;
    std::string head;  ///< without the Date field
    std::string body;

    [[nodiscard]] std::string field(std::string_view name) const {
        const std::string wanted = "\r\n" + std::string(name) + ": ";
        const auto at = head.find(wanted);
        if (at == std::string::npos) {
            return "(none)";
        }
        const auto from = at + wanted.size();
        return head.substr(from, head.find("\r\n", from) - from);
    }
};

/// One connection to a Unix socket, blocking.
class Client {
  public:
    explicit Client(const std::string& path) : descriptor_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof address.sun_path - 1);
        // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): what the system call wants
        if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            throw std::runtime_error("cannot connect");
        }
        const timeval limit{guard.count(), 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;
    ~Client() { ::close(descriptor_); }

    void send(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent <= 0) {
                return;  // refused early: the answer is there to be read
            }
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
    }
    Answer put(std::string_view path, std::string_view body, std::string_view fields = {}) {
        send("PUT " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
             std::to_string(body.size()) + "\r\n" + std::string(fields) + "\r\n");
        send(body);
        return read();
    }
    void send_post(std::string_view type, std::string_view body, std::string_view fields = {}) {
        send("POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: " + std::string(type) +
             "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(fields) + "\r\n");
        send(body);
    }
    Answer post(std::string_view type, std::string_view body, std::string_view fields = {}) {
        send_post(type, body, fields);
        return read();
    }
    Answer json(std::string_view body) { return post("application/json", body); }
    Answer ndjson(std::string_view body) { return post("application/x-ndjson", body); }

    Answer read() {
        while (buffer_.find("\r\n\r\n") == std::string::npos) {
            fill();
        }
        Answer answer;
        const auto end = buffer_.find("\r\n\r\n");
        answer.head = buffer_.substr(0, end + 2);
        buffer_.erase(0, end + 4);
        answer.status = std::stoi(answer.head.substr(9, 3));
        const auto date = answer.head.find("\r\nDate: ");
        if (date != std::string::npos) {
            answer.head.erase(date, answer.head.find("\r\n", date + 2) - date);
        }
        const std::string length = answer.field("Content-Length");
        const std::size_t size = length == "(none)" ? 0 : std::stoul(length);
        while (buffer_.size() < size) {
            fill();
        }
        answer.body = buffer_.substr(0, size);
        buffer_.erase(0, size);
        return answer;
    }
    /// Whether something can be read at once.
    [[nodiscard]] bool readable() const {
        pollfd waiting{descriptor_, POLLIN, 0};
        return !buffer_.empty() || ::poll(&waiting, 1, 0) > 0;
    }

  private:
    void fill() {
        std::array<char, 16384> bytes{};
        const auto got = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
        if (got <= 0) {
            throw std::runtime_error("no whole answer");
        }
        buffer_.append(bytes.data(), static_cast<std::size_t>(got));
    }

    int descriptor_;
    std::string buffer_;
};

}  // namespace lihandover::intake::testing
