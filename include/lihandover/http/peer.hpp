#pragma once

#include <sys/types.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "lihandover/tls/context.hpp"

namespace lihandover::http {

/// The other end of a connection.
struct Peer {
    /// Set on TLS listeners; of a pre-shared key where one was used.
    std::optional<tls::PeerIdentity> certificate;
    /// Set on Unix sockets: the user as the kernel vouches at connect time (SO_PEERCRED).
    struct Process {
        uid_t uid = 0;
        gid_t gid = 0;
        pid_t pid = 0;
        std::vector<gid_t> groups;  ///< supplementary ones (SO_PEERGROUPS)

        [[nodiscard]] bool is_in(gid_t group) const {
            return gid == group || std::find(groups.begin(), groups.end(), group) != groups.end();
        }
    };
    std::optional<Process> process;
    /// `192.0.2.1:4711`, `[::1]:4711`, or empty on Unix sockets.
    std::string address;
};

}  // namespace lihandover::http
