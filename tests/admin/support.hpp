#pragma once

#include <gtest/gtest.h>
#include <simdjson.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/manual_clock.hpp"
#include "../support/temporary_directory.hpp"
#include "connection.hpp"
#include "lihandover/admin/admin.hpp"
#include "test_store.hpp"

namespace lihandover::admin::test {

/// The rest of the daemon, as a test needs it.
class FakeControl final : public Control {
  public:
    std::atomic<Stage> now = Stage::running;
    Status answer;
    std::shared_ptr<WarrantList> list = std::make_shared<WarrantList>();
    ReloadReport report;
    std::mutex mutex;
    std::vector<std::string> reloads_by;  ///< under `mutex`

    FakeControl() {
        answer.version = "1.2.3";
        answer.stage = Stage::running;
        answer.started_at = {1'795'342'000, 0};
        for (const auto* name : {"lea-one", "lea-two"}) {
            answer.destinations.emplace_back().name = name;
        }
        report.outcome = metrics::ReloadOutcome::done;
    }
    ~FakeControl() override {
        if (reloading_.joinable()) {
            reloading_.join();
        }
    }
    FakeControl(const FakeControl&) = delete;
    FakeControl& operator=(const FakeControl&) = delete;

    void add_warrant(const std::string& destination, const std::string& liid) {
        auto warrant = std::make_shared<warrants::Warrant>();
        warrant->destination = destination;
        warrant->liid = liid;
        warrant->valid_from = {1'700'000'000, 0};
        warrant->valid_until = {1'800'000'000, 0};
        warrant->deliver.metadata = true;
        warrant->deliver.content = true;
        warrant->reference = "W-17";
        warrant->targets.emplace_back().value = "secret-target";
        warrants::InForce in_force;
        in_force.file = liid + ".yaml";
        in_force.warrant = warrant;
        list->push_back(in_force);
    }

    [[nodiscard]] Stage stage() const override { return now; }
    [[nodiscard]] Status status() const override {
        ++asked;
        return answer;
    }
    mutable std::atomic<int> asked = 0;  ///< how often for the status
    [[nodiscard]] std::shared_ptr<const WarrantList> warrants() const override { return list; }
    std::string reviewing_group;
    [[nodiscard]] std::string reviewers() const override { return reviewing_group; }
    std::optional<config::Console> page;
    [[nodiscard]] std::optional<config::Console> console() const override { return page; }
    std::atomic<int> clock_accepted = 0;
    void accept_clock() override { ++clock_accepted; }
    std::shared_ptr<RevocationList> revoked = std::make_shared<RevocationList>();
    RevokeOutcome revocation = RevokeOutcome::revoked;
    std::vector<RevokeRequest> revocations_asked;
    [[nodiscard]] std::shared_ptr<const RevocationList> revocations() const override { return revoked; }
    std::shared_ptr<PendingList> pending = std::make_shared<PendingList>();
    ApprovalAnswer approval;
    std::vector<ApprovalRequest> approvals_asked;
    [[nodiscard]] std::shared_ptr<const PendingList> pending_warrants() const override { return pending; }
    void decide_warrant(ApprovalRequest request, std::function<void(ApprovalAnswer)> done) override {
        approvals_asked.push_back(std::move(request));
        done(approval);
    }
    void revoke(RevokeRequest request, std::function<void(RevokeOutcome)> done) override {
        revocations_asked.push_back(std::move(request));
        done(revocation);
    }
    std::shared_ptr<WarrantSet> set;
    WarrantSetAnswer set_answer;
    std::vector<std::pair<WarrantSetRequest, bool>> sets_asked;  ///< whether it was to be applied
    std::atomic<bool> follows = true;
    [[nodiscard]] std::shared_ptr<const WarrantSet> warrant_set() const override { return set; }
    [[nodiscard]] bool follows_warrants() const override { return follows; }
    void take_warrant_set(WarrantSetRequest request, bool apply, std::function<void(WarrantSetAnswer)> done) override {
        sets_asked.emplace_back(std::move(request), apply);
        done(set_answer);
    }
    /// Whether an operator paused the one destination there is.
    std::atomic<bool> held = false;
    [[nodiscard]] bool has_destination(const std::string& name) const override { return name == "lea-one"; }
    delivery::Backlog waiting;
    mutable std::vector<delivery::BacklogRequest> backlog_asked;
    void backlog(const delivery::BacklogRequest& request, delivery::BacklogDone done) const override {
        backlog_asked.push_back(request);
        done(waiting);
    }
    void pause_destination(const std::string& /*name*/) override { held = true; }
    void resume_destination(const std::string& /*name*/) override { held = false; }
    void reload(ReloadRequest request, std::function<void(ReloadReport)> done) override {
        const std::lock_guard lock(mutex);
        reloads_by.push_back(request.who + (request.confirm_ended ? " confirms" : ""));
        if (reloading_.joinable()) {
            reloading_.join();
        }
        reloading_ = std::thread([this, done = std::move(done)] { done(report); });
    }

  private:
    std::thread reloading_;
};

/// An Admin with everything it needs, and a directory for its socket.
class AdminTest : public testing::Test {
  protected:
    ~AdminTest() override { stop(); }

    void start() { start(parts()); }
    void start(const Parts& with) {
        config::Admin options;
        options.listen.port = 0;
        options.control_socket = socket_;
        auto admin = Admin::listen(io_.get_executor(), options, with);
        ASSERT_TRUE(admin) << admin.error().message;
        admin_ = std::move(*admin);
        admin_->start();
        thread_ = std::thread([this] { io_.run(); });
    }

    void stop() {
        if (!thread_.joinable()) {
            return;
        }
        boost::asio::co_spawn(io_, admin_->stop(std::chrono::seconds(10)), boost::asio::use_future).get();
        work_.reset();
        thread_.join();
        workers_.join();
        admin_.reset();
    }

    [[nodiscard]] Parts parts() {
        return {control_,        store_.items(), store_.audit(), store_.sealing(),        store_.profiles(),
                store_.intake(), metrics_,       clock_,         workers_.get_executor(), store_.objects()};
    }
    [[nodiscard]] ctl::Answer get(const std::string& target) const { return ctl::Connection(socket_).get(target); }
    [[nodiscard]] ctl::Answer post(const std::string& target, const std::string& body) const {
        return ctl::Connection(socket_).post(target, body, std::chrono::seconds(60));
    }

    lihandover::test::TemporaryDirectory held_;
    std::string directory_ = held_.path().string();
    std::string socket_ = directory_ + "/control.sock";
    lihandover::test::ManualClock clock_{{1'795'342'631, 5'000}};
    TestStore store_;
    FakeControl control_;
    metrics::Metrics metrics_;
    boost::asio::thread_pool workers_{2};
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{io_.get_executor()};
    std::thread thread_;
    std::unique_ptr<Admin> admin_;
};

/// A JSON document that a test looks into.
class Json {
  public:
    explicit Json(const std::string& text) {
        if (parser_.parse(text).get(root_) != simdjson::SUCCESS) {
            throw std::runtime_error("no JSON: " + text);
        }
    }
    [[nodiscard]] std::string text(std::string_view pointer) const {
        std::string_view value;
        return root_.at_pointer(pointer).get(value) == simdjson::SUCCESS ? std::string(value) : "(none)";
    }
    [[nodiscard]] std::int64_t number(std::string_view pointer) const {
        std::int64_t value = 0;
        return root_.at_pointer(pointer).get(value) == simdjson::SUCCESS ? value : -1;
    }
    [[nodiscard]] bool is_null(std::string_view pointer) const {
        simdjson::dom::element element;
        return root_.at_pointer(pointer).get(element) == simdjson::SUCCESS && element.is_null();
    }
    [[nodiscard]] std::size_t size(std::string_view pointer) const {
        simdjson::dom::array array;
        return root_.at_pointer(pointer).get(array) == simdjson::SUCCESS ? array.size() : SIZE_MAX;
    }

  private:
    simdjson::dom::parser parser_;
    simdjson::dom::element root_;
};

}  // namespace lihandover::admin::test
