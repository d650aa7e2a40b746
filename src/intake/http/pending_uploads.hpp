#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "lihandover/intake/pipeline/snapshot.hpp"
#include "lihandover/model/clock.hpp"
#include "lihandover/store/object_intake.hpp"

namespace lihandover::intake {

/// The uploaded objects of one source that no event has named yet. Each waits for as long as intake.object_wait says.
/// It ends with the daemon, since its key exists only in memory. Used on the thread of `executor`; what blocks
/// (removing files with their last handles) runs on `workers`.
///
/// Beside other sources, they and those on their way have at most as many bytes as the store then has room for: half of
/// it for a first source, and some is always left for the next (promise 11).
class PendingUploads {
  public:
    using Sealed = std::shared_ptr<const store::SealedObject>;

    /// More are refused: each is a file.
    static constexpr std::size_t default_limit = 100'000;

    ///   store  whose room is shared with other sources; null: there are none
    PendingUploads(const CurrentSnapshot& snapshot, const model::Clock& clock,
                   const boost::asio::any_io_executor& executor, boost::asio::any_io_executor workers,
                   const store::ObjectIntake* store = nullptr, std::size_t limit = default_limit);
    PendingUploads(const PendingUploads&) = delete;
    PendingUploads& operator=(const PendingUploads&) = delete;
    ~PendingUploads() = default;

    enum class Put : std::uint8_t { added, replaced, full };

    /// Whether an object of that id could be uploaded now.
    [[nodiscard]] bool has_room(std::string_view id);
    /// Replaces an earlier one of the same id.
    Put put(std::string id, Sealed object);
    /// Null if there is none.
    [[nodiscard]] Sealed find(std::string_view id);
    [[nodiscard]] std::size_t size() const { return places_.size(); }
    /// Bytes of those that wait, are claimed or on their way.
    [[nodiscard]] std::uint64_t held() const { return held_; }

    /// An upload on its way. Does not outlive the uploads.
    class Arriving {
      public:
        explicit Arriving(PendingUploads& uploads) : uploads_(uploads) {}
        Arriving(const Arriving&) = delete;
        Arriving& operator=(const Arriving&) = delete;
        ~Arriving() { uploads_.held_ -= bytes_; }

        /// Counts `bytes` of it; false where the source has its share.
        [[nodiscard]] bool take(std::uint64_t bytes);

      private:
        PendingUploads& uploads_;
        std::uint64_t bytes_ = 0;
    };

    /// Drops all of them and the timer, and whatever is returned later.
    void close();

  private:
    struct Entry {
        std::string id;
        Sealed object;
        model::Clock::SteadyTime since;
    };
    using Entries = std::list<Entry>;

  public:
    /// Objects named by events whose commit is not certain yet. Nobody else can name them meanwhile, and they become
    /// pending again unless use_up() is called.
    class Claims {
      public:
        explicit Claims(PendingUploads& uploads) : uploads_(uploads) {}
        Claims(const Claims&) = delete;
        Claims& operator=(const Claims&) = delete;
        ~Claims() {
            uploads_.give_back(entries_);
            uploads_.give_back(again_);
            uploads_.drop(std::move(used_));
        }

        /// One that nobody has claimed, or that is to be claimed again; null if there is none.
        [[nodiscard]] Sealed find(std::string_view id);
        /// For an id that find() finds.
        void take(std::string_view id);
        /// The events are read again: what they named can be claimed again, by these claims alone.
        void rewind() { again_.splice(again_.end(), entries_); }
        /// Nobody can name them any more. Their files are removed with the claims: an answer does not wait for that.
        /// What was not claimed again becomes pending.
        void use_up() {
            uploads_.use_up(entries_, used_);
            uploads_.give_back(again_);
        }

      private:
        PendingUploads& uploads_;
        Entries entries_;
        Entries again_;  ///< of events that are read again
        std::vector<Sealed> used_;
    };

  private:
    void move_out(std::string_view id, Entries& to);
    void give_back(Entries& claimed);
    void use_up(Entries& claimed, std::vector<Sealed>& used);
    void remove(Entries::iterator entry, std::vector<Sealed>& gone);
    void let_go(Entry& entry, std::vector<Sealed>& to);
    void expire();
    void wait();
    void drop(std::vector<Sealed> gone);

    const CurrentSnapshot& snapshot_;
    const model::Clock& clock_;
    boost::asio::steady_timer timer_;
    boost::asio::any_io_executor workers_;
    const store::ObjectIntake* store_;
    std::size_t limit_;
    std::uint64_t held_ = 0;
    std::size_t claimed_ = 0;
    bool timing_ = false;
    bool closed_ = false;
    Entries entries_;                                                 ///< the oldest first
    std::unordered_map<std::string_view, Entries::iterator> places_;  ///< by the entry's own id
};

}  // namespace lihandover::intake
