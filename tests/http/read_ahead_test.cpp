#include "lihandover/http/read_ahead.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "support.hpp"

namespace lihandover::http::test {
namespace {

namespace asio = boost::asio;
using Bytes = model::Result<std::string>;

/// What is read: a pattern, through a function that notes its calls and can be held up.
class Disk {
  public:
    explicit Disk(std::uint64_t size) : content_(PatternSource::pattern(size)) {}

    BlockRead reader() {
        return [this](std::uint64_t at, std::span<char> out) { return read(at, out); };
    }
    model::Result<std::size_t> read(std::uint64_t at, std::span<char> out) {
        std::unique_lock lock(mutex_);
        ++inside_;
        overlapped_ = overlapped_ || inside_ > 1;
        calls_.push_back({at, out.size()});
        changed_.notify_all();
        changed_.wait(lock, [&] { return !held_; });
        --inside_;
        if (at >= fail_at_) {
            return model::Error{"the disk is on fire"};
        }
        if (at >= throw_at_) {
            throw std::runtime_error{"out of something"};
        }
        const auto count = at < content_.size() ? std::min<std::uint64_t>(out.size(), content_.size() - at) : 0;
        std::copy_n(content_.data() + at, count, out.data());
        return static_cast<std::size_t>(count);
    }
    void hold(bool on) {
        const std::lock_guard lock(mutex_);
        held_ = on;
        changed_.notify_all();
    }
    void wait_for_calls(std::size_t count) {
        std::unique_lock lock(mutex_);
        ASSERT_TRUE(changed_.wait_for(lock, guard, [&] { return calls_.size() >= count; }));
    }
    void fail_at(std::uint64_t at) { fail_at_ = at; }
    void throw_at(std::uint64_t at) { throw_at_ = at; }
    struct Call {
        std::uint64_t at = 0;
        std::size_t size = 0;
    };
    std::vector<Call> calls() {
        const std::lock_guard lock(mutex_);
        return calls_;
    }
    [[nodiscard]] bool overlapped() const { return overlapped_; }
    [[nodiscard]] const std::string& content() const { return content_; }

  private:
    std::string content_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Call> calls_;
    int inside_ = 0;
    bool overlapped_ = false;
    bool held_ = false;
    std::uint64_t fail_at_ = ~std::uint64_t{0};
    std::uint64_t throw_at_ = ~std::uint64_t{0};
};

class Ahead : public testing::Test {
  protected:
    ~Ahead() override {
        disk_.hold(false);
        pool_.join();
    }
    std::unique_ptr<ReadAhead> open(std::uint64_t begin, std::uint64_t end, const ReadAheadOptions& options = {}) {
        return std::make_unique<ReadAhead>(io_.get_executor(), pool_.get_executor(), disk_.reader(), begin, end,
                                           options);
    }
    static asio::awaitable<void> read_into(BodySource* source, std::size_t step, std::size_t most, Bytes* out) {
        std::string all;
        std::string buffer(step, '\0');
        while (all.size() < most) {
            const auto count = co_await source->read({buffer.data(), std::min(step, most - all.size())});
            if (!count) {
                *out = count.error();
                co_return;
            }
            if (*count == 0) {
                break;
            }
            all.append(buffer, 0, *count);
        }
        *out = Bytes(boost::system::in_place_value, std::move(all));
    }
    Bytes read(BodySource& source, std::size_t step = 65536, std::size_t most = std::string::npos) {
        Bytes out{model::Error{"did not end"}};
        io_.restart();
        asio::co_spawn(io_, read_into(&source, step, most, &out), [](const std::exception_ptr& error) {
            if (error) {
                std::rethrow_exception(error);
            }
        });
        io_.run();
        return out;
    }

