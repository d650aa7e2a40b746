#include "accept_socket.hpp"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "lihandover/http/server.hpp"

namespace lihandover::http {
namespace {

namespace asio = boost::asio;

constexpr int backlog = 4096;  // the kernel cuts it to net.core.somaxconn
constexpr std::string_view unix_prefix = "unix:";

model::Error error_of(const std::string& where, std::string_view what, int number = 0) {
    std::string message = where;
    message += ": ";
    message += what;
    if (number != 0) {
        std::array<char, 128> buffer{};
        message += ": ";
        message += strerror_r(number, buffer.data(), buffer.size());
    }
    return {std::move(message)};
}

/// `127.0.0.1:80` or `[::1]:80`.
std::optional<asio::ip::tcp::endpoint> parse_endpoint(std::string_view text) {
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view host = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    if (bracketed) {
        host = host.substr(1, host.size() - 2);
    }
    std::uint16_t port = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    boost::system::error_code error;
    const auto address = asio::ip::make_address(std::string{host}, error);
    if (error || address.is_v6() != bracketed || digits.empty() || parsed.ec != std::errc{} ||
        parsed.ptr != digits.data() + digits.size()) {
        return std::nullopt;
    }
    return asio::ip::tcp::endpoint{address, port};
}

bool fill_address(sockaddr_un& address, const std::string& path) {
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        return false;
    }
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    return true;
}

const sockaddr* generic(const sockaddr_un& address) {
    return reinterpret_cast<const sockaddr*>(&address);
}

/// Makes room for our socket: a stale one is removed, anything else is an error.
model::Status remove_stale(const std::string& path, const sockaddr_un& address) {
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) {
        return errno == ENOENT ? model::Status{} : model::Status{error_of(path, "cannot be looked at", errno)};
    }
    if (!S_ISSOCK(status.st_mode)) {
        return error_of(path, "exists and is not a socket; it is left alone");
    }
    // Non-blocking: a live socket whose queue is full would hold us up.
    const int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (probe < 0) {
        return error_of(path, "no socket to be had", errno);
    }
    const int connected = connect(probe, generic(address), sizeof address);
    const int number = connected == 0 ? 0 : errno;
    ::close(probe);
    if (number == 0 || number == EAGAIN) {
        return error_of(path, "another process listens on this socket");
    }
    if (number != ECONNREFUSED && number != ENOENT) {
        return error_of(path, "cannot tell whether another process listens on this socket", number);
    }
    if (unlink(path.c_str()) != 0 && errno != ENOENT) {
        return error_of(path, "the stale socket cannot be removed", errno);
    }
    return {};
}

}  // namespace

AcceptSocket& AcceptSocket::operator=(AcceptSocket&& other) noexcept {
    if (this != &other) {
        close();
        descriptor_ = std::move(other.descriptor_);
        family_ = other.family_;
        address_ = std::move(other.address_);
        port_ = other.port_;
        path_ = std::move(other.path_);
        device_ = other.device_;
        inode_ = other.inode_;
    }
    return *this;
}

AcceptSocket::~AcceptSocket() {
    close();
}

void AcceptSocket::close() {
    if (!descriptor_) {
        return;
    }
    if (is_unix()) {
        // Somebody may have put another socket there; we must not remove that one.
        struct stat status {};
        if (lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_) {
            unlink(path_.c_str());
        }
    }
    descriptor_.reset();
}

model::Result<AcceptSocket> AcceptSocket::open(const std::string& where, unsigned mode, const std::string& group) {
    if (where.starts_with(unix_prefix)) {
        return open_unix(where.substr(unix_prefix.size()), mode, group);
    }
    return open_tcp(where);
}

model::Result<AcceptSocket> AcceptSocket::open_tcp(const std::string& where) {
    const auto endpoint = parse_endpoint(where);
    if (!endpoint) {
        return error_of(where, "not an address to listen on; allowed are 127.0.0.1:8080, [::1]:8080 and unix:/path");
    }
    AcceptSocket made;
    made.family_ = endpoint->protocol().family();
    made.descriptor_.reset(socket(made.family_, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made.descriptor_) {
        return error_of(where, "no socket to be had", errno);
    }
    const int on = 1;
    setsockopt(made.descriptor_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(made.descriptor_.get(), endpoint->data(), static_cast<socklen_t>(endpoint->size())) != 0) {
        return error_of(where, "cannot be listened on", errno);
    }
    if (::listen(made.descriptor_.get(), backlog) != 0) {
        return error_of(where, "cannot be listened on", errno);
    }
    asio::ip::tcp::endpoint bound;
    auto size = static_cast<socklen_t>(bound.capacity());
    if (getsockname(made.descriptor_.get(), bound.data(), &size) != 0) {
        return error_of(where, "its port cannot be found out", errno);
    }
    bound.resize(size);
    made.port_ = bound.port();
    made.address_ = where.substr(0, where.rfind(':') + 1) + std::to_string(made.port_);
    return made;
}

model::Result<AcceptSocket> AcceptSocket::open_unix(const std::string& path, unsigned mode, const std::string& group) {
    sockaddr_un address{};
    if (!fill_address(address, path)) {
        return error_of(path, "not a path for a Unix socket; allowed are 1 to 107 bytes");
    }
    if (auto status = remove_stale(path, address); !status) {
        return status.error();
    }
    AcceptSocket made;
    made.family_ = AF_UNIX;
    made.descriptor_.reset(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!made.descriptor_) {
        return error_of(path, "no socket to be had", errno);
    }
    if (bind(made.descriptor_.get(), generic(address), sizeof address) != 0) {
        return error_of(path, "cannot be listened on", errno);
    }
    struct stat status {};
    if (lstat(path.c_str(), &status) != 0) {
        return error_of(path, "vanished while it was made", errno);
    }
    made.path_ = path;
    made.device_ = status.st_dev;
    made.inode_ = status.st_ino;
    made.address_ = std::string{unix_prefix} + path;
    // Nobody can connect before listen(), so there is no moment with wider permissions.
    if (!group.empty()) {
        const auto gid = group_id(group);
        if (!gid) {
            return error_of(path, "there is no group \"" + group + "\" for the socket");
        }
        if (chown(path.c_str(), static_cast<uid_t>(-1), *gid) != 0) {
            return error_of(path, "cannot be given to group \"" + group + "\"", errno);
        }
    }
    if (chmod(path.c_str(), static_cast<mode_t>(mode & 0777U)) != 0) {
        return error_of(path, "cannot be given its mode", errno);
    }
    if (::listen(made.descriptor_.get(), backlog) != 0) {
        return error_of(path, "cannot be listened on", errno);
    }
    return made;
}

}  // namespace lihandover::http
