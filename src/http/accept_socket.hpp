#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "lihandover/base/descriptor.hpp"
#include "lihandover/model/result.hpp"

namespace lihandover::http {

/// A listening socket. Move-only; closes, and removes a Unix socket if it is still the one it made.
class AcceptSocket {
  public:
    /// As ServerOptions::listen, unix_mode and unix_group say.
    [[nodiscard]] static model::Result<AcceptSocket> open(const std::string& where, unsigned mode,
                                                          const std::string& group);

    AcceptSocket(AcceptSocket&& other) noexcept = default;
    AcceptSocket& operator=(AcceptSocket&& other) noexcept;
    AcceptSocket(const AcceptSocket&) = delete;
    AcceptSocket& operator=(const AcceptSocket&) = delete;
    ~AcceptSocket();

    [[nodiscard]] int descriptor() const { return descriptor_.get(); }
    [[nodiscard]] bool is_unix() const { return !path_.empty(); }
    [[nodiscard]] int family() const { return family_; }
    [[nodiscard]] const std::string& address() const { return address_; }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    void close();

  private:
    AcceptSocket() = default;
    static model::Result<AcceptSocket> open_tcp(const std::string& where);
    static model::Result<AcceptSocket> open_unix(const std::string& path, unsigned mode, const std::string& group);

    base::Descriptor descriptor_;
    int family_ = 0;
    std::string address_;
    std::uint16_t port_ = 0;
    std::string path_;
    dev_t device_ = 0;
    ino_t inode_ = 0;
};

}  // namespace lihandover::http
