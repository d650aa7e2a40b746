#pragma once

#include <stdlib.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

#include "../support/temporary_directory.hpp"
#include "lihandover/http/server.hpp"
#include "lihandover/intake/http/events_handler.hpp"
#include "lihandover/intake/pipeline/file_copier.hpp"
#include "lihandover/metrics/metrics.hpp"
#include "support.hpp"

namespace lihandover::intake::testing {

namespace asio = boost::asio;

using lihandover::test::TemporaryDirectory;

// A handler behind a real server on a Unix socket, over any store.
class Intake {
  public:
    /// Events may name files below root().
    ///   shared  with other sources
    Intake(TestStore& store, std::shared_ptr<const Snapshot> first, http::Timeouts timeouts = {}, bool shared = false)
        : Intake(store.item_intake(), store.object_intake(), std::move(first), timeouts, shared) {}
    Intake(store::ItemIntake& items, store::ObjectIntake& objects, std::shared_ptr<const Snapshot> first,
           http::Timeouts timeouts = {}, bool shared = false)
        : snapshot_(std::move(first)),
          budget_(io_.get_executor(), std::size_t{64} << 20),
          copier_((std::filesystem::create_directory(root()), root().string()), objects, metrics_.objects_lost(),
                  clock_, {std::chrono::milliseconds(1)}),
          handler_("local", metrics_.source("local"),
                   {items, objects, snapshot_, budget_, clock_, workers_.get_executor(), &copier_, shared}) {
        http::ServerOptions options;
        options.listen = "unix:" + socket();
        options.timeouts = timeouts;
        server_ = http::Server::listen(io_.get_executor(), std::move(options), handler_).value();
        server_->start();
        thread_ = std::thread([this] { io_.run(); });
    }
    Intake(const Intake&) = delete;
    Intake& operator=(const Intake&) = delete;
    ~Intake() {
        asio::co_spawn(io_, server_->stop(std::chrono::milliseconds(0)), asio::use_future).get();
        asio::post(io_, [this] { handler_.stop(); });
        copier_.stop();
        work_.reset();
        thread_.join();
    }

    [[nodiscard]] std::string socket() const { return (directory_.path() / "intake.sock").string(); }
    [[nodiscard]] std::filesystem::path root() const { return directory_.path() / "files"; }
    [[nodiscard]] FileCopier& copier() { return copier_; }
    [[nodiscard]] std::string metrics() const { return metrics_.render(); }
    void publish(std::shared_ptr<const Snapshot> next) { snapshot_.publish(std::move(next)); }
    lihandover::test::ManualClock& clock() { return clock_; }

  private:
    TemporaryDirectory directory_;
    lihandover::test::ManualClock clock_{noon};
    metrics::Metrics metrics_;
    CurrentSnapshot snapshot_;
    asio::thread_pool workers_{2};
    asio::io_context io_;
    asio::executor_work_guard<asio::io_context::executor_type> work_ = asio::make_work_guard(io_);
    BodyBudget budget_;
    FileCopier copier_;
    EventsHandler handler_;
    std::unique_ptr<http::Server> server_;
    std::thread thread_;
};

}  // namespace lihandover::intake::testing
