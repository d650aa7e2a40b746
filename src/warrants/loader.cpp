#include "lihandover/warrants/loader.hpp"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>
#include <system_error>
#include <tuple>
#include <utility>

#include "lihandover/config/yaml.hpp"
#include "warrant_file.hpp"

namespace lihandover::warrants {

namespace {

using Pair = std::pair<std::string, std::string>;  // destination and LIID

Pair pair_of(const Warrant& warrant) {
    return {warrant.destination, warrant.liid};
}

std::int64_t now_nanos() {
    // File systems stamp with the machine's clock, so it is this one that their stamps are compared with.
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
        .count();
}

/// Whether a file of this stamp, read at that time, can no longer be written to without its stamp changing: stamps move
/// in ticks, so that a second write within one of them would go unseen. Ticks are milliseconds, but whole seconds on
/// file systems that know no more.
bool is_settled(const config::FileStamp& stamp, std::int64_t read_at) {
    constexpr std::int64_t second = 1'000'000'000;
    const bool coarse = stamp.modified_nanos % second == 0 && stamp.changed_nanos % second == 0;
    const std::int64_t tick = coarse ? 2 * second : second / 10;
    return std::max(stamp.modified_nanos, stamp.changed_nanos) + tick < read_at;
}

/// Names of the warrant files, in order.
model::Result<std::vector<std::string>> list_files(const std::string& directory) {
    namespace fs = std::filesystem;
    std::vector<std::string> names;
    std::error_code error;
    fs::directory_iterator entry(directory, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        std::string name = entry->path().filename().string();
        std::error_code ignored;
        if (name.ends_with(".yaml") && !name.starts_with('.') && !entry->is_directory(ignored)) {
            names.push_back(std::move(name));
        }
    }
    if (error) {
        return model::Error{directory + ": cannot be read: " + error.message()};
    }
    std::ranges::sort(names);
    return names;
}

struct Version {
    WarrantPtr warrant;
    Digest digest{};
};

Version version_of(Warrant warrant) {
    Version version;
    version.digest = digest_of(warrant);
    version.warrant = std::make_shared<const Warrant>(std::move(warrant));
    return version;
}

}  // namespace

struct Loader::File {
    config::FileStamp stamp;
    bool settled = false;
    /// What the file said when it was last read; the warrant in it has moved to `current`.
    ParsedFile parsed;
    Version current;    ///< empty: the file is bad by itself
    Version last_good;  ///< what was in force after the last reload; empty: nothing

    // Of this reload only.
    config::Problems problems;
    [[nodiscard]] bool good() const { return current.warrant != nullptr && problems.empty(); }
    [[nodiscard]] const Version& in_force() const { return good() ? current : last_good; }
};

struct Loader::Impl {
    std::string directory;
    std::map<std::string, File> files;