    Disk disk_{1'000'000};
    asio::thread_pool pool_{2};
    asio::io_context io_{1};
};

TEST_F(Ahead, GivesTheWholeRangeInOrder) {
    const std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges = {
        {0, 1'000'000}, {0, 1}, {999'999, 1'000'000}, {4095, 4097}, {4096, 8192}, {1, 999'999}, {123'456, 654'321}};
    for (const std::size_t blocks : {1U, 2U, 5U}) {
        for (const auto& [begin, end] : ranges) {
            const auto source = open(begin, end, {.block = 4096, .blocks = blocks});
            EXPECT_EQ(source->size(), end - begin);
            const auto bytes = read(*source, 3000);
            ASSERT_TRUE(bytes) << bytes.error().message;
            EXPECT_EQ(*bytes, disk_.content().substr(begin, end - begin));
        }
    }
    EXPECT_FALSE(disk_.overlapped());
}

TEST_F(Ahead, AnEmptyRangeReadsNothing) {
    const auto source = open(500, 500);
    EXPECT_EQ(source->size(), 0U);
    EXPECT_EQ(read(*source).value(), "");
    EXPECT_EQ(disk_.calls().size(), 0U);
}

TEST_F(Ahead, CallsEndAtMultiplesOfTheBlock) {
    const auto source = open(1'000, 10'000, {.block = 4096, .blocks = 2});
    ASSERT_TRUE(read(*source));
    const auto calls = disk_.calls();
    ASSERT_EQ(calls.size(), 3U);
    EXPECT_EQ(calls[0].size, 3'096U);
    EXPECT_EQ(calls[1].at, 4'096U);
    EXPECT_EQ(calls[1].size, 4'096U);
    EXPECT_EQ(calls[2].size, 1'808U);
}

TEST_F(Ahead, ReadsAheadButNotBeyondItsBlocks) {
    const auto source = open(0, 1'000'000, {.block = 1000, .blocks = 3});
    ASSERT_EQ(read(*source, 10, 10).value(), disk_.content().substr(0, 10));
    disk_.wait_for_calls(3);
    pool_.join();  // whatever it was given is done
    EXPECT_EQ(disk_.calls().size(), 3U);
}

TEST_F(Ahead, NothingIsReadBeforeItIsAskedFor) {
    const auto source = open(0, 1'000'000);
    pool_.join();
    EXPECT_EQ(disk_.calls().size(), 0U);
}

TEST_F(Ahead, GivesWhatCameBeforeAFailureAndThenTheFailure) {
    disk_.fail_at(8192);
    const auto source = open(0, 20'000, {.block = 4096, .blocks = 3});
    EXPECT_EQ(read(*source, 4096, 8192).value(), disk_.content().substr(0, 8192));
    const auto failed = read(*source);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "the disk is on fire");
    EXPECT_FALSE(read(*source));
    EXPECT_EQ(disk_.calls().size(), 3U);
}

TEST_F(Ahead, AnExceptionIsAFailure) {
    disk_.throw_at(0);
    const auto source = open(0, 20'000);
    EXPECT_FALSE(read(*source));
}

TEST_F(Ahead, TooFewBytesAreAFailure) {
    const auto source = open(900'000, 1'000'001);
    EXPECT_FALSE(read(*source));
}

TEST_F(Ahead, CancelEndsAReadThatWaits) {
    disk_.hold(true);
    const auto source = open(0, 20'000);
    asio::post(pool_, [&] {
        disk_.wait_for_calls(1);
        asio::post(io_, [&] { source->cancel(); });
    });
    const auto cancelled = read(*source);  // the disk is still held up
    ASSERT_FALSE(cancelled);
    EXPECT_EQ(cancelled.error().message, "cancelled");
    EXPECT_FALSE(read(*source));
}

TEST_F(Ahead, MayGoWhileTheDiskIsRead) {
    disk_.hold(true);
    {
        asio::io_context short_lived{1};
        ReadAhead source(short_lived.get_executor(), pool_.get_executor(), disk_.reader(), 0, 20'000);
        Bytes out{model::Error{"did not end"}};
        asio::co_spawn(short_lived, read_into(&source, 100, 100, &out), [](const std::exception_ptr&) {});
        short_lived.poll();
        disk_.wait_for_calls(1);
        source.cancel();
        short_lived.poll();
    }
    disk_.hold(false);
    pool_.join();
    EXPECT_EQ(disk_.calls().size(), 1U);
}

TEST_F(Ahead, AsioCancellationIsAnException) {
    disk_.hold(true);
    const auto source = open(0, 20'000);
    asio::cancellation_signal signal;
    Bytes out{model::Error{"did not end"}};
    std::exception_ptr thrown;
    asio::co_spawn(
        io_, read_into(source.get(), 100, 100, &out),
        asio::bind_cancellation_slot(signal.slot(), [&](const std::exception_ptr& error) { thrown = error; }));
    io_.poll();
    disk_.wait_for_calls(1);
    signal.emit(asio::cancellation_type::terminal);
    io_.restart();
    io_.run();
    ASSERT_TRUE(thrown);
    EXPECT_THROW(std::rethrow_exception(thrown), boost::system::system_error);
    disk_.hold(false);
    EXPECT_EQ(read(*source).value(), disk_.content().substr(0, 20'000));  // and it goes on where it was
}

TEST_F(Ahead, CarriesAnUpload) {
    RawListener listener;
    std::string body;
    std::thread peer([&] {
        Raw raw = listener.accept();
        raw.read_until("\r\n\r\n");
        EXPECT_EQ(disk_.calls().size(), 0U);
        raw.send("HTTP/1.1 100 Continue\r\n\r\n");
        body = raw.read(1'000'000);
        raw.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
    });
    TestClient client(local_url(listener.port()), nullptr);
    ASSERT_TRUE(client.connect().has_value());
    ReadAhead source(client.context().get_executor(), pool_.get_executor(), disk_.reader(), 0, 1'000'000);
    const auto outcome = client.expect("/objects/1", source);
    peer.join();
    ASSERT_TRUE(outcome.has_value()) << outcome.error().message;
    EXPECT_EQ(outcome->answer.status, 201U);
    EXPECT_EQ(body, disk_.content());
}

}  // namespace
}  // namespace lihandover::http::test
