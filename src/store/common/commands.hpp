#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/states.hpp"
#include "lihandover/store/downloads.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// Something that the writer is asked to do, whole: what it changes as part of a transaction, and what it answers
/// afterwards. Run on the writer's thread only.
template <typename Tables, typename Transaction>
class Command {
  public:
    Command() = default;
    virtual ~Command() = default;
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;
    Command(Command&&) = delete;
    Command& operator=(Command&&) = delete;

    /// Makes its changes as part of a transaction. May be called several times, in transactions that fail. Throws what
    /// the engine throws.
    virtual void apply(Tables& tables, Transaction& transaction) = 0;
    /// After the commit; answers. False: there is more to do, in another transaction.
    [[nodiscard]] virtual bool committed() = 0;
    /// Nothing of it is on disk, or, of one that takes several transactions, nothing more.
    virtual void failed() = 0;
};

/// Makes the commands of an engine, by its tables: `items`, `objects`, `registers`. A new decision is one function
/// here.
template <typename Tables, typename Transaction>
class Commands {
  public:
    using Pointer = std::unique_ptr<Command<Tables, Transaction>>;

    // What delivery says. Acceptances are no command, since they are the hot path.

    [[nodiscard]] static Pointer refuse_item(RowId row, Refusal refusal, Done done) {
        return change([row, refusal = std::move(refusal)](Tables& tables,
                                                          Transaction& in) { tables.items.refuse(in, row, refusal); },
                      std::move(done));
    }
    [[nodiscard]] static Pointer set_item_aside(RowId row, Refusal refusal, Done done) {
        return change([row, refusal = std::move(refusal)](
                          Tables& tables, Transaction& in) { tables.items.set_aside(in, row, refusal); },
                      std::move(done));
    }
    [[nodiscard]] static Pointer stamp_item(RowId item, model::Instant expiry, Done done) {
        return change([item, expiry](Tables& tables, Transaction& in) { tables.objects.stamp(in, item, expiry); },
                      std::move(done));
    }
    [[nodiscard]] static Pointer refuse_object(const model::Uuid& object, Refusal refusal, Done done) {
        return change([object, refusal = std::move(refusal)](
                          Tables& tables, Transaction& in) { tables.objects.refuse(in, object, refusal); },
                      std::move(done));
    }
    [[nodiscard]] static Pointer set_object_aside(const model::Uuid& object, Refusal refusal, Done done) {
        return change([object, refusal = std::move(refusal)](
                          Tables& tables, Transaction& in) { tables.objects.set_aside(in, object, refusal); },
                      std::move(done));
    }
    [[nodiscard]] static Pointer object_pushed(const model::Uuid& object, Done done) {
        return change([object](Tables& tables, Transaction& in) { tables.objects.pushed(in, object); },
                      std::move(done));
    }

    // What intake and the object server say.

