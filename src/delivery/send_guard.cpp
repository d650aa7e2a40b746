#include "send_guard.hpp"

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>
#include <utility>

namespace lihandover::delivery {

SendGuard::SendGuard(const boost::asio::any_io_executor& executor, const store::Outbox& outbox,
                     const model::Clock& clock, std::function<void()> changed)
    : executor_(executor), outbox_(outbox), clock_(clock), read_pause_(executor), changed_(std::move(changed)) {}

void SendGuard::stop() {
    stopping_ = true;
    read_pause_.cancel();
}

void SendGuard::read_failed(std::string_view destination, const model::Error& error) {
    spdlog::error("store cannot be read, delivery waits destination={} problem=\"{}\"", destination, error.message);
    reads_off_ = true;
    read_pause_.expires_after(read_again);
    read_pause_.async_wait([weak = weak_from_this()](const boost::system::error_code& failed) {
        if (const auto self = weak.lock(); self && !failed) {
            self->reads_off_ = false;
            if (!self->stopping_) {
                self->changed_();
            }
        }
    });
}

void SendGuard::set_store_commits(bool commits) {
    commits_ = commits;
    if (commits) {
        boost::asio::post(executor_, [weak = weak_from_this()] {
            if (const auto self = weak.lock(); self && !self->stopping_) {
                self->changed_();
            }
        });
    }
}

}  // namespace lihandover::delivery
