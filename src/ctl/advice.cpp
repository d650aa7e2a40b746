#include "advice.hpp"

#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <vector>

namespace lihandover::ctl {

namespace {

// The command has one thread: what these functions return is nobody else's.
// NOLINTBEGIN(concurrency-mt-unsafe)

std::string user_name(uid_t uid) {
    const passwd* const entry = ::getpwuid(uid);
    return entry == nullptr ? std::to_string(uid) : entry->pw_name;
}

std::string group_name(gid_t gid) {
    const group* const entry = ::getgrgid(gid);
    return entry == nullptr ? std::to_string(gid) : entry->gr_name;
}

/// Whether the user is a member, of whom this process may not know yet: it has the groups of when its session began.
bool is_member(uid_t uid, gid_t gid) {
    const passwd* const entry = ::getpwuid(uid);
    if (entry == nullptr) {
        return false;
    }
    std::vector<gid_t> groups(1024);
    int count = static_cast<int>(groups.size());
    if (::getgrouplist(entry->pw_name, entry->pw_gid, groups.data(), &count) < 0) {
        return false;
    }
    groups.resize(static_cast<std::size_t>(count));
    return std::ranges::find(groups, gid) != groups.end();
}

// NOLINTEND(concurrency-mt-unsafe)

/// What is there and not open to this user: the socket, or the directory above it that cannot be entered.
std::string who_may(const std::string& path) {
    struct stat found {};
    std::filesystem::path place = path;
    while (::stat(place.c_str(), &found) != 0) {
        if (!place.has_relative_path()) {
            return {};
        }
        place = place.parent_path();
    }
    const mode_t needed = S_ISDIR(found.st_mode) ? S_IXGRP : S_IWGRP;
    std::array<char, 8> mode{};
    (void)std::snprintf(mode.data(), mode.size(), "%04o", static_cast<unsigned>(found.st_mode & 07777U));
    std::string out = place.string() + " belongs to the user " + user_name(found.st_uid) + " and the group " +
                      group_name(found.st_gid) + ", with mode " + mode.data() + ". ";
    const std::string me = user_name(::geteuid());
    const std::string group = group_name(found.st_gid);
    if ((found.st_mode & needed) == 0) {
        return out + "Only " + user_name(found.st_uid) +
               " and root may use it: `sudo lihandoverctl …`, or admin.mode and admin.group in lihandoverd.yaml open "
               "it "
               "to a group";
    }
    if (is_member(::geteuid(), found.st_gid)) {
        return out + "You are a member of " + group + ", but this session began before that: log in anew";
    }
    return out + "Members of " + group + " may use it: `sudo adduser " + me + " " + group + "`, then log in anew";
}

}  // namespace

std::string advice_on(int error, const std::string& path) {
    const std::string none = "no connection to " + path + ": ";
    switch (error) {
        case ENOENT:
        case ENOTDIR:
            return none +
                   "there is no such socket; is lihandoverd running? `systemctl status lihandoverd` tells. If its "
                   "admin.control_socket is another: --socket PATH";
        case ECONNREFUSED:
            return none +
                   "nobody listens there any more; is lihandoverd running? `systemctl status lihandoverd` tells, "
                   "and `journalctl -u lihandoverd` why it ended";
        case EACCES:
        case EPERM: {
            const std::string who = who_may(path);
            return none + "you, " + user_name(::geteuid()) + ", may not use it" + (who.empty() ? "" : ". " + who);
        }
        case EAGAIN:
            return none + "too many others wait for the daemon; try again";
        case ENOTSOCK:
        case EPROTOTYPE:
            return none + "that is no socket of lihandoverd's: --socket takes what admin.control_socket says";
        default:
            return none + std::error_code(error, std::system_category()).message();
    }
}

}  // namespace lihandover::ctl
