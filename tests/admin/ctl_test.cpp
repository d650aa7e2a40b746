// lihandoverctl as a process, against the control socket.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "lihandover/hi1/error_codes.hpp"
#include "lihandover/http/server.hpp"
#include "support.hpp"

namespace lihandover::admin::test {
namespace {

using store::ItemState;
using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;
using testing::StartsWith;

struct Ended {
    int status = -1;
    std::string out;
    std::string error;
};

class CtlTest : public AdminTest {
  protected:
    /// Runs it with the socket's path in front.
    Ended ctl(std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), {"--socket", socket_});
        return run(std::move(arguments));
    }

    Ended run(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), LIHANDOVERCTL_PROGRAM);
        std::vector<char*> pointers;
        for (auto& argument : arguments) {
            pointers.push_back(argument.data());
        }
        pointers.push_back(nullptr);
        const auto out = directory_ + "/out";
        const auto error = directory_ + "/error";
        posix_spawn_file_actions_t actions{};
        posix_spawn_file_actions_init(&actions);
        constexpr int flags = O_WRONLY | O_CREAT | O_TRUNC;
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out.c_str(), flags, 0600);
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, error.c_str(), flags, 0600);
        pid_t pid = 0;
        const int failed = ::posix_spawn(&pid, pointers.front(), &actions, nullptr, pointers.data(), environ);
        posix_spawn_file_actions_destroy(&actions);
        if (failed != 0) {
            throw std::runtime_error("no process");
        }
        int status = 0;
        (void)::waitpid(pid, &status, 0);
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(out), read_file(error)};
    }

    static std::string read_file(const std::string& path) {
        std::ifstream file(path, std::ios::binary);
        std::ostringstream text;
        text << file.rdbuf();
        return text.str();
    }
};

TEST_F(CtlTest, PrintsAnArrayOfItems) {
    start();
    EXPECT_EQ(ctl({"items", "--json"}).out, "[]\n");
    const auto one = store_.add(ItemState::queued, "lea-one", "LIID-1");
    store_.add(ItemState::refused, "lea-two", "LIID-2");
    const auto ended = ctl({"items", "--json"});
    EXPECT_EQ(ended.status, 0) << ended.error;
    EXPECT_THAT(ended.out, StartsWith("["));
    const Json json(ended.out);
    ASSERT_EQ(json.size(""), 2U);
    EXPECT_EQ(json.text("/0/id"), one.object_id.to_string());
    EXPECT_EQ(json.text("/0/liid"), "LIID-1");
    EXPECT_EQ(json.text("/0/destination"), "lea-one");
    EXPECT_EQ(json.text("/0/state"), "queued");
    EXPECT_EQ(json.text("/1/state"), "refused");
    // Global options before the command and after it.
    EXPECT_EQ(ctl({"--json", "items"}).out, ended.out);
    EXPECT_EQ(run({"items", "--socket", socket_, "--json"}).out, ended.out);
    EXPECT_EQ(Json(ctl({"items", "--state", "refused", "--json"}).out).size(""), 1U);
    EXPECT_EQ(Json(ctl({"items", "--destination", "lea-two", "--json"}).out).size(""), 1U);
}

TEST_F(CtlTest, PrintsAllPages) {
    std::vector<std::string> ids;
    for (int i = 0; i < 2500; ++i) {
        ids.push_back(store_.add(ItemState::queued).object_id.to_string());
    }
    start();
    const Json all(ctl({"items", "--json"}).out);
    ASSERT_EQ(all.size(""), ids.size());
    EXPECT_EQ(all.text("/2499/id"), ids.back());
    const Json some(ctl({"items", "--json", "--limit", "1200", "--after", ids[9]}).out);
    ASSERT_EQ(some.size(""), 1200U);
    EXPECT_EQ(some.text("/0/id"), ids[10]);
    EXPECT_EQ(some.text("/1199/id"), ids[1209]);
}

TEST_F(CtlTest, SaysOfADeliveredItemThatTheLeaHadItAlready) {
    const auto item = store_.add(ItemState::delivered, "lea-one", "LIID-1", [](store::ItemView& delivered) {
        delivered.refusal = store::Refusal{hi1::object_already_exists, store::Refusal::Kind::hi1_error, ""};
        delivered.why = store::already_there;
    });
    start();
    const auto shown = ctl({"show", item.object_id.to_string()});
    EXPECT_EQ(shown.status, 0);
    EXPECT_THAT(shown.out, HasSubstr("state:        delivered\n"));
    EXPECT_THAT(shown.out, HasSubstr("answer:       hi1_error 3010\n"));
    EXPECT_THAT(shown.out, HasSubstr("meaning:      " + std::string(hi1::meaning_of(3010))));
    EXPECT_THAT(shown.out, HasSubstr("reason:       the LEA had it already\n"));
    EXPECT_THAT(shown.out, Not(HasSubstr("refusal")));
    EXPECT_THAT(ctl({"items", "--state", "delivered"}).out, HasSubstr("hi1_error 3010"));
}

