#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "copy_note.hpp"
#include "identities.hpp"
#include "lihandover/ims/sip.hpp"
#include "notifications.hpp"
#include "owners.hpp"
#include "take.hpp"

namespace lihandover::ims {

/// Page-mode messages (RFC 3428; TS 24.247 5) and their answers.
///
/// What a request is to itself are its Call-ID, CSeq and From tag: a retransmission, another hop and a branch of a fork
/// are the same. An answer may overtake its request, and a branch of a fork may fail while another one gets through, so
/// that a failure may have to wait.
class PageMessages {
  public:
    explicit PageMessages(Owners& owners) : owners_(owners) {}

    void take_request(const Take& take, const SipMessage& request, ImdnIds& ids);
    void take_answer(const Take& take, const SipMessage& answer);

    /// Failures whose wait is over.
    ///   take   of no copy
    void expire(const Take& take);
    [[nodiscard]] std::optional<SteadyTime> due() const;

  private:
    struct Request {
        std::uint64_t body = 0;  ///< tells another body from the same one
        std::uint64_t branch = 0;
        Digest event{};
        Identities sender;
        Identities receiver;
        unsigned failed = 0;  ///< with this status, as was said
        bool is_message = false;
        bool forked = false;    ///< came with other branches, too
        bool answered = false;  ///< with 2xx
    };
    /// A failure that waits: for its request, or for what other branches get.
    struct Failure {
        CopyNote note;
        unsigned status = 0;
        Digest event{};
        Identities sender;
        Identities receiver;
        std::uint64_t owner = 0;
    };

    void add_failure(const Take& take, const Copy& copy, const Failure& failure);
    void let_wait(const Take& take, const TableKey& key, Failure failure);
    void let_go(const Take& take, const TableKey& key);
    void give_up_waiting(const Take& take, const TableKey& key);

    Owners& owners_;
    AgedTable<Request> requests_;
    AgedTable<Failure> waiting_;
};

}  // namespace lihandover::ims
