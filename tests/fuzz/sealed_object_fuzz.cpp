// A sealed file that somebody changed: what is read from it is what was written, or nothing.
//   input   bytes of the object's size, then changes: a kind, a place, and what it needs

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "../support/temporary_directory.hpp"
#include "common/object_files.hpp"
#include "fuzz.hpp"

namespace {

namespace fs = std::filesystem;
using namespace lihandover;
using namespace lihandover::store;
using fuzz::must;

std::string read_file(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

void change(std::string& bytes, fuzz::Input& input) {
    const std::size_t kind = input.below(5);
    const std::size_t at = bytes.empty() ? 0 : static_cast<std::size_t>(input.number() % bytes.size());
    switch (kind) {
        case 0:
            if (!bytes.empty()) {
                bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ input.byte());
            }
            break;
        case 1:
            bytes.resize(at);
            break;
        case 2:
            bytes.append(input.below(200), static_cast<char>(input.byte()));
            break;
        case 3:  // chunks change places
            if (bytes.size() >= place_of_chunk(2)) {
                std::swap_ranges(bytes.begin() + static_cast<std::ptrdiff_t>(place_of_chunk(0)),
                                 bytes.begin() + static_cast<std::ptrdiff_t>(place_of_chunk(1)),
                                 bytes.begin() + static_cast<std::ptrdiff_t>(place_of_chunk(1)));
            }
            break;
        default:
            bytes.insert(at, 1, static_cast<char>(input.byte()));
            break;
    }
}

// One of a few sizes around the bounds of chunks.
std::size_t size_of(std::uint8_t byte) {
    constexpr std::size_t bounds = 3;
    const std::size_t near = byte % bounds * seal_chunk;
    return near + byte / bounds % 5 < 2 ? byte : near + byte / bounds % 5 - 2;
}

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    static const test::TemporaryDirectory directory;
    static bool no_space = false;
    static const auto files = ObjectFiles::open(directory.path(), no_space).value();
    fuzz::Input input(data, size);
    std::string object(size_of(input.byte()), '\0');
    for (std::size_t i = 0; i < object.size(); ++i) {
        object[i] = static_cast<char>(i * 31 >> 3U);
    }
    auto writer = files->writer().value();
    must(writer->write(object).has_value(), "an object can be written");
    const auto sealed = writer->finish().value();
    const auto& file = dynamic_cast<const SealedFile&>(*sealed);
    const fs::path path = directory.path() / "objects" / file.name().to_string();
    must(fs::exists(path), "a sealed file is where it is said to be");
    const std::string before = read_file(path);
    must(before.size() == sealed_size_of(object.size()), "and as large");
    std::string after = before;
    for (int changes = 0; changes < 4 && !input.done(); ++changes) {
        change(after, input);
    }
    std::ofstream(path, std::ios::binary | std::ios::trunc) << after;

    auto reader = files->reader(file);
    if (!reader) {
        must(after != before, "an untouched file can be read");
        return;
    }
    must((*reader)->size() == object.size(), "the size is the record's");
    const std::uint64_t from = object.empty() ? 0 : input.number() % object.size();
    for (const std::uint64_t begin : {from, std::uint64_t{0}}) {
        std::string out(object.size() - begin, '\xee');
        const auto got = (*reader)->read(begin, out);
        must(got.has_value() || after != before, "an untouched file can be read");
        if (got) {
            must(*got == out.size() && out == std::string_view(object).substr(begin), "what is read was written");
        } else {
            // Whole chunks before the first bad one may be there, nothing else.
            std::size_t same = 0;
            while (same < out.size() && out[same] == object[begin + same]) {
                ++same;
            }
            must(std::ranges::all_of(out.substr(same), [](char c) { return c == '\xee' || c == '\0'; }),
                 "nothing is given out that was not written");
        }
    }
}
