#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "copy_note.hpp"
#include "hop_memory.hpp"
#include "lihandover/ims/assembly.hpp"
#include "lihandover/ims/msrp.hpp"
#include "lihandover/model/result.hpp"
#include "msrp_ends.hpp"
#include "msrp_streams.hpp"
#include "notifications.hpp"
#include "owners.hpp"
#include "spooled_content.hpp"
#include "take.hpp"

namespace lihandover::ims {

/// What is known of messages that have gone out, for what is said about them later.
class SentMessages {
  public:
    struct Sent {
        Digest event{};
        bool is_message = true;  ///< not a notification, or that somebody is typing
    };
    [[nodiscard]] const Sent* find(const TableKey& message) { return table_.find(message); }
    void add(const TableKey& message, const Sent& sent, SteadyTime now);

    static constexpr std::size_t most = 131'072;

  private:
    AgedTable<Sent> table_;
};

/// Messages of MSRP sessions: SENDs put together (RFC 4975 5.1), in whatever order their chunks come, and what they
/// say.
class MsrpMessages {
  public:
    MsrpMessages(Spools& spools, Owners& owners, Dialogs& dialogs, SentMessages& sent, ImdnIds& ids)
        : spools_(spools), owners_(owners), dialogs_(dialogs), sent_(sent), ids_(ids) {}

    [[nodiscard]] model::Status take_send(const Take& take, const MsrpFrame& frame, const FramePlace& place);
    /// A chunk that was cut off: nothing more of it comes.
    [[nodiscard]] model::Status take_torn(const Take& take, const MsrpFrame& frame, std::uint64_t beginning);

    [[nodiscard]] model::Status expire(const Take& take);
    /// Drops what has come of messages of these tasks.
    void forget(const Take& take, const Tasks& tasks);
    /// Gives out what there is of the message that nothing came of for longest; false if there is none.
    [[nodiscard]] model::Result<bool> give_out_oldest(const Take& take);
    /// Lets go of the copies of one message that has gone out: those of other hops are another message then, should the
    /// process end before they come. False if none are kept.
    bool let_go_kept(const Take& take);
    [[nodiscard]] std::optional<SteadyTime> due(const TrackerOptions& options) const;
    [[nodiscard]] std::optional<SteadyTime> oldest() const { return unfinished_.due(std::chrono::milliseconds(0)); }

    [[nodiscard]] std::size_t held_in_memory() const { return in_memory_ + unfinished_.size() * overhead; }
    [[nodiscard]] std::uint64_t held() const { return held_; }

    /// Bytes that each message that is not finished takes beside its own.
    static constexpr std::size_t overhead = 2048;
    static constexpr std::size_t most_frames = 262'144;

  private:
    /// What the first chunk says of the message.
    struct Head {
        CopyNote note;
        TableKey message;  ///< of the session, at any hop
        TableKey hop;
        std::uint64_t back = 0;  ///< the hop the other way
        std::string from;
        std::string to;
        std::string message_id;
        std::string content_type;  ///< as written
        std::string disposition;
        std::string transaction;  ///< of the chunk that begins first
        std::uint64_t first = 0;  ///< where that begins
        model::Instant until;     ///< when the latest of its chunks was sent
        model::Instant received_until;
    };
    struct Unfinished {
        std::unique_ptr<Head> head;
        std::optional<Assembly> assembly;
        /// Of the content, as long as its chunks come in order.
        std::optional<ContentDigest> digest;
        std::uint64_t next = 1;
        std::vector<std::uint64_t> owners;
        std::size_t in_memory = 0;
        std::uint64_t held = 0;
    };
    /// A message, or a part of one, that goes out.
    struct Outgoing {
        const Head& head;
        std::string_view payload;  ///< its bytes, where they are those of the copy being taken
        Bytes bytes;
        Digest digest{};
        std::string ranges;  ///< of a part; empty: all of it is there

        [[nodiscard]] std::string_view body() const { return bytes.size() > 0 ? bytes.memory() : payload; }
    };

    [[nodiscard]] static Head head_of(const Take& take, const MsrpFrame& frame);
    [[nodiscard]] model::Status add_chunk(const Take& take, const TableKey& key, const MsrpFrame& frame);
    void count(Unfinished& message);
    [[nodiscard]] model::Status finish(const Take& take, const TableKey& key);
    static void note_chunk(const Take& take, Head& head);
    void drop(const Take& take, const TableKey& key);
    [[nodiscard]] bool of_several_hops(const Take& take, const Head& head) const;
    /// What was a repeat of the event goes with it.
    void keep_on(const Take& take, const Digest& event, std::vector<std::uint64_t> owners, bool repeat);
    /// An event, and whether it had gone out before.
    struct Gone {
        Digest event{};
        bool repeat = false;
    };
    Gone go_out(const Take& take, Outgoing& outgoing);
    [[nodiscard]] Content content_of(const Take& take, Outgoing& outgoing, SpooledContent& spooled) const;
    void add_message(const Take& take, Outgoing& outgoing, const Content& content, MsrpEnds& ends, const Digest& event);
    [[nodiscard]] HopPlace place_of(const Take& take, const Head& head) const;
    [[nodiscard]] TableKey common_key(const Take& take, const Outgoing& outgoing);

    Spools& spools_;
    Owners& owners_;
    Dialogs& dialogs_;
    SentMessages& sent_;
    ImdnIds& ids_;
    AgedTable<Unfinished> unfinished_;
    AgedTable<char> frames_;
    HopMemory hops_;
    /// Owners of the copies of messages that have gone out, which are kept until those of other hops are there; by the
    /// event.
    AgedTable<std::vector<std::uint64_t>> kept_on_;
    std::size_t in_memory_ = 0;
    std::uint64_t held_ = 0;
};

}  // namespace lihandover::ims
