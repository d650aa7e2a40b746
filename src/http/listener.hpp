#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "lihandover/model/result.hpp"

namespace lihandover::http {

/// A listening socket. Move-only; closes, and removes a Unix socket that is still the one it made.
class Listener {
  public:
    /// As ServerOptions::listen, unix_mode and unix_group say.
    [[nodiscard]] static model::Result<Listener> open(const std::string& where, unsigned mode,
                                                      const std::string& group);

    Listener(Listener&& other) noexcept;
    Listener& operator=(Listener&& other) noexcept;
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    ~Listener();

    [[nodiscard]] int descriptor() const { return descriptor_; }
    [[nodiscard]] bool is_unix() const { return !path_.empty(); }
    [[nodiscard]] int family() const { return family_; }
    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    void close();

  private:
    Listener() = default;
    static model::Result<Listener> open_tcp(const std::string& where);
    static model::Result<Listener> open_unix(const std::string& path, unsigned mode, const std::string& group);

    int descriptor_ = -1;
    int family_ = 0;
    std::string address_;
    std::uint16_t port_ = 0;
    std::string path_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

}  // namespace lihandover::http
