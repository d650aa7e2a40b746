#include "file_cache.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <utility>

#include "lihandover/warrants/loader.hpp"

namespace lihandover::warrants {

namespace {

std::int64_t now_nanos() {
    // File systems stamp with the machine's clock, so their stamps are compared with that clock.
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// Whether a file with this stamp, read at that time, can no longer be written without its stamp changing. Stamps move
/// in ticks, so a second write within one of them would go unnoticed. Ticks are milliseconds, but whole seconds on file
/// systems that store no more.
bool is_settled(const config::FileStamp& stamp, std::int64_t read_at) {
    constexpr std::int64_t second = 1'000'000'000;
    const bool coarse = stamp.modified_nanos % second == 0 && stamp.changed_nanos % second == 0;
    const std::int64_t tick = coarse ? 2 * second : second / 10;
    return std::max(stamp.modified_nanos, stamp.changed_nanos) + tick < read_at;
}

}  // namespace

Listing list_directory(const std::string& directory) {
    namespace fs = std::filesystem;
    Listing listing;
    std::error_code error;
    fs::directory_iterator entry(directory, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        std::string name = entry->path().filename().string();
        std::error_code ignored;
        if (name.starts_with('.')) {
            continue;
        }
        if (name.ends_with(".yaml")) {
            listing.files.push_back(std::move(name));
        } else if (!entry->is_directory(ignored)) {
            listing.passed_over.push_back(std::move(name));
        }
    }
    if (error) {
        listing = {};
        listing.unreadable = error.message();
        listing.absent = error == std::errc::no_such_file_or_directory;
    }
    std::ranges::sort(listing.files);
    std::ranges::sort(listing.passed_over);
    return listing;
}

const FileSet::File* FileSet::find(std::string_view name) const {
    const auto found = std::ranges::lower_bound(files, name, {}, &File::name);
    return found != files.end() && found->name == name ? &*found : nullptr;
}

Listing FileCache::list() const {
    if (!is_set_) {
        return list_directory(directory_);
    }
    Listing listing;
    if (!set_) {
        listing.unreadable = "none was applied yet: `lihandoverctl warrants apply DIR` does that";
        listing.absent = true;
        return listing;
    }
    for (const FileSet::File& file : set_->files) {
        listing.files.push_back(file.name);
    }
    return listing;
}

FileCache::Work FileCache::update(const std::vector<std::string>& names, const ParseCache& before,
                                  const KnownWarrant& known) {
    std::vector<CachedFile> next(names.size());
    auto old = files_.begin();
    Work work;
    for (std::size_t n = 0; n < names.size(); ++n) {
        while (old != files_.end() && old->name < names[n]) {
            ++old;
        }
        if (old != files_.end() && old->name == names[n]) {
            next[n] = std::move(*old++);
        } else {
            next[n].name = names[n];
        }
        is_set_ ? look_at_text(next[n], before, known, work) : look_at(next[n], before, known, work);
        if (next[n].details) {
            next[n].details->problems = next[n].details->parsed.problems;
        }
    }
    files_ = std::move(next);
    return work;
}

/// Reads the file again if it may have changed, and parses it if its text is not known.
void FileCache::look_at(CachedFile& file, const ParseCache& before, const KnownWarrant& known, Work& work) const {
    const std::string path = path_of(file.name);
    const model::Result<config::FileStamp> found = config::stamp_of(path);
    const auto stamp = found ? std::optional(short_digest_of(*found)) : std::nullopt;
    if (stamp && file.settled && *stamp == file.stamp) {
        return;
    }
    const bool first = file.warrant == nullptr && !file.details;
    const ParseCache::Entry* const entry = first ? before.find(file.name) : nullptr;
    const WarrantPtr warrant = entry != nullptr ? known(file.name, entry->warrant) : nullptr;
    if (stamp && warrant && *stamp == entry->stamp) {
        file.stamp = *stamp;
        file.settled = true;  // or it would not have been cached
        file.warrant = warrant;
        file.text = entry->text;
        return;
    }
    ++work.read;
    const std::int64_t read_at = now_nanos();
    model::Result<config::FileText> text = config::read_text_file(path, max_warrant_file_size);
    file.warrant = nullptr;
    file.details = nullptr;
    file.settled = false;
    ParsedFile parsed;
    if (text) {
        file.stamp = short_digest_of(text->stamp);
        file.settled = is_settled(text->stamp, read_at);
        file.text = short_digest_of(text->bytes);
        if (warrant && file.text == entry->text) {
            file.warrant = warrant;
            return;
        }
        ++work.parsed;
        parsed = parse_warrant_file(text->bytes, path);
    } else {
        parsed.problems.push_back({path, 1, 1, "cannot be read: " + text.error().message, {}});
    }
    take(file, std::move(parsed));
}

void FileCache::take(CachedFile& file, ParsedFile parsed) {
    if (parsed.warrant) {
        file.warrant = std::make_shared<const Warrant>(std::move(*parsed.warrant));
    } else {
        file.details = std::make_unique<CachedFile::Details>();
        file.details->parsed = std::move(parsed);
    }
}

/// Its text is what it is known by.
void FileCache::look_at_text(CachedFile& file, const ParseCache& before, const KnownWarrant& known, Work& work) const {
    const std::string& text = set_->find(file.name)->text;
    const ShortDigest digest = short_digest_of(text);
    const bool first = file.warrant == nullptr && !file.details;
    if (!first && file.text == digest) {
        return;
    }
    file.text = file.stamp = digest;
    file.settled = true;
    file.details = nullptr;
    const ParseCache::Entry* const entry = first ? before.find(file.name) : nullptr;
    file.warrant = entry != nullptr && entry->text == digest ? known(file.name, entry->warrant) : nullptr;
    ++work.read;
    if (!file.warrant) {
        ++work.parsed;
        take(file, parse_warrant_file(text, path_of(file.name)));
    }
}

std::optional<std::string> FileCache::text_of(const std::string& name) const {
    if (is_set_) {
        return set_->find(name)->text;
    }
    auto text = config::read_text_file(path_of(name), max_warrant_file_size);
    return text ? std::optional(std::move(text->bytes)) : std::nullopt;
}

ParseCache FileCache::to_cache() const {
    ParseCache cache;
    cache.entries.reserve(files_.size());
    for (const CachedFile& file : files_) {
        if (file.warrant && file.settled) {
            cache.entries.push_back({file.name, file.stamp, file.text, digest_of(*file.warrant)});
        }
    }
    return cache;
}

const ParsedFile& FileCache::places(CachedFile& file) const {
    if (!file.details) {
        file.details = std::make_unique<CachedFile::Details>();
        const std::string path = path_of(file.name);
        if (const auto text = text_of(file.name)) {
            file.details->parsed = parse_warrant_file(*text, path);
            file.details->parsed.warrant.reset();
            // If it has changed since, the next reload says what is wrong with it.
            file.details->parsed.problems.clear();
        }
    }
    return file.details->parsed;
}

}  // namespace lihandover::warrants
