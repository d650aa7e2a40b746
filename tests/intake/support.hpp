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
#include "lihandover/warrants/index.hpp"
#include "test_store.hpp"

namespace lihandover::intake::testing {

/// Nothing in these tests takes near so long; it keeps a broken one from hanging.
constexpr std::chrono::seconds guard{30};

inline constexpr model::Instant noon{1'769'083'200, 250'000'000};  // 2026-01-22T12:00:00.25Z

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

/// A warrant that tasks feed.
inline warrants::Warrant fed(std::string liid, std::vector<model::Uuid> xids) {
    auto made = warrant(std::move(liid), "");
    made.targets.clear();
    made.xids = std::move(xids);
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
        made->routes.push_back({TestStore::first_lane + static_cast<store::LaneId>(i), TestStore::profile,
                                store::SchemaContent::first, all[i].deliver.binary ? binary_route() : nullptr});
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
