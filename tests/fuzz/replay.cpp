// Gives a fuzzer's function the kept inputs, one after another: the fuzzers as ordinary tests, with any compiler.
//   TARGET DIRECTORY_OR_FILE…

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "fuzz.hpp"

namespace {

namespace fs = std::filesystem;

// NOLINTNEXTLINE(cppcoreguidelines-avoid-non-const-global-variables): for whoever looks at what broke
std::string now_at;

void say_where(int signal) {
    static_cast<void>(!write(STDERR_FILENO, now_at.data(), now_at.size()));
    static_cast<void>(!write(STDERR_FILENO, "\n", 1));
    std::signal(signal, SIG_DFL);
    std::raise(signal);
}

void replay(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        throw std::runtime_error("cannot read " + path.string());
    }
    const std::string octets{std::istreambuf_iterator<char>(file), {}};
    now_at = path.string();
    // In memory of its own size, as the engine has it.
    const std::vector<std::uint8_t> input(octets.begin(), octets.end());
    LLVMFuzzerTestOneInput(input.data(), input.size());
}

}  // namespace

int main(int count, char** arguments) {
    std::signal(SIGABRT, say_where);
    std::signal(SIGSEGV, say_where);
    try {
        std::size_t replayed = 0;
        for (int i = 1; i < count; ++i) {
            const fs::path place(arguments[i]);  // NOLINT(cppcoreguidelines-pro-bounds-pointer-arithmetic)
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
        LLVMFuzzerTestOneInput(nothing.data(), 0);
        std::printf("%zu inputs\n", replayed);
        return replayed == 0 ? 1 : 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: %s\n", now_at.c_str(), error.what());
        return 1;
    }
}
