#include "pipeline/object_sealer.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

#include "pipeline/base64.hpp"

namespace lihandover::intake {

namespace {

constexpr std::size_t piece_size = Base64Reader::piece_size;
constexpr std::array<char, piece_size> zeros{};

// Calls `use` with the bytes, piece by piece, until it returns false.
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
    for (std::string_view rest = object.bytes; !rest.empty(); rest.remove_prefix(std::min(piece_size, rest.size()))) {
        if (!use(std::span<const char>(rest.substr(0, piece_size)))) {
            return false;
        }
    }
    return true;
}

}  // namespace

std::vector<std::shared_ptr<const store::SealedObject>> seal(store::ObjectIntake& objects,
                                                             std::span<const AttachedObject* const> which,
                                                             bool wanted) {
    std::vector<std::unique_ptr<store::ObjectWriter>> writers;
    for (const AttachedObject* const object : which) {
        auto writer = objects.writer();
        if (!writer) {
            return {};
        }
        const bool written = for_each_piece(*object, [&](std::span<const char> piece) {
            const std::span<const char> bytes = wanted ? piece : std::span(zeros).first(piece.size());
            return (*writer)->write(bytes).has_value();
        });
        if (!written || !(*writer)->end()) {
            return {};
        }
        writers.push_back(std::move(*writer));
    }
    std::vector<std::shared_ptr<const store::SealedObject>> all;
    for (const auto& writer : writers) {
        auto sealed = writer->finish();
        if (!sealed) {
            return {};
        }
        all.push_back(std::move(*sealed));
    }
    return all;
}

std::size_t size_of(const AttachedObject& object) {
    return object.encoding == AttachedObject::Encoding::base64 ? base64_size(object.bytes) : object.bytes.size();
}

}  // namespace lihandover::intake
