#include "head_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <string_view>
#include <system_error>

#include "lihandover/base/descriptor.hpp"

namespace lihandover::store {

model::Result<std::optional<audit::ChainHead>> HeadFile::read() const {
    const base::Descriptor file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file && errno == ENOENT) {
        return std::optional<audit::ChainHead>{};
    }
    std::array<char, 512> bytes{};
    const ssize_t size = file ? ::read(file.get(), bytes.data(), bytes.size()) : -1;
    if (size < 0) {
        return model::Error{std::generic_category().message(errno)};
    }
    const std::string_view text(bytes.data(), static_cast<std::size_t>(size));
    auto head = audit::head_of_words(text.substr(0, text.find('\n')));
    if (!head) {
        return model::Error{"it does not name an entry"};
    }
    return head;
}

bool HeadFile::write(const audit::ChainHead& head) const {
    const std::string text = audit::words_of_head(head.chain, head.head) + '\n';
    const std::filesystem::path fresh = path_.string() + ".new";
    {
        const base::Descriptor file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
        // Without the sync a loss of power can leave an empty file under the new name.
        if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
            ::fdatasync(file.get()) != 0) {
            return false;
        }
    }
    return std::rename(fresh.c_str(), path_.c_str()) == 0;
}

}  // namespace lihandover::store
