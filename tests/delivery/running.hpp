#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "../support/eventually.hpp"
#include "../support/manual_clock.hpp"
#include "lea.hpp"
#include "lihandover/delivery/delivery.hpp"
#include "lihandover/model/clock.hpp"
#include "test_store.hpp"

namespace lihandover::delivery::test {

using lihandover::test::eventually;

inline std::vector<model::Uuid> objects_of(const std::vector<TestStore::Made>& made) {
    std::vector<model::Uuid> objects;
    for (const auto& one : made) {
        objects.push_back(one.object);
    }
    return objects;
}

class Running : public testing::Test {
  protected:
    Running() {
        clock_.let_wall_run();
        lea_ = std::make_unique<Lea>(accept);
    }
    ~Running() override {
        if (lea_) {
            lea_->release();  // nothing to wait for
        }
        stop_delivery(std::chrono::seconds(10));
        io_.stop();
        if (thread_.joinable()) {
            thread_.join();
        }
        store_.stop();
        delivery_.reset();
        pool_.join();
    }

    Destination destination(const std::string& name, const Lea& lea) const {
        Destination one;
        one.name = name;
        one.options = options_;
        one.options.url = lea.url();
        one.tls = tls_;
        return one;
    }
    Settings settings() const {
        Settings all;
        all.destinations.push_back(destination("lea-one", *lea_));
        all.schema_validation = validation_;
        all.validator = validator_;
        return all;
    }
    void start() { start(settings()); }
    void start(Settings all) {
        auto made = Delivery::create(
            io_.get_executor(),
            {store_.outbox(), store_.uploads(), store_.lanes(), metrics_, clock_, pool_.get_executor()},
            std::move(all));
        ASSERT_TRUE(made) << made.error().message;
        delivery_ = std::move(*made);
        store_.outbox().set_listener(delivery_.get());
        store_.uploads().set_listener(delivery_.get());
        const auto started = delivery_->start();
        ASSERT_TRUE(started) << started.error().message;
        thread_ = std::thread([this] { io_.run(); });
    }
    void stop_delivery(std::chrono::milliseconds grace) {
        if (delivery_ && thread_.joinable()) {
            boost::asio::co_spawn(io_, delivery_->stop(grace), boost::asio::use_future).get();
        }
    }
    DestinationStatus status(const std::string& name = "lea-one") const {
        for (auto& one : delivery_->status()) {
            if (one.name == name) {
                return one;
            }
        }
        return {};
    }
    bool all_accepted(std::size_t count) {
        return eventually([&] { return store_.accepted().size() >= count; });
    }
    bool paused(metrics::Pause reason) {
        return eventually([&] { return status().paused == reason; });
    }
    std::string metric(const std::string& line_start) const {
        const auto text = metrics_.render();
        const auto at = text.find(line_start);
        return at == std::string::npos
                   ? ""
                   : text.substr(at + line_start.size(), text.find('\n', at) - at - line_start.size());
    }

    config::Destination options_ = [] {
        config::Destination options;
        options.connections = 4;
        options.timeout = std::chrono::seconds(30);
        options.retry.initial = std::chrono::milliseconds(4);
        options.retry.maximum = std::chrono::milliseconds(40);
        return options;
    }();
    config::SchemaValidation validation_ = config::SchemaValidation::off;
    std::shared_ptr<const handover::Validator> validator_;
    std::shared_ptr<const tls::ClientContext> tls_;
    lihandover::test::ManualClock clock_{model::system_clock().wall()};
    TestStore store_{clock_};
    metrics::Metrics metrics_;
    boost::asio::thread_pool pool_{1};
    boost::asio::io_context io_{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_ = make_work_guard(io_);
    std::unique_ptr<Lea> lea_;
    std::unique_ptr<Delivery> delivery_;
    std::thread thread_;
};

}  // namespace lihandover::delivery::test
