#include "upload_source.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

namespace lihandover::delivery {

namespace asio = boost::asio;

namespace {

/// Opens the object when it is first read, since that blocks too. One thread at a time.
class Unsealing {
  public:
    Unsealing(const store::ObjectLookup& objects, std::shared_ptr<const store::SealedObject> object)
        : objects_(objects), object_(std::move(object)) {}
    model::Result<std::size_t> read(std::uint64_t at, std::span<char> out) {
        if (!reader_) {
            auto opened = objects_.open(*object_);
            if (!opened) {
                return std::move(opened).error();
            }
            reader_ = std::move(*opened);
        }
        return reader_->read(at, out);
    }

  private:
    const store::ObjectLookup& objects_;
    std::shared_ptr<const store::SealedObject> object_;
    std::unique_ptr<store::ObjectReader> reader_;
};

http::BlockRead unsealing(const store::ObjectLookup& objects, std::shared_ptr<const store::SealedObject> object) {
    auto shared = std::make_shared<Unsealing>(objects, std::move(object));
    return [shared](std::uint64_t at, std::span<char> out) { return shared->read(at, out); };
}

}  // namespace

// -- Pump -------------------------------------------------------------------------------------------------------------

Pump::Member::Member(std::shared_ptr<Pump> pump, bool is_small, bool is_emergency)
    : pump_(std::move(pump)), bell_(pump_->executor_) {
    small = is_small;
    emergency = is_emergency;
}

Pump::Member::~Member() {
    pump_->share_.leave(*this);
}

asio::awaitable<std::size_t> Pump::Member::turn(std::uint64_t bytes) {
    granted_ = 0;
    while (granted_ == 0 && !cancelled_) {
        pump_->share_.ask(*this, bytes);
        pump_->post_step();
        bell_.expires_at(asio::steady_timer::time_point::max());
        boost::system::error_code error;
        co_await bell_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    }
    co_return cancelled_ ? 0 : granted_;
}

void Pump::Member::cancel() {
    cancelled_ = true;
    pump_->share_.leave(*this);
    bell_.cancel();
}

Pump::Pump(const asio::any_io_executor& executor, const model::Clock& clock)
    : executor_(executor), clock_(clock), timer_(executor) {}

void Pump::limit(std::optional<std::uint64_t> bytes_per_second) {
    share_.limit(bytes_per_second, clock_.steady());
    post_step();  // those that waited under the old one
}

void Pump::post_step() {
    if (!posted_ && share_.asked()) {
        posted_ = true;
        asio::post(executor_, [self = shared_from_this()] { self->step(); });
    }
}

void Pump::step() {
    posted_ = false;
    timer_.cancel();
    const auto now = clock_.steady();
    const auto grant = share_.next(now);
    if (grant.member != nullptr) {
        auto& member = static_cast<Member&>(*grant.member);
        member.granted_ = grant.bytes;
        member.bell_.cancel();
        post_step();
    } else if (grant.due) {
        timer_.expires_after(*grant.due - now);
        timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
            if (const auto self = weak.lock(); self && !error) {
                self->post_step();
            }
        });
    }
}

// -- UploadSource -----------------------------------------------------------------------------------------------------

UploadSource::UploadSource(Parts parts)
    : clock_(parts.clock),
      size_(parts.object->size()),
      sent_(parts.sent),
      wanted_(std::move(parts.wanted)),
      member_(std::move(parts.pump), parts.small, parts.emergency),
      ahead_(parts.executor, parts.pool, unsealing(parts.objects, std::move(parts.object)), 0, size_) {}

asio::awaitable<model::Result<std::size_t>> UploadSource::read(std::span<char> buffer) {
    pace_.taken(clock_.steady());
    if (wanted_) {
        std::exchange(wanted_, nullptr)();
    }
    if (given_ == size_) {
        co_return std::size_t{0};
    }
    if (credit_ == 0) {
        credit_ = co_await member_.turn(size_ - given_);
        if (credit_ == 0) {
            co_return model::Error{"cancelled"};
        }
    }
    const auto count = co_await ahead_.read(buffer.first(std::min(buffer.size(), credit_)));
    if (count) {
        credit_ -= *count;
        given_ += *count;
        pace_.gave(*count, clock_.steady());
        sent_.add(*count);
    }
    co_return count;
}

void UploadSource::cancel() {
    member_.cancel();
    ahead_.cancel();
}

}  // namespace lihandover::delivery
