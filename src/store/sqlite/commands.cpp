#include "commands.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace lihandover::store::sqlite {

namespace {

/// Rows that a retry in bulk looks at in one transaction.
constexpr std::size_t retry_step = 1000;

void answer(const Done& done, Outcome outcome) {
    if (done) {
        done(outcome);
    }
}

void answer(const DoneCount& done, Outcome outcome, std::size_t count) {
    if (done) {
        done(outcome, count);
    }
}

/// One that changes something and answers how it ended.
template <typename Work>
class Change final : public Command {
  public:
    Change(Work work, Done done) : work_(std::move(work)), done_(std::move(done)) {}
    void apply(Tables& tables, Transaction& transaction) override { work_(tables, transaction); }
    [[nodiscard]] bool committed() override {
        answer(done_, Outcome::committed);
        return true;
    }
    void failed() override { answer(done_, Outcome::failed); }

  private:
    Work work_;
    Done done_;
};

template <typename Work>
CommandPointer made(Work work, Done done) {
    return std::make_unique<Change<Work>>(std::move(work), std::move(done));
}

/// A decision about each of some ids, which answers how many it found.
template <typename Work>
class Decision final : public Command {
  public:
    ///   decide  about one id; whether it was found
    Decision(std::vector<model::Uuid> ids, Work decide, DoneCount done)
        : ids_(std::move(ids)), decide_(std::move(decide)), done_(std::move(done)) {}
    void apply(Tables& tables, Transaction& transaction) override {
        count_ = 0;
        for (const model::Uuid& id : ids_) {
            count_ += decide_(tables, transaction, id) ? 1U : 0U;
        }
    }
    [[nodiscard]] bool committed() override {
        answer(done_, Outcome::committed, count_);
        return true;
    }
    void failed() override { answer(done_, Outcome::failed, 0); }

  private:
    std::vector<model::Uuid> ids_;
    Work decide_;
    DoneCount done_;
    std::size_t count_ = 0;
};

template <typename Work>
CommandPointer decided(std::vector<model::Uuid> ids, Work decide, DoneCount done) {
    return std::make_unique<Decision<Work>>(std::move(ids), std::move(decide), std::move(done));
}

/// In steps, so that no transaction grows without bound.
class RetryAll final : public Command {
  public:
    RetryAll(std::string destination, std::optional<std::uint64_t> code, std::string who, DoneCount done)
        : destination_(std::move(destination)), code_(code), who_(std::move(who)), done_(std::move(done)) {}

    void apply(Tables& tables, Transaction& transaction) override {
        const auto items = tables.items.aside_after(after_, retry_step);
        const auto objects = tables.objects.waiting_after(after_, retry_step);
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
        answer(done_, Outcome::committed, taken_);
        return true;
    }
    void failed() override { answer(done_, Outcome::failed, taken_); }

  private:
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

}  // namespace

CommandPointer refuse_item(RowId row, Refusal refusal, Done done) {
    return made(
        [row, refusal = std::move(refusal)](Tables& tables, Transaction& in) { tables.items.refuse(in, row, refusal); },
        std::move(done));
}

CommandPointer set_item_aside(RowId row, Refusal refusal, Done done) {
    return made([row, refusal = std::move(refusal)](Tables& tables,
                                                    Transaction& in) { tables.items.set_aside(in, row, refusal); },
                std::move(done));
}

CommandPointer stamp_item(RowId item, model::Instant expiry, Done done) {
    return made([item, expiry](Tables& tables, Transaction&) { tables.objects.stamp(item, expiry); }, std::move(done));
}

CommandPointer refuse_object(const model::Uuid& object, Refusal refusal, Done done) {
    return made([object, refusal = std::move(refusal)](Tables& tables,
                                                       Transaction& in) { tables.objects.refuse(in, object, refusal); },
                std::move(done));
}

CommandPointer set_object_aside(const model::Uuid& object, Refusal refusal, Done done) {
    return made([object, refusal = std::move(refusal)](
                    Tables& tables, Transaction& in) { tables.objects.set_aside(in, object, refusal); },
                std::move(done));
}

CommandPointer object_pushed(const model::Uuid& object, Done done) {
    return made([object](Tables& tables, Transaction& in) { tables.objects.pushed(in, object); }, std::move(done));
}

CommandPointer object_prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy,
                               model::ObjectLoss loss, Done done) {
    return made([file, copy = std::move(copy), loss](
                    Tables& tables, Transaction& in) { tables.objects.prepared(in, file, copy, loss); },
                std::move(done));
}

CommandPointer object_fetched(Fetch fetch, Done done) {
    return made([fetch = std::move(fetch)](Tables& tables, Transaction& in) { tables.objects.fetched(in, fetch); },
                std::move(done));
}

CommandPointer retry(std::vector<model::Uuid> ids, std::string who, DoneCount done) {
    return decided(
        std::move(ids),
        [who = std::move(who)](Tables& tables, Transaction& in, const model::Uuid& id) {
            // Objects wait by themselves only once their item has gone.
            const std::optional<bool> item = tables.items.retry(in, id, who);
            return item ? *item : tables.objects.retry(in, id, who);
        },
        std::move(done));
}

CommandPointer retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who, DoneCount done) {
    return std::make_unique<RetryAll>(std::move(destination), code, std::move(who), std::move(done));
}

CommandPointer reject(std::vector<model::Uuid> ids, std::vector<Located> located, std::string who, std::string why,
                      DoneCount done) {
    return decided(
        std::move(ids),
        [located = std::move(located), who = std::move(who), why = std::move(why)](Tables& tables, Transaction& in,
                                                                                   const model::Uuid& id) {
            return tables.items.reject(in, id, located, who, why) || tables.objects.reject(in, id, who, why);
        },
        std::move(done));
}

CommandPointer pause(std::string destination, std::string who, Done done) {
    return made([destination = std::move(destination), who = std::move(who)](
                    Tables& tables, Transaction& in) { tables.registers.pause(in, destination, who); },
                std::move(done));
}

CommandPointer resume(std::string destination, std::string who, Done done) {
    return made([destination = std::move(destination), who = std::move(who)](
                    Tables& tables, Transaction& in) { tables.registers.resume(in, destination, who); },
                std::move(done));
}

CommandPointer change(std::function<void(Tables&, Transaction&)> work, Done done) {
    return made(std::move(work), std::move(done));
}

}  // namespace lihandover::store::sqlite
