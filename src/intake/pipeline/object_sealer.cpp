#include "pipeline/object_sealer.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "pipeline/base64.hpp"

namespace lihandover::intake {

namespace {

constexpr std::size_t raw_step = std::size_t{48} * 1024;

// Calls `use` with the bytes, piece by piece, until it says false.
template <typename Use>
bool for_each_piece(const AttachedObject& object, Use&& use) {
    if (object.encoding == AttachedObject::Encoding::base64) {
        Base64Reader reader(object.bytes);
        for (auto piece = reader.next(); !piece.empty(); piece = reader.next()) {
            if (!use(piece)) {
                return false;
            }
        }
        return true;
    }
    for (std::string_view rest = object.bytes; !rest.empty(); rest.remove_prefix(std::min(raw_step, rest.size()))) {
        if (!use(std::span<const char>(rest.substr(0, raw_step)))) {
            return false;
        }
    }
    return true;
}

}  // namespace

std::shared_ptr<const store::SealedObject> seal(store::BinaryObjects& objects, const AttachedObject& object) {
    auto writer = objects.writer();
    if (!writer) {
        return nullptr;
    }
    if (!for_each_piece(object, [&](std::span<const char> piece) { return (*writer)->write(piece).has_value(); })) {
        return nullptr;
    }
    auto sealed = (*writer)->finish();
    return sealed ? std::move(*sealed) : nullptr;
}

bool pretend_to_seal(store::BinaryObjects& objects, const AttachedObject& object) {
    // Decoded as it would be for an item.
    std::uint64_t bytes = 0;
    (void)for_each_piece(object, [&bytes](std::span<const char> piece) {
        bytes += piece.size();
        return true;
    });
    return objects.write_filler(bytes).has_value();
}

}  // namespace lihandover::intake