    [[nodiscard]] std::string path_of(const std::string& name) const { return directory + "/" + name; }
    bool look_at(const std::string& name, File& file) const;
    void find_pairs_named_twice();
    void find_pairs_held_by_stale();
};

/// Reads the file again where it may have changed; says whether it did read.
bool Loader::Impl::look_at(const std::string& name, File& file) const {
    const std::string path = path_of(name);
    const model::Result<config::FileStamp> stamp = config::stamp_of(path);
    if (stamp && file.settled && *stamp == file.stamp) {
        return false;
    }
    const std::int64_t read_at = now_nanos();
    model::Result<config::FileText> text = config::read_text_file(path, max_warrant_file_size);
    file.current = {};
    if (!text) {
        file.settled = false;
        file.parsed = {};
        file.parsed.problems.push_back({path, 1, 1, "cannot be read: " + text.error().message, {}});
        return true;
    }
    file.stamp = text->stamp;
    file.settled = is_settled(text->stamp, read_at);
    file.parsed = parse_warrant_file(text->bytes, path);
    if (file.parsed.warrant) {
        file.current = version_of(std::move(*file.parsed.warrant));
        file.parsed.warrant.reset();
        if (file.current.digest == file.last_good.digest && file.last_good.warrant != nullptr) {
            file.current.warrant = file.last_good.warrant;  // one copy of what did not change
        }
    }
    return true;
}

void Loader::Impl::find_pairs_named_twice() {
    std::map<Pair, std::vector<std::map<std::string, File>::iterator>> holders;
    for (auto file = files.begin(); file != files.end(); ++file) {
        if (file->second.current.warrant != nullptr) {
            holders[pair_of(*file->second.current.warrant)].push_back(file);
        }
    }
    for (const auto& [pair, named_by] : holders) {
        for (const auto& file : named_by) {
            if (named_by.size() < 2) {
                break;
            }
            const auto& other = named_by.front() == file ? named_by[1] : named_by.front();
            const config::Place place = file->second.parsed.liid;
            file->second.problems.push_back(
                {path_of(file->first),
                 place.line,
                 place.column,
                 "liid: " + other->first + " names the same destination and LIID; one file for each is allowed",
                 {}});
        }
    }
}

/// A bad file's last good version stays in force, so no other file may bring in its pair. A file refused for that falls
/// back on a last good version of its own, which may again stand in another's way: hence the rounds. Each makes one
/// more file bad, so they end; last good versions were in force together, so they never collide with each other.
void Loader::Impl::find_pairs_held_by_stale() {
    std::vector<std::string> fresh;
    const auto hold = [&](const std::string& name, const File& file) {
        if (!file.good() && file.last_good.warrant != nullptr) {
            fresh.push_back(name);
        }
    };
    std::map<Pair, std::string> current;
    for (const auto& [name, file] : files) {
        hold(name, file);
        if (file.good()) {
            current.emplace(pair_of(*file.current.warrant), name);
        }
    }
    while (!fresh.empty()) {
        const std::string holder = std::move(fresh.back());
        fresh.pop_back();
        const auto rival = current.find(pair_of(*files.at(holder).last_good.warrant));
        if (rival == current.end() || !files.at(rival->second).good()) {
            continue;
        }
        File& file = files.at(rival->second);
        const config::Place place = file.parsed.liid;
        file.problems.push_back({path_of(rival->second),
                                 place.line,
                                 place.column,
                                 "liid: the last good version of " + holder +
                                     " is in force with the same destination and LIID; mend or remove that file first",
                                 {}});
        hold(rival->second, file);
    }
}

Loader::Loader(std::string directory) : impl_(std::make_unique<Impl>()) {
    impl_->directory = std::move(directory);
}

Loader::~Loader() = default;

model::Status Loader::restore(const std::vector<Remembered>& remembered) {
    std::size_t unreadable = 0;
    for (const Remembered& entry : remembered) {
        model::Result<Warrant> warrant = decode(entry.bytes);
        if (warrant) {
            impl_->files[entry.file].last_good = version_of(std::move(*warrant));
        } else {
            ++unreadable;
        }
    }
    if (unreadable != 0) {
        return model::Error{std::to_string(unreadable) +
                            " of the last good versions of warrants in the store cannot be read; their files count "
                            "alone"};
    }
    return {};
}

model::Result<Reload> Loader::reload(const Destinations& destinations) {
    const model::Result<std::vector<std::string>> names = list_files(impl_->directory);
    if (!names) {
        return names.error();
    }
    std::map<Pair, std::pair<std::string, Version>> before;
    for (const auto& [name, file] : impl_->files) {
        if (file.last_good.warrant != nullptr) {
            before.emplace(pair_of(*file.last_good.warrant), std::pair(name, file.last_good));
        }
    }
    // Files that are gone go; those that are new come.
    std::erase_if(impl_->files, [&names](const auto& file) { return !std::ranges::binary_search(*names, file.first); });

    Reload result;
    for (const std::string& name : *names) {
        File& file = impl_->files[name];
        result.read_files += impl_->look_at(name, file) ? 1 : 0;
        file.problems = file.parsed.problems;
        check_destination(file.parsed, impl_->path_of(name), destinations, file.problems);
        config::sort_by_place(file.problems);
    }
    impl_->find_pairs_named_twice();
    impl_->find_pairs_held_by_stale();

    for (auto& [name, file] : impl_->files) {
        result.bad_files += file.good() ? 0 : 1;
        result.problems.insert(result.problems.end(), file.problems.begin(), file.problems.end());
        const Version version = file.in_force();
        if (version.warrant != nullptr) {
            const InForce entry{name, version.warrant, version.digest, !file.good()};
            const auto known = before.find(pair_of(*version.warrant));
            if (known == before.end()) {
                result.added.push_back(entry);
            } else {
                if (known->second.second.digest != version.digest) {
                    result.changed.push_back(entry);
                }
                before.erase(known);
            }
            result.in_force.push_back(entry);
        }
        file.last_good = version;
        file.problems.clear();
    }
    for (auto& [pair, ended] : before) {
        result.ended.push_back({ended.first, ended.second.warrant, ended.second.digest, false});
    }
    std::ranges::sort(result.ended, [](const InForce& a, const InForce& b) {
        return std::tie(a.file, a.digest) < std::tie(b.file, b.digest);
    });
    return result;
}

}  // namespace lihandover::warrants
