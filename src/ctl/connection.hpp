#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace lihandover::ctl {

/// What the daemon answered, or why there is no answer.
struct Answer {
    unsigned status = 0;  ///< 0: no answer; `failure` says why
    std::string body;
    std::string failure;
    bool denied = false;  ///< there is no answer because this user may not ask
    [[nodiscard]] bool ok() const { return status == 200; }
};

/// The daemon's control socket. Each call is one connection, one request, one answer.
class Connection {
  public:
    explicit Connection(std::string socket_path) : path_(std::move(socket_path)) {}

    /// `target` is a path with its query. `timeout` bounds each wait for the daemon.
    [[nodiscard]] Answer get(const std::string& target) const;
    [[nodiscard]] Answer post(const std::string& target, std::string_view body, std::chrono::seconds timeout) const;

  private:
    [[nodiscard]] Answer request(const std::string& bytes, std::chrono::seconds timeout) const;
    std::string path_;
};

}  // namespace lihandover::ctl
