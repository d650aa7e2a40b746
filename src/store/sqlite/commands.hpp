#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "database.hpp"
#include "lihandover/store/downloads.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store::sqlite {

/// What the writer is asked to do, whole: its part of a transaction, and what it answers. The writer knows nothing else
/// of it, so that a new command is one function here.
class Command {
  public:
    Command() = default;
    Command(const Command&) = delete;
    Command& operator=(const Command&) = delete;
    Command(Command&&) = delete;
    Command& operator=(Command&&) = delete;
    virtual ~Command() = default;

    /// Its part of a transaction. May be called several times, in transactions that fail. Throws SqlFailure.
    virtual void apply(Tables& tables, Transaction& transaction) = 0;
    /// After the commit; answers. False: there is more to do, in another transaction.
    [[nodiscard]] virtual bool committed() = 0;
    /// Nothing of it is on disk, or, of one that takes several transactions, nothing more.
    virtual void failed() = 0;
};
using CommandPointer = std::unique_ptr<Command>;

// What delivery says. Acceptances are no command, since they are the hot path (Writer::accepted).

[[nodiscard]] CommandPointer refuse_item(RowId row, Refusal refusal, Done done);
[[nodiscard]] CommandPointer set_item_aside(RowId row, Refusal refusal, Done done);
[[nodiscard]] CommandPointer stamp_item(RowId item, model::Instant expiry, Done done);
[[nodiscard]] CommandPointer refuse_object(const model::Uuid& object, Refusal refusal, Done done);
[[nodiscard]] CommandPointer set_object_aside(const model::Uuid& object, Refusal refusal, Done done);
[[nodiscard]] CommandPointer object_pushed(const model::Uuid& object, Done done);

// What intake and the object server say.

[[nodiscard]] CommandPointer object_prepared(const model::Uuid& file, std::shared_ptr<const SealedObject> copy,
                                             model::ObjectLoss loss, Done done);
[[nodiscard]] CommandPointer object_fetched(Fetch fetch, Done done);

// What operators decide.

[[nodiscard]] CommandPointer approve(std::vector<model::Uuid> ids, Reviewer reviewer, DoneDecided done);
[[nodiscard]] CommandPointer content_shown(RowId row, const model::Uuid& id, std::string who, std::string what,
                                           DoneCount done);
[[nodiscard]] CommandPointer retry(std::vector<model::Uuid> ids, std::string who, DoneCount done);
[[nodiscard]] CommandPointer retry_all(std::string destination, std::optional<std::uint64_t> code, std::string who,
                                       DoneCount done);
/// There is no index over queued items: they were looked for beside the writer, and the command checks the find.
[[nodiscard]] CommandPointer reject(std::vector<model::Uuid> ids, std::vector<Located> located, Reviewer reviewer,
                                    std::string why, DoneDecided done);
[[nodiscard]] CommandPointer pause(std::string destination, std::string who, Done done);
[[nodiscard]] CommandPointer resume(std::string destination, std::string who, Done done);

/// A change that somebody waits for; what else it has to say it keeps by itself.
[[nodiscard]] CommandPointer change(std::function<void(Tables&, Transaction&)> work, Done done);

}  // namespace lihandover::store::sqlite
