#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "lihandover/config/configuration.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::admin {

/// One of the people that admin.console.people lists, as the certificate of a connection proves.
struct Person {
    std::string subject;
    std::string certificate_sha256;
    bool review = false;
    bool operate = false;

    /// For the records: whoever reads them later can tell by which of several certificates of one subject it was.
    [[nodiscard]] std::string who() const { return subject + " sha256:" + certificate_sha256; }
    /// What tells two people apart: two certificates of one subject are one person.
    [[nodiscard]] store::Reviewer reviewer() const { return {"certificate:" + subject, who()}; }
};

/// Who a connection's peer is; nullopt: nobody that is listed, or with a certificate that has ended by now, which a
/// connection may outlive.
[[nodiscard]] std::optional<Person> person_of(const http::Peer& peer, const config::Console& console,
                                              model::Instant now);

/// Tokens that prove that a form came from a page of ours which the same certificate was shown: HMAC-SHA256 under a key
/// of this process. There is nothing to be stored, and no cookie.
class FormTokens {
  public:
    FormTokens();
    FormTokens(const FormTokens&) = delete;
    FormTokens& operator=(const FormTokens&) = delete;
    ~FormTokens();

    [[nodiscard]] std::string token_for(const Person& person) const;
    /// Takes as long whatever is wrong with it.
    [[nodiscard]] bool is_for(const Person& person, std::string_view token) const;

  private:
    std::array<std::uint8_t, 32> key_{};
};

/// Why a request is refused before anything of it is looked at.
struct Refused {
    unsigned status = 403;
    std::string_view sentence;
};

/// What its head says of where a request comes from.
///   names_us  whether our certificate names a host: a page under another name, which somebody has made lead here, is
///             not ours (DNS rebinding)
[[nodiscard]] std::optional<Refused> refusal_of_origin(const http::Exchange& exchange,
                                                       const std::function<bool(const std::string&)>& names_us);

}  // namespace lihandover::admin
