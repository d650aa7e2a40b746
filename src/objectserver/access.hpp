#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/result.hpp"
#include "lihandover/model/time.hpp"
#include "lihandover/model/uuid.hpp"
#include "lihandover/store/objects.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::objectserver {

/// The path and query of a request's target, without the scheme and host of the absolute form (RFC 9112 3.2.2).
[[nodiscard]] std::string_view origin_form(std::string_view target);

/// The UUID that ends a path as in our URLs: in lower case, after a slash or whatever else the configured prefix ends
/// with. nullopt for anything else.
[[nodiscard]] std::optional<model::Uuid> object_id_of(std::string_view origin);

/// Which certificates and pre-shared keys may fetch what. Immutable.
class AccessList {
  public:
    /// `destinations`: by name, as in Settings::certificates. `clients`: those that may talk
    /// to this listener at all (config::ServerTls::clients); empty: all. Errors: what is not a fingerprint.
    [[nodiscard]] static model::Result<AccessList> make(
        const std::map<std::string, std::vector<std::string>, std::less<>>& destinations,
        const std::vector<std::string>& clients);

    /// How many destinations there are.
    [[nodiscard]] std::size_t destinations() const { return destinations_.size(); }

    /// Whether the certificate or key is one of the destination's. Compares with every fingerprint, whatever the
    /// answer, and takes the same time for each.
    [[nodiscard]] bool allows(std::string_view destination, const tls::PeerIdentity& peer) const;

  private:
    using Digest = std::array<std::uint8_t, 32>;
    /// What the digest is of.
    enum class Of : std::uint8_t { certificate, public_key, identity };
    struct Entry {
        Digest digest{};
        Of of = Of::certificate;
        std::size_t destination = 0;  ///< listener_entry: of the listener
    };

    static model::Result<Entry> entry_of(std::string_view text, std::size_t destination);
    static std::optional<Digest> digest_of(std::string_view hex);

    std::vector<Entry> entries_;
    std::map<std::string, std::size_t, std::less<>> destinations_;
    bool all_may_talk_ = true;
};

/// Whether the object is on offer at `now` by its own state: its item was sent once (which sets the expiry), it has not
/// expired, and its bytes are here, as far as can be known now.
[[nodiscard]] bool is_offered(const store::StoredObject& object, model::Instant now);

}  // namespace lihandover::objectserver
