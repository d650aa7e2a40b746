#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "../../support/temporary_directory.hpp"

namespace lihandover::store::test {

/// A PostgreSQL of this process's own: in a temporary directory, on a Unix socket there, without syncs, and gone with
/// the process whatever it ends by. It is started when a test first asks for it.
///
/// Each store has a schema of its own there. The daemon's role may read and write its tables, and change none.
class Cluster {
  public:
    /// nullptr where PostgreSQL is not installed; anything else that fails is an exception.
    [[nodiscard]] static Cluster* instance();
    [[nodiscard]] static bool is_installed();

    /// A fresh schema with the tables of a store; its name.
    [[nodiscard]] std::string make_schema();
    /// For libpq.
    [[nodiscard]] std::string connection(const std::string& schema, const std::string& role = "daemon") const {
        return words(directory_.path(), schema, role);
    }
    /// The same over another socket.
    [[nodiscard]] static std::string words(const std::filesystem::path& socket_directory, const std::string& schema,
                                           const std::string& role = "daemon");
    [[nodiscard]] const std::filesystem::path& socket_directory() const { return directory_.path(); }
    /// As the superuser, in that schema.
    void execute(const std::string& schema, const std::string& sql) const;

    /// The server ends at once, as by a crash, and is started again.
    void crash();
    /// Starts a server that follows this one; where its socket is.
    [[nodiscard]] std::filesystem::path start_standby();
    void stop_standby();
    /// What the first row of a statement there has first, as text.
    [[nodiscard]] std::string ask_standby(const std::string& schema, const std::string& sql) const;
    /// Whether commits that ask for it wait for a standby.
    void wait_for_standbys(bool wait) const;

    /// While true, each commit of the store in that schema fails for want of room.
    void fail_commits(const std::string& schema, bool fail) const;

    Cluster(const Cluster&) = delete;
    Cluster& operator=(const Cluster&) = delete;
    Cluster(Cluster&&) = delete;
    Cluster& operator=(Cluster&&) = delete;
    ~Cluster();

  private:
    Cluster();
    void start();
    [[nodiscard]] pid_t serve(const std::filesystem::path& data, const std::filesystem::path& sockets) const;
    [[nodiscard]] std::filesystem::path make_directory(const std::string& name) const;
    void run_whole(const std::string& program, const std::vector<std::string>& arguments) const;

    lihandover::test::TemporaryDirectory directory_;
    pid_t server_ = -1;
    pid_t standby_ = -1;
    int next_ = 0;
};

}  // namespace lihandover::store::test
