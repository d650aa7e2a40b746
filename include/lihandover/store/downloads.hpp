#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "lihandover/model/uuid.hpp"
#include "lihandover/store/objects.hpp"
#include "lihandover/store/types.hpp"

namespace lihandover::store {

/// One request for an object, for the record.
struct Fetch {
    model::Uuid object;
    std::string certificate_sha256;  ///< or `psk:` and the identity of a pre-shared key
    std::uint64_t begin = 0;         ///< of the bytes asked for; end 0: none (HEAD, 304, 416)
    std::uint64_t end = 0;
    enum class Extent : std::uint8_t {
        begun,       ///< its bytes are about to leave; what became of it is an entry of its own
        broken_off,  ///< not all that was asked for went out
        complete,    ///< all of it went out
        whole,       ///< and it was the whole object
    };
    Extent extent = Extent::begun;
    std::size_t ranges = 1;        ///< of several, begin and end are those of all of them together
    std::uint64_t unrecorded = 0;  ///< requests of this destination before it that left no entry (a quota)

    [[nodiscard]] bool complete() const { return extent >= Extent::complete; }
    [[nodiscard]] bool whole() const { return extent == Extent::whole; }
};

/// The binary objects that LEAs fetch (Model A), as the object server serves them. Thread-safe.
class ObjectDownloads : public ObjectLookup {
  public:
    /// A request for one, for the record; the object goes where it was fetched whole and is to be removed then. Kept
    /// over failed commits.
    virtual void fetched(Fetch fetch, Done done) = 0;
};

}  // namespace lihandover::store
