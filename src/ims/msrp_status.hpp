#pragma once

#include <cstdint>
#include <optional>

#include "copy_note.hpp"
#include "lihandover/ims/msrp.hpp"
#include "msrp_ends.hpp"
#include "msrp_messages.hpp"
#include "take.hpp"

namespace lihandover::ims {

/// What became of messages of MSRP sessions: responses that refuse them, and REPORTs (RFC 4975 7).
class MsrpStatus {
  public:
    MsrpStatus(Owners& owners, Dialogs& dialogs, SentMessages& sent)
        : owners_(owners), dialogs_(dialogs), sent_(sent) {}

    /// A request, so that its response is known when it comes; or has come.
    ///   keep   a message as a whole: it is kept until it is answered, so that the answer is known after a restart
    void note_request(const Take& take, const MsrpFrame& frame, const FramePlace& place, bool keep);
    void take_response(const Take& take, const MsrpFrame& frame, const FramePlace& place);
    void take_report(const Take& take, const MsrpFrame& frame);

    void expire(const Take& take);
    [[nodiscard]] std::optional<SteadyTime> due() const;

  private:
    struct Transaction {
        TableKey message;
        Digest event{};  ///< of the message, unless another went out by its name
        std::uint64_t from = 0;
        std::uint64_t owner = 0;  ///< of its copy; 0: it is not kept
        bool send = false;
    };
    /// A refusal whose SEND has not come.
    struct Early {
        CopyNote note;
        std::string from;
        std::string to;
        unsigned status = 0;
        std::uint64_t owner = 0;
    };
    void add_failure(const Take& take, const Copy& copy, const FramePaths& paths, unsigned status,
                     const Transaction* transaction);

    void let_go(const Take& take, Transaction& transaction);
    void let_go_oldest(const Take& take);

    Owners& owners_;
    Dialogs& dialogs_;
    SentMessages& sent_;
    AgedTable<Transaction> transactions_;
    struct Kept {
        TableKey transaction;
        std::uint64_t owner = 0;
    };
    AgedList<Kept> kept_;  ///< by when they were sent; some are let go by now
    AgedTable<Early> early_;
};

}  // namespace lihandover::ims