    [[nodiscard]] static Pointer object_prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy,
                                                 model::ObjectLoss loss, Done done) {
        return change([file, copy = std::move(copy), loss](
                          Tables& tables, Transaction& in) { tables.objects.prepared(in, file, copy, loss); },
                      std::move(done));
    }
    [[nodiscard]] static Pointer object_fetched(Fetch fetch, Done done) {
        return change(
            [fetch = std::move(fetch)](Tables& tables, Transaction& in) { tables.objects.fetched(in, fetch); },
            std::move(done));
    }

    // What operators decide.

    [[nodiscard]] static Pointer approve(std::vector<model::Uuid> ids, Reviewer reviewer, DoneDecided done) {
        std::vector<Meant> items;
        items.reserve(ids.size());
        for (const model::Uuid& id : ids) {
            items.push_back({id, {ItemState::held}});
        }
        return reviewed(
            std::move(items), approve_step,
            [reviewer = std::move(reviewer)](Tables& tables, Transaction& in, const Meant& meant, Decided&) {
                return tables.items.approve(in, meant.id, reviewer);
            },
            std::move(done));
    }
    [[nodiscard]] static Pointer content_shown(RowId row, const model::Uuid& id, std::string who, std::string what,
                                               DoneCount done) {
        return decided(
            {id},
            [row, who = std::move(who), what = std::move(what)](Tables& tables, Transaction& in,
                                                                const model::Uuid& item) {
                return tables.items.shown(in, row, item, who, what);
            },
            std::move(done));
    }
    [[nodiscard]] static Pointer retry(std::vector<model::Uuid> ids, std::string who, DoneCount done) {
        return decided(
            std::move(ids),
            [who = std::move(who)](Tables& tables, Transaction& in, const model::Uuid& id) {
                // Objects wait by themselves only once their item has gone.
                const std::optional<bool> item = tables.items.retry(in, id, who);
                return item ? *item : tables.objects.retry(in, id, who);
            },
            std::move(done));
    }
    [[nodiscard]] static Pointer retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                                           DoneCount done) {
        return std::make_unique<RetryAll>(std::move(destination), code, std::move(who), std::move(done));
    }
    /// What is queued has its row there: a Locator has looked for it before, beside the writer.
    [[nodiscard]] static Pointer reject(std::vector<Meant> items, Reviewer reviewer, std::string why,
                                        DoneDecided done) {
        const std::size_t all = items.size();
        return reviewed(
            std::move(items), all,
            [reviewer = std::move(reviewer), why = std::move(why)](Tables& tables, Transaction& in, const Meant& meant,
                                                                   Decided& count) {
                LaneId lane = 0;
                const Verdict item = tables.items.reject(in, meant, reviewer, why, lane);
                if (const Lane* const ended = item == Verdict::done ? in.catalogue.lane_of_writer(lane) : nullptr) {
                    ++count.rejected[ended->destination];
                }
                if (item != Verdict::none) {
                    return item;
                }
                return tables.objects.reject(in, meant, reviewer.who, why) ? Verdict::done : Verdict::none;
            },
            std::move(done));
    }
    [[nodiscard]] static Pointer pause(std::string destination, std::string who, Done done) {
        return change([destination = std::move(destination), who = std::move(who)](
                          Tables& tables, Transaction& in) { tables.registers.pause(in, destination, who); },
                      std::move(done));
    }
    [[nodiscard]] static Pointer resume(std::string destination, std::string who, Done done) {
        return change([destination = std::move(destination), who = std::move(who)](
                          Tables& tables, Transaction& in) { tables.registers.resume(in, destination, who); },
                      std::move(done));
    }

    /// A change that answers how it ended; what else it has to say it keeps by itself.
    [[nodiscard]] static Pointer change(std::function<void(Tables&, Transaction&)> work, Done done) {
        return std::make_unique<Change>(std::move(work), std::move(done));
    }

  private:
    /// Rows that a retry in bulk looks at in one transaction.
    static constexpr std::size_t retry_step = 1000;
    /// What one transaction approves, and about how much content it writes anew for that: on a full disk there is not
    /// room for more.
    static constexpr std::size_t approve_step = 256;
    static constexpr std::uint64_t rewritten_most = std::uint64_t{1} << 20;

    class Change final : public Command<Tables, Transaction> {
      public:
        Change(std::function<void(Tables&, Transaction&)> work, Done done)
            : work_(std::move(work)), done_(std::move(done)) {}
        void apply(Tables& tables, Transaction& transaction) override { work_(tables, transaction); }
        [[nodiscard]] bool committed() override {
            answer(Outcome::committed);
            return true;
        }
        void failed() override { answer(Outcome::failed); }

      private:
        void answer(Outcome outcome) {
            if (done_) {
                done_(outcome);
            }
        }
        std::function<void(Tables&, Transaction&)> work_;
        Done done_;
    };

    /// A decision about each of some ids, which answers how many it found.
    class Decision final : public Command<Tables, Transaction> {
      public:
        using Decide = std::function<bool(Tables&, Transaction&, const model::Uuid&)>;
        Decision(std::vector<model::Uuid> ids, Decide decide, DoneCount done)
            : ids_(std::move(ids)), decide_(std::move(decide)), done_(std::move(done)) {}
        void apply(Tables& tables, Transaction& transaction) override {
            count_ = 0;
            for (const model::Uuid& id : ids_) {
                count_ += decide_(tables, transaction, id) ? 1U : 0U;
            }
        }
        [[nodiscard]] bool committed() override {
            answer(Outcome::committed, count_);
            return true;
        }
        void failed() override { answer(Outcome::failed, 0); }

      private:
        void answer(Outcome outcome, std::size_t count) {
            if (done_) {
                done_(outcome, count);
            }
        }
        std::vector<model::Uuid> ids_;
        Decide decide_;
        DoneCount done_;
        std::size_t count_ = 0;
    };
    [[nodiscard]] static Pointer decided(std::vector<model::Uuid> ids, typename Decision::Decide decide,
                                         DoneCount done) {
        return std::make_unique<Decision>(std::move(ids), std::move(decide), std::move(done));
    }

    /// A reviewer's word about each of some items, in steps, so that no transaction grows without bound.
    class Review final : public Command<Tables, Transaction> {
      public:
        /// May add to the count what a verdict does not say.
        using Hear = std::function<Verdict(Tables&, Transaction&, const Meant&, Decided&)>;
        Review(std::vector<Meant> items, std::size_t step, Hear hear, DoneDecided done)
            : items_(std::move(items)), step_(step), hear_(std::move(hear)), done_(std::move(done)) {}
        void apply(Tables& tables, Transaction& transaction) override {
            count_ = sum_;
            const std::size_t last = std::min(items_.size(), taken_ + step_);
            end_ = taken_;
            while (end_ < last && (end_ == taken_ || transaction.effects.rewritten_bytes < rewritten_most)) {
                count(hear_(tables, transaction, items_[end_++], count_));
            }
        }
        [[nodiscard]] bool committed() override {
            sum_ = count_;
            taken_ = end_;
            if (taken_ < items_.size()) {
                return false;
            }
            if (done_) {
                done_(Outcome::committed, sum_);
            }
            return true;
        }
        void failed() override {
            if (done_) {
                done_(Outcome::failed, sum_);
            }
        }

      private:
        void count(Verdict verdict) {
            switch (verdict) {
                case Verdict::none:
                    break;
                case Verdict::repeated:
                    ++count_.repeated;
                    break;
                case Verdict::first:
                    ++count_.first;
                    break;
                case Verdict::done:
                    ++count_.done;
                    break;
                case Verdict::unreadable:
                    ++count_.unreadable;
                    break;
            }
        }
        std::vector<Meant> items_;
        std::size_t step_;
        Hear hear_;
        DoneDecided done_;
        std::size_t taken_ = 0;  ///< by earlier transactions
        std::size_t end_ = 0;    ///< with this one
        Decided sum_;            ///< of these
        Decided count_;          ///< with this one
    };
    [[nodiscard]] static Pointer reviewed(std::vector<Meant> items, std::size_t step, typename Review::Hear hear,
                                          DoneDecided done) {
        return std::make_unique<Review>(std::move(items), step, std::move(hear), std::move(done));
    }

    /// In steps, so that no transaction grows without bound.
    class RetryAll final : public Command<Tables, Transaction> {
      public:
        RetryAll(std::string destination, std::optional<std::uint64_t> code, std::string who, DoneCount done)
            : destination_(std::move(destination)), code_(code), who_(std::move(who)), done_(std::move(done)) {}
        void apply(Tables& tables, Transaction& transaction) override {
            const auto items = tables.items.aside_after(transaction.connection, after_, retry_step);
            const auto objects = tables.objects.waiting_after(transaction.connection, after_, retry_step);
            // What lies beyond the end of the shorter look waits for the next step.
            end_ = std::numeric_limits<RowId>::max();
            if (items.size() == retry_step) {
                end_ = std::min(end_, items.back().row);
            }
            if (objects.size() == retry_step) {
                end_ = std::min(end_, objects.back().id);
            }
            count_ = 0;
            for (const auto& item : items) {
                const bool retryable = item.state == ItemState::refused || item.state == ItemState::set_aside;
                if (item.row <= end_ && retryable && is_meant(transaction, item.lane, item.code)) {
                    tables.items.retry(transaction, item.row, who_);
                    ++count_;
                }
            }
            for (const auto& object : objects) {
                const bool retryable = object.state == ObjectState::refused || object.state == ObjectState::set_aside;
                if (object.id <= end_ && retryable && is_meant(transaction, object.lane, object.code)) {
                    tables.objects.retry(transaction, object.id, who_);
                    ++count_;
                }
            }
        }
        [[nodiscard]] bool committed() override {
            taken_ += count_;
            after_ = end_;
            if (end_ != std::numeric_limits<RowId>::max()) {
                return false;
            }
            answer(Outcome::committed);
            return true;
        }
        void failed() override { answer(Outcome::failed); }

      private:
        void answer(Outcome outcome) {
            if (done_) {
                done_(outcome, taken_);
            }
        }
        [[nodiscard]] bool is_meant(const Transaction& transaction, LaneId lane, std::int64_t code) const {
            const Lane* known = transaction.catalogue.lane_of_writer(lane);
            return known != nullptr && known->destination == destination_ &&
                   (!code_ || static_cast<std::uint64_t>(code) == *code_);
        }
        std::string destination_;
        std::optional<std::uint64_t> code_;
        std::string who_;
        DoneCount done_;
        RowId after_ = 0;        ///< earlier transactions came so far
        RowId end_ = 0;          ///< and this one
        std::size_t count_ = 0;  ///< of this one
        std::size_t taken_ = 0;  ///< of earlier ones
    };
};

}  // namespace lihandover::store
