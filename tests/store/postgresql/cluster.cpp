#include "cluster.hpp"

#include <fcntl.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include "postgresql/pq.hpp"
#include "postgresql/schema.hpp"

namespace lihandover::store::test {

namespace {

using std::filesystem::perms;
constexpr perms open_to_all =
    perms::owner_all | perms::group_read | perms::group_exec | perms::others_read | perms::others_exec;

const std::filesystem::path programs = "/usr/lib/postgresql/15/bin";

/// The server does not run as root: then it is the system's postgres.
void become_unprivileged() {
    if (geteuid() != 0) {
        return;
    }
    const passwd* user = getpwnam("postgres");
    if (user == nullptr || setgroups(0, nullptr) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0) {
        _exit(126);
    }
}

/// Its output goes to `log`.
pid_t run(const std::string& program, std::vector<std::string> arguments, const std::filesystem::path& log) {
    const std::string path = programs / program;
    arguments.insert(arguments.begin(), path);
    std::vector<char*> raw;
    raw.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) {
        raw.push_back(argument.data());
    }
    raw.push_back(nullptr);
    const pid_t parent = getpid();
    const pid_t child = fork();
    if (child == 0) {
        become_unprivileged();
        // Not a moment longer than the tests, however they end.
        prctl(PR_SET_PDEATHSIG, SIGQUIT);
        // Not through stdio: it would write what the tests have in its buffers once more.
        const int output = open(log.c_str(), O_WRONLY | O_APPEND);
        if (getppid() != parent || output < 0 || dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0) {
            _exit(126);
        }
        execv(raw[0], raw.data());
        _exit(127);
    }
    return child;
}

std::string text_of(const std::filesystem::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), {}};
}

/// To the server's user.
void give_away(const std::filesystem::path& path) {
    const passwd* user = geteuid() == 0 ? getpwnam("postgres") : nullptr;
    if (user != nullptr && chown(path.c_str(), user->pw_uid, user->pw_gid) != 0) {
        throw std::runtime_error("a directory cannot be given to postgres");
    }
}

}  // namespace

bool Cluster::is_installed() {
    return std::filesystem::exists(programs / "postgres");
}

Cluster* Cluster::instance() {
    static const std::unique_ptr<Cluster> cluster(is_installed() ? new Cluster : nullptr);
    return cluster.get();
}

std::filesystem::path Cluster::make_directory(const std::string& name) const {
    std::filesystem::path path = directory_.path() / name;
    std::filesystem::create_directory(path);
    std::filesystem::permissions(path, perms::owner_all);
    give_away(path);
    return path;
}

void Cluster::run_whole(const std::string& program, const std::vector<std::string>& arguments) const {
    const std::filesystem::path log = directory_.path() / "log";
    const pid_t child = run(program, arguments, log);
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) {
        throw std::runtime_error(program + " failed: " + text_of(log));
    }
}

Cluster::Cluster() {
    // The server's user has to come to its data.
    std::filesystem::permissions(directory_.path(), open_to_all);
    std::ofstream(directory_.path() / "log").flush();
    give_away(directory_.path());
    give_away(directory_.path() / "log");
    run_whole("initdb", {"-D", make_directory("data"), "-U", "postgres", "-A", "trust", "--no-sync",
                         "--no-instructions", "-E", "UTF8", "--locale=C"});
    server_ = serve(directory_.path() / "data", directory_.path());
    execute("public", "CREATE ROLE daemon LOGIN; GRANT pg_read_all_stats TO daemon");
}

