// The program itself: its command line, its first and last line, its end.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

#include "test_support.hpp"

namespace lihandover::lea_sim::test {
namespace {

using testing::HasSubstr;

/// lea-sim with its output in a pipe.
class Program {
  public:
    explicit Program(const std::vector<std::string>& arguments) {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
            throw std::runtime_error("no pipe");
        }
        std::vector<std::string> all = {LEA_SIM_PROGRAM};
        all.insert(all.end(), arguments.begin(), arguments.end());
        std::vector<char*> pointers;
        for (auto& argument : all) {
            pointers.push_back(argument.data());
        }
        pointers.push_back(nullptr);
        posix_spawn_file_actions_t actions{};
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
        const int error = ::posix_spawn(&pid_, pointers.front(), &actions, nullptr, pointers.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        ::close(ends[1]);
        output_ = ends[0];
        if (error != 0) {
            throw std::runtime_error("no process");
        }
    }
    ~Program() {
        if (pid_ != 0) {
            (void)::kill(pid_, SIGKILL);
            (void)end();
        }
        ::close(output_);
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// The next line, without its end; what is left at the end of the output.
    std::string line() {
        std::string text;
        for (char byte = 0; ::read(output_, &byte, 1) == 1 && byte != '\n';) {
            text += byte;
        }
        return text;
    }
    std::string rest() {
        std::string text;
        for (char byte = 0; ::read(output_, &byte, 1) == 1;) {
            text += byte;
        }
        return text;
    }
    void signal(int number) const { (void)::kill(pid_, number); }
    /// The exit status, or minus the signal.
    int end() {
        int status = 0;
        (void)::waitpid(std::exchange(pid_, 0), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
    }

  private:
    pid_t pid_ = 0;
    int output_ = -1;
};

std::vector<std::string> usual(const std::vector<std::string>& more) {
    const auto files = Certificates::lea();
    std::vector<std::string> arguments = {"--listen",      "127.0.0.1:0",     "--certificate", files.certificate,
                                          "--private-key", files.private_key, "--client-ca",   files.ca};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

TEST(Program, SaysWhereItListensAndEndsWithTotals) {
    const Directory directory;
    for (const int signal : {SIGTERM, SIGINT}) {
        Program program(usual({"--output",        (directory.path() / "out").string(),
                               "--control",       "unix:" + (directory.path() / "control").string(),
                               "--delay",         "10ms",
                               "--refuse",        "code=3999,liid=A",
                               "--refuse",        "every=2",
                               "--status",        "503",
                               "--retry-after",   "2",
                               "--drop",          "moment=any,every=7",
                               "--read-rate",     "1000",
                               "--garbage",       "--withhold-continue",
                               "--expect-status", "417",
                               "--rule",          "kind=twice",
                               "--chaos",         "drop=0.5,delay=0.5",
                               "--seed",          "7"}));
        const ParsedLine listening(program.line());
        EXPECT_EQ(listening.text("event"), "listening");
        EXPECT_GT(listening.number("port"), 0);
        EXPECT_EQ(listening.text("control"), "unix:" + (directory.path() / "control").string());
        program.signal(signal);
        const ParsedLine totals(program.line());
        EXPECT_EQ(totals.text("event"), "totals");
        EXPECT_EQ(totals.number("messages"), 0);
        EXPECT_EQ(program.rest(), "");
        EXPECT_EQ(program.end(), 0);
    }
}

TEST(Program, RefusesWhatItCannotDo) {
    const auto fails = [](const std::vector<std::string>& arguments, std::string_view why) {
        Program program(arguments);
        EXPECT_THAT(program.rest(), HasSubstr(std::string(why)));
        EXPECT_NE(program.end(), 0);
    };
    fails({}, "--certificate");
    fails(usual({}), "--output or --discard");
    fails(usual({"--discard", "--refuse", "every=0"}), "every");
    fails(usual({"--discard", "--chaos", "explode=1"}), "kind");
    fails(usual({"--discard", "--retry-after", "2"}), "--status");
    fails(usual({"--discard", "--output", "x"}), "--discard");
    fails(usual({"--discard", "--listen", "127.0.0.1:99999"}), "--listen");
    fails(usual({"--discard", "--validate", "/nonexistent"}), "--validate");
    auto files = usual({"--discard"});
    files[3] = "/nonexistent.pem";
    fails(files, "nonexistent.pem");
}

}  // namespace
}  // namespace lihandover::lea_sim::test
