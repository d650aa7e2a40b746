#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/effects.hpp"
#include "holdings.hpp"
#include "pq.hpp"

namespace lihandover::store::postgresql {

/// What daemons tell each other of lanes: whoever changes something of a lane whose bucket is not his writes a row
/// about it, in the same transaction, and the bucket's owner takes it out. Numbers are drawn when a row is written:
/// what two transactions write of one item, or of one lane whose row they have locked, has them in the order of their
/// commits. Throws PgFailure.
///
/// A row that ends something (Arrived::Kind::withdrawn and its like) goes only once its bucket's owner has heard of it.
class ArrivalTable {
  public:
    /// What has to be told of lanes that are not held. Gives the numbers of the rows that end something, which must not
    /// be sent any more once they are answered.
    [[nodiscard]] static std::vector<std::int64_t> write(Connection& connection, const Effects& effects,
                                                         const Buckets& held);

    /// Takes out what there is of these buckets.
    [[nodiscard]] static Asked ask(Connection& connection, const Buckets& buckets);
    /// What it gave, in the order in which it was done.
    [[nodiscard]] static std::vector<Arrived> answer(Connection& connection, Asked& asked);

    [[nodiscard]] static std::vector<Arrived> endings_of(std::span<const Arrived> arrived);
    /// What has ended since it was told of.
    static void leave_out_ended(std::vector<Arrived>& arrived);

    /// Whether there is something of these buckets. Outside transactions.
    [[nodiscard]] static bool any(Connection& connection, const Buckets& buckets);
    /// Those of these rows that are still there.
    [[nodiscard]] static std::vector<std::int64_t> left_of(Connection& connection,
                                                           std::span<const std::int64_t> numbers);
};

}  // namespace lihandover::store::postgresql