TEST_F(CtlTest, PrintsTables) {
    const auto item = store_.add(ItemState::refused, "lea-one", "LIID-1",
                                 [](store::ItemView& refused) { refused.refusal->words = "\x1b[2Jgo away\xc2\x9b"; });
    start();
    const auto items = ctl({"items"});
    EXPECT_EQ(items.status, 0);
    EXPECT_THAT(items.out, StartsWith("ID"));
    EXPECT_THAT(items.out, HasSubstr(item.object_id.to_string() + "  item  refused  lea-one      LIID-1"));
    EXPECT_THAT(items.out, HasSubstr("\\x1b[2Jgo away\\u009b"));
    const auto shown = ctl({"show", item.object_id.to_string()});
    EXPECT_EQ(shown.status, 0);
    EXPECT_THAT(shown.out, HasSubstr("3007: \\x1b[2Jgo away\\u009b"));
    EXPECT_THAT(shown.out, HasSubstr("meaning:      " + std::string(hi1::meaning_of(3007))));
    EXPECT_THAT(shown.out, Not(HasSubstr("\x1b")));
    const auto json = ctl({"show", item.object_id.to_string(), "--json"});
    EXPECT_EQ(Json(json.out).text("/refusal/words"), item.refusal->words);
    EXPECT_THAT(json.out, Not(HasSubstr("\xc2\x9b")));
    EXPECT_EQ(Json(ctl({"items", "--json"}).out).text("/0/refusal/words"), item.refusal->words);
}

TEST_F(CtlTest, PrintsStatusAndWarrants) {
    control_.add_warrant("lea-one", "LIID-1");
    control_.list->front().stale = true;
    control_.answer.destinations[0].paused = metrics::Pause::tls;
    control_.answer.alarms = {"look here"};
    control_.answer.last_reload = control_.report;
    store_.add(ItemState::queued);
    start();
    const auto status = ctl({"status"});
    EXPECT_EQ(status.status, 0) << status.error;
    for (const auto* part : {"lihandoverd 1.2.3: ready", "accepting", "of 50.0 GiB", "ALARM: look here", "paused (tls)",
                             "lea-two", "last reload: done"}) {
        EXPECT_THAT(status.out, HasSubstr(part));
    }
    EXPECT_EQ(Json(ctl({"status", "--json"}).out).text("/version"), "1.2.3");
    const auto warrants = ctl({"warrants"});
    EXPECT_EQ(warrants.status, 0);
    EXPECT_THAT(warrants.out, HasSubstr("LIID-1.yaml (bad now"));
    EXPECT_EQ(Json(ctl({"warrants", "--json"}).out).text("/0/liid"), "LIID-1");
}

TEST_F(CtlTest, DecidesAboutItems) {
    const auto one = store_.add(ItemState::refused).object_id.to_string();
    const auto two = store_.add(ItemState::refused).object_id.to_string();
    const auto three = store_.add(ItemState::refused).object_id.to_string();
    start();
    EXPECT_EQ(ctl({"retry", one}).out, "1 item queued again\n");
    EXPECT_EQ(ctl({"reject", two, three, "--reason", "agreed \"by\" telephone\\", "--operator", "Anna"}).out,
              "2 items rejected\n");
    {
        const auto decided = store_.decided();
        ASSERT_EQ(decided.size(), 2U);
        EXPECT_EQ(decided[0].who, http::user_name(::getuid()));
        EXPECT_EQ(decided[1].who, "Anna (uid " + http::user_name(::getuid()) + ")");
        EXPECT_EQ(decided[1].why, "agreed \"by\" telephone\\");
    }
    EXPECT_THAT(ctl({"show", two}).out, HasSubstr("agreed \"by\" telephone\\"));
    store_.add(ItemState::refused);
    EXPECT_EQ(Json(ctl({"retry", "--destination", "lea-one", "--code", "3007", "--json"}).out).number("/changed"), 1);
}

