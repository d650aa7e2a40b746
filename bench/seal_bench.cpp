// The steps that a binary object's bytes go through, each alone on one core. Prints one line of JSON: bytes per
// second.

#include <array>
#include <chrono>
#include <cstdio>
#include <span>
#include <vector>

#include "common/seal.hpp"
#include "lihandover/store/digest.hpp"

namespace {

using namespace lihandover;
using namespace lihandover::store;
using Clock = std::chrono::steady_clock;

constexpr std::size_t block = std::size_t{256} * 1024;  // as the store reads and writes
constexpr std::chrono::seconds at_least(2);

template <typename Step>
double bytes_per_second(const Step& step) {
    std::uint64_t bytes = 0;
    const auto begun = Clock::now();
    while (Clock::now() - begun < at_least) {
        if (!step()) {
            return 0;
        }
        bytes += block;
    }
    return static_cast<double>(bytes) / std::chrono::duration<double>(Clock::now() - begun).count();
}

}  // namespace

int main() {
    const std::vector<char> bytes(block, 'x');
    std::vector<char> sealed(block + (block / seal_chunk) * seal_tag);
    std::vector<char> opened(block);
    const SealKey key = SealKey::random();
    ChunkCipher sealing(key, ChunkCipher::Direction::seal);
    ChunkCipher opening(key, ChunkCipher::Direction::unseal);
    store::Sha256Digest digest;
    const auto chunks = [&](const auto& one) {
        for (std::size_t number = 0; number < block / seal_chunk; ++number) {
            if (!one(number)) {
                return false;
            }
        }
        return true;
    };
    const double hash = bytes_per_second([&] {
        digest.update(bytes);
        return true;
    });
    const double seal = bytes_per_second([&] {
        return chunks([&](std::size_t number) {
            return sealing.seal(number, false, std::span(bytes).subspan(number * seal_chunk, seal_chunk),
                                sealed.data() + number * (seal_chunk + seal_tag));
        });
    });
    const double unseal = bytes_per_second([&] {
        return chunks([&](std::size_t number) {
            return opening.unseal(
                number, false,
                std::span<const char>(sealed).subspan(number * (seal_chunk + seal_tag), seal_chunk + seal_tag),
                opened.data() + number * seal_chunk);
        });
    });
    std::printf(R"({"hash":%.0f,"seal":%.0f,"unseal":%.0f})"
                "\n",
                hash, seal, unseal);
    return opened == bytes ? 0 : 1;
}
