// Runs a fuzzer's function on the kept inputs, one after another: the fuzzers as ordinary tests, with any compiler.
//   TARGET DIRECTORY_OR_FILE…

#include <exception>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include "fuzz.hpp"

namespace {

namespace fs = std::filesystem;

void replay(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw std::runtime_error("cannot read " + path.string());
    }
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    // The last one that is named is the one that failed.
    std::cerr << path.c_str() << std::endl;  // NOLINT(performance-avoid-endl): seen even if it breaks
    // In memory of exactly its size, as the engine has it.
    const std::vector<std::uint8_t> input(bytes.begin(), bytes.end());
    lihandover::fuzz::try_input(input.data(), input.size());
}

}  // namespace

int main(int count, char** arguments) {
    try {
        std::size_t replayed = 0;
        for (int i = 1; i < count; ++i) {
            const fs::path place(arguments[i]);
            if (!fs::is_directory(place)) {
                replay(place);
                ++replayed;
                continue;
            }
            for (const auto& entry : fs::recursive_directory_iterator(place)) {
                if (entry.is_regular_file()) {
                    replay(entry.path());
                    ++replayed;
                }
            }
        }
        const std::vector<std::uint8_t> nothing;
        lihandover::fuzz::try_input(nothing.data(), 0);
        std::cout << replayed << " inputs\n";
        return replayed == 0 ? 1 : 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << '\n';
        return 1;
    }
}
