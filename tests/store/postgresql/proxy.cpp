#include "proxy.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

namespace lihandover::store::test {

namespace {

constexpr const char* socket_name = ".s.PGSQL.5432";
constexpr int look_ms = 20;

sockaddr_un address_of(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    return address;
}

const sockaddr* raw(const sockaddr_un& address) {
    return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

bool send_all(int to, std::string_view bytes) {
    while (!bytes.empty()) {
        const ssize_t sent = send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

/// Counts messages of one type in what a server says, in whatever pieces it comes.
class Messages {
  public:
    [[nodiscard]] int count(std::string_view bytes, char wanted) {
        int found = 0;
        pending_ += bytes;
        while (pending_.size() >= 5) {
            std::size_t length = 0;
            for (std::size_t i = 1; i < 5; ++i) {
                length = length << 8U | static_cast<unsigned char>(pending_[i]);
            }
            if (pending_.size() < 1 + length) {
                break;
            }
            found += pending_[0] == wanted ? 1 : 0;
            pending_.erase(0, 1 + length);
        }
        return found;
    }

  private:
    std::string pending_;
};

/// What the server says of a commit that it made.
constexpr std::string_view committed("COMMIT", 7);

}  // namespace

Proxy::Proxy(std::filesystem::path server) : server_(std::move(server) / socket_name) {
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_un address = address_of(directory_.path() / socket_name);
    if (bind(listener_, raw(address), sizeof address) != 0 || listen(listener_, 16) != 0) {
        throw std::runtime_error("the proxy cannot listen");
    }
    accepting_ = std::thread([this] { accept(); });
}

Proxy::~Proxy() {
    ending_ = true;
    accepting_.join();
    for (std::thread& thread : forwarding_) {
        thread.join();
    }
    ::close(listener_);
}

void Proxy::accept() {
    while (!ending_) {
        pollfd waiting{listener_, POLLIN, 0};
        if (poll(&waiting, 1, look_ms) <= 0) {
            continue;
        }
        const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        const int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const sockaddr_un address = address_of(server_);
        if (closed_ || connect(server, raw(address), sizeof address) != 0) {
            ::close(client);
            ::close(server);
            continue;
        }
        forwarding_.emplace_back([this, client, server] { forward(client, server); });
    }
}

void Proxy::forward(int client, int server) {
    std::array<char, 65'536> buffer{};
    Messages said;
    Loss losing = Loss::none;
    int answers = 0;  // since then
    const bool hanging = hang_;
    bool counted = false;
    bool let_in = false;
    while (!ending_ && !closed_) {
        std::array<pollfd, 2> waiting{{{client, POLLIN, 0}, {server, POLLIN, 0}}};
        if (poll(waiting.data(), waiting.size(), look_ms) <= 0) {
            continue;
        }
        if (waiting[0].revents != 0) {
            const ssize_t size = recv(client, buffer.data(), buffer.size(), 0);
            if (size <= 0) {
                break;
            }
            if (hanging && let_in) {
                hanging_ += std::exchange(counted, true) ? 0 : 1;
                continue;
            }
            if (losing == Loss::none) {
                losing = loss_.exchange(Loss::none);
            }
            if (losing == Loss::request && answers == 1) {
                break;
            }
            if (!send_all(server, {buffer.data(), static_cast<std::size_t>(size)})) {
                break;
            }
        }
        if (waiting[1].revents != 0) {
            const ssize_t size = recv(server, buffer.data(), buffer.size(), 0);
            if (size <= 0) {
                break;
            }
            const std::string_view bytes(buffer.data(), static_cast<std::size_t>(size));
            const int ends = said.count(bytes, 'Z');
            let_in = let_in || ends > 0;
            if (losing == Loss::answer && bytes.find(committed) != std::string_view::npos) {
                break;
            }
            answers += losing == Loss::none ? 0 : ends;
            if (!send_all(client, bytes)) {
                break;
            }
        }
    }
    ::close(client);
    ::close(server);
}

}  // namespace lihandover::store::test