TEST_F(CtlTest, EndsWithZeroOnlyOnSuccess) {
    const auto queued = store_.add(ItemState::queued).object_id.to_string();
    start();
    const auto fails = [&](const std::vector<std::string>& arguments, const std::string& why) {
        const auto ended = ctl(arguments);
        EXPECT_NE(ended.status, 0) << why;
        EXPECT_EQ(ended.out, "") << why;
        EXPECT_THAT(ended.error, HasSubstr(why));
    };
    fails({}, "subcommand");
    fails({"dance"}, "subcommand");
    fails({"items", "--state", "lost"}, "--state");
    fails({"items", "--limit", "0"}, "--limit");
    fails({"items", "--after", model::Uuid::random().to_string(), "--json"}, "no such item");
    fails({"show"}, "ID");
    fails({"show", "17"}, "ObjectIdentifier");
    fails({"show", model::Uuid::random().to_string()}, "no such item");
    fails({"retry"}, "ID or --destination");
    fails({"retry", queued}, queued + ": queued");
    fails({"retry", queued, "--destination", "lea-one"}, "--destination");
    fails({"retry", "--code", "1"}, "--destination");
    fails({"retry", "--destination", "nobody"}, "no such destination");
    fails({"reject", queued}, "--reason");
    fails({"reject", queued, "--reason", ""}, "reason");
    fails({"approve", queued}, "held");
    fails({"approve", "--reason", "x", queued}, "--reason");
    EXPECT_TRUE(store_.decided().empty());
}

TEST_F(CtlTest, PausesAndResumesADestinationAndHasItStored) {
    start();
    EXPECT_EQ(ctl({"pause", "lea-one", "--operator", "alice"}).status, 0);
    EXPECT_TRUE(control_.held);
    EXPECT_EQ(ctl({"resume", "lea-one"}).status, 0);
    EXPECT_FALSE(control_.held);
    EXPECT_NE(ctl({"pause", "elsewhere"}).status, 0);
    EXPECT_NE(ctl({"pause"}).status, 0);
    const auto decided = store_.decided();
    ASSERT_EQ(decided.size(), 2U);
    EXPECT_EQ(decided[0].call, store::test::Call::pause);
    EXPECT_EQ(decided[0].destination, "lea-one");
    EXPECT_THAT(decided[0].who, StartsWith("alice (uid "));
    EXPECT_EQ(decided[1].call, store::test::Call::resume);
}

TEST_F(CtlTest, PausesNothingWhereThatCannotBeStored) {
    store_.fail_decisions();
    start();
    const auto answer = ctl({"pause", "lea-one"});
    EXPECT_NE(answer.status, 0);
    EXPECT_THAT(answer.error, HasSubstr("not committed"));
    EXPECT_FALSE(control_.held);
}

TEST_F(CtlTest, AcceptsTheClock) {
    start();
    EXPECT_EQ(ctl({"clock", "accept"}).status, 0);
    EXPECT_EQ(control_.clock_accepted, 1);
    EXPECT_NE(ctl({"clock"}).status, 0);
    EXPECT_EQ(control_.clock_accepted, 1);
}

TEST_F(CtlTest, SaysHowAReloadEnded) {
    start();
    const auto done = ctl({"reload"});
    EXPECT_EQ(done.status, 0);
    EXPECT_THAT(done.out, HasSubstr("reload: done"));
    EXPECT_EQ(ctl({"reload", "--confirm-ended"}).status, 0);
    {
        const std::lock_guard lock(control_.mutex);
        ASSERT_EQ(control_.reloads_by.size(), 2U);
        EXPECT_THAT(control_.reloads_by[0], Not(HasSubstr("confirms")));
        EXPECT_THAT(control_.reloads_by[1], HasSubstr("confirms"));
    }
    stop();
}

TEST_F(CtlTest, FailsWhenAReloadLeftSomethingBad) {
    control_.report.outcome = metrics::ReloadOutcome::partial;
    control_.report.problems = {"w.yaml:1:1: what is \x1b[2J this"};
    start();
    const auto partial = ctl({"reload"});
    EXPECT_EQ(partial.status, 1);
    EXPECT_THAT(partial.error, HasSubstr("w.yaml:1:1: what is \\x1b[2J this"));
    EXPECT_EQ(Json(ctl({"reload", "--json"}).out).text("/outcome"), "partial");
    control_.report.outcome = metrics::ReloadOutcome::failed;
    EXPECT_EQ(ctl({"reload", "--operator", "anna"}).status, 1);
}

TEST_F(CtlTest, SaysThatNobodyIsThere) {
    const auto ended = ctl({"status"});
    EXPECT_EQ(ended.status, 3);
    EXPECT_THAT(ended.error, HasSubstr("is lihandoverd running?"));
    EXPECT_THAT(run({"--version"}).out, MatchesRegex("lihandoverctl [0-9]+\\.[0-9]+\\.[0-9]+\n"));
    EXPECT_EQ(run({"--help"}).status, 0);
}

}  // namespace
}  // namespace lihandover::admin::test
