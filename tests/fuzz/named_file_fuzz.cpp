// Names of files that events give: whatever they are, only files below the directory are opened.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>

#include "../support/temporary_directory.hpp"
#include "fuzz.hpp"
#include "pipeline/named_file.hpp"

namespace {

namespace fs = std::filesystem;
using namespace lihandover;
using fuzz::must;

/// A directory with files, one beside it, and links that lead out.
class Tree {
  public:
    Tree() {
        fs::create_directories(root() / "a" / "b");
        write(top_.path() / "secret");
        for (const char* const inside : {"f", "a/f", "a/b/f", "..f"}) {
            write(root() / inside);
            struct stat status {};
            must(::stat((root() / inside).c_str(), &status) == 0, "a file is there");
            inside_.insert(status.st_ino);
        }
        fs::create_symlink("../secret", root() / "l");
        fs::create_symlink("../..", root() / "a" / "u");
        fs::create_symlink("f", root() / "m");
        must(::mkfifo((root() / "p").c_str(), 0600) == 0, "a pipe can be had");
    }
    [[nodiscard]] fs::path root() const { return top_.path() / "root"; }
    [[nodiscard]] bool is_inside(std::uint64_t inode) const { return inside_.contains(inode); }

  private:
    static void write(const fs::path& path) { std::ofstream(path) << "bytes"; }

    test::TemporaryDirectory top_;
    std::set<std::uint64_t> inside_;
};

}  // namespace

void lihandover::fuzz::try_input(const std::uint8_t* data, std::size_t size) {
    static const Tree tree;
    const fuzz::Exact name({reinterpret_cast<const char*>(data), size});
    model::ObjectLoss why = model::ObjectLoss::none;
    const auto file = intake::NamedFile::open(tree.root().string(), name.view(), why);
    if (!file) {
        must(why == model::ObjectLoss::vanished || why == model::ObjectLoss::unreadable, "there is a reason");
        return;
    }
    const auto identity = file->identity();
    must(identity && tree.is_inside(identity->inode), "what is opened lies below the directory");
    must(identity->size == 5, "and is a file of it");
}