pid_t Cluster::serve(const std::filesystem::path& data, const std::filesystem::path& sockets) const {
    std::vector<std::string> arguments = {"-D", data};
    for (const char* option :
         {"listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=100", "shared_buffers=16MB",
          "max_wal_size=256MB", "log_min_messages=warning", "autovacuum=off"}) {
        arguments.insert(arguments.end(), {"-c", option});
    }
    arguments.insert(arguments.end(), {"-c", "unix_socket_directories=" + sockets.string()});
    const pid_t server = run("postgres", arguments, directory_.path() / "log");
    const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    const std::string words = Cluster::words(sockets, "public", "postgres");
    while (PQping(words.c_str()) != PQPING_OK) {
        if (waitpid(server, nullptr, WNOHANG) != 0 || std::chrono::steady_clock::now() > until) {
            throw std::runtime_error("the server does not start: " + text_of(directory_.path() / "log"));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return server;
}

void Cluster::crash() {
    kill(server_, SIGQUIT);
    waitpid(std::exchange(server_, -1), nullptr, 0);
    server_ = serve(directory_.path() / "data", directory_.path());
}

std::filesystem::path Cluster::start_standby() {
    const std::filesystem::path data = directory_.path() / "standby";
    const std::filesystem::path sockets = directory_.path() / "standby_sockets";
    if (!std::filesystem::exists(data)) {
        static_cast<void>(make_directory("standby_sockets"));
        run_whole("pg_basebackup", {"-h", directory_.path(), "-U", "postgres", "-D", make_directory("standby"), "-R",
                                    "-X", "stream", "-c", "fast", "--no-sync"});
    }
    standby_ = serve(data, sockets);
    return sockets;
}

void Cluster::stop_standby() {
    if (standby_ > 0) {
        kill(standby_, SIGQUIT);
        waitpid(std::exchange(standby_, -1), nullptr, 0);
    }
}

std::string Cluster::ask_standby(const std::string& schema, const std::string& sql) const {
    const std::string words = Cluster::words(directory_.path() / "standby_sockets", schema, "postgres");
    const std::unique_ptr<PGconn, decltype(&PQfinish)> connection(PQconnectdb(words.c_str()), PQfinish);
    const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection.get(), sql.c_str()), PQclear);
    if (PQresultStatus(result.get()) != PGRES_TUPLES_OK || PQntuples(result.get()) == 0) {
        throw std::runtime_error(PQerrorMessage(connection.get()));
    }
    return PQgetvalue(result.get(), 0, 0);
}

void Cluster::wait_for_standbys(bool wait) const {
    execute("public", std::string("ALTER SYSTEM SET synchronous_standby_names='") + (wait ? "*'" : "'"));
    execute("public", "SELECT pg_reload_conf()");
}

std::string Cluster::make_schema() {
    std::string name = "store_" + std::to_string(next_++);
    execute("public", "CREATE SCHEMA " + name);
    postgresql::Connection connection({.connection = this->connection(name, "postgres")});
    if (auto migrated = postgresql::migrate(connection); !migrated) {
        throw std::runtime_error(migrated.error().message);
    }
    connection.execute(
        "GRANT USAGE ON SCHEMA " + name + " TO daemon; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA " +
        name + " TO daemon; GRANT USAGE ON ALL SEQUENCES IN SCHEMA " + name +
        " TO daemon;"
        // Each transaction of a store updates its daemon's row, so that a check which is put off until the commit can
        // make that fail.
        "CREATE TABLE test_switch(fail boolean); INSERT INTO test_switch VALUES(false);"
        "GRANT SELECT ON test_switch TO daemon;"
        "CREATE FUNCTION test_fail() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF (SELECT fail FROM test_switch) "
        "THEN "
        "RAISE EXCEPTION 'no room' USING ERRCODE='53100'; END IF; RETURN NULL; END$$;"
        "CREATE CONSTRAINT TRIGGER test_fail AFTER UPDATE ON node DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE "
        "FUNCTION test_fail();");
    return name;
}

std::string Cluster::words(const std::filesystem::path& socket_directory, const std::string& schema,
                           const std::string& role) {
    return "host=" + socket_directory.string() + " dbname=postgres user=" + role + " options=-csearch_path=" + schema;
}

void Cluster::execute(const std::string& schema, const std::string& sql) const {
    postgresql::Connection({.connection = connection(schema, "postgres")}).execute(sql);
}

void Cluster::fail_commits(const std::string& schema, bool fail) const {
    execute(schema, std::string("UPDATE test_switch SET fail=") + (fail ? "true" : "false"));
}

Cluster::~Cluster() {
    stop_standby();
    if (server_ > 0) {
        kill(server_, SIGQUIT);
        waitpid(server_, nullptr, 0);
    }
}

}  // namespace lihandover::store::test
