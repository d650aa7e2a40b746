#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

#include "lihandover/model/result.hpp"
#include "lihandover/model/uuid.hpp"

namespace lihandover::lea_sim {

/// A file that becomes visible under its name only when it is complete. Removed if it is not finished.
class IncomingFile {
  public:
    IncomingFile() = default;
    ~IncomingFile();
    IncomingFile(IncomingFile&& other) noexcept;
    IncomingFile& operator=(IncomingFile&&) = delete;
    IncomingFile(const IncomingFile&) = delete;
    IncomingFile& operator=(const IncomingFile&) = delete;

    [[nodiscard]] static model::Result<IncomingFile> create(const std::filesystem::path& directory);
    [[nodiscard]] model::Status write(std::string_view bytes);
    /// Gives it the name `stem + suffix`, or `stem.2 + suffix` and so on if that is taken; returns the name.
    [[nodiscard]] model::Status finish(std::string_view stem, std::string_view suffix, std::string& name);

  private:
    std::filesystem::path directory_;
    std::filesystem::path path_;
    int descriptor_ = -1;
};

/// The directory that all goes to:
///
///     <transaction>.xml      each message as it came
///     unreadable.xml         what is no HI1 request
///     objects/<object>       binary objects (Model B)
///     index/<object>.jsonl   the lines about one object, in the order of their coming
///
/// Used from all threads.
class Archive {
  public:
    /// Creates the parts of the directory that are missing.
    [[nodiscard]] static model::Result<Archive> open(const std::filesystem::path& directory);

    [[nodiscard]] model::Status store_message(const model::Uuid& transaction, std::string_view document,
                                              std::string& name) const;
    [[nodiscard]] model::Status store_unreadable(std::string_view document, std::string& name) const;
    [[nodiscard]] model::Result<IncomingFile> begin_object() const;
    [[nodiscard]] model::Status add_to_index(const model::Uuid& object, std::string_view line) const;

  private:
    [[nodiscard]] model::Status store(std::string_view document, std::string_view stem, std::string& name) const;
    std::filesystem::path directory_;
};

}  // namespace lihandover::lea_sim
