#include "resolver.hpp"

#include <netdb.h>
#include <pthread.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include "lihandover/base/thread_name.hpp"

namespace lihandover::http {
namespace {

namespace asio = boost::asio;

constexpr std::size_t max_addresses = 16;
constexpr std::chrono::hours stale_for{24};
// RFC 8767 5: how long to wait for a fresh answer if an old one is at hand.
constexpr std::chrono::milliseconds stale_after{1'800};

/// Threads of all resolvers that have not ended.
std::atomic<std::size_t>& lookups_in_all() {
    static std::atomic<std::size_t> count = 0;
    return count;
}

std::optional<std::vector<std::string>> ask_system(const std::string& name) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_ADDRCONFIG;
    addrinfo* list = nullptr;
    const int failed = getaddrinfo(name.c_str(), nullptr, &hints, &list);
    std::vector<std::string> addresses;
    if (failed == EAI_NONAME || failed == EAI_NODATA || failed == EAI_ADDRFAMILY) {
        return addresses;
    }
    if (failed != 0) {
        return std::nullopt;
    }
    const std::unique_ptr<addrinfo, decltype([](addrinfo* entries) { freeaddrinfo(entries); })> owner{list};
    for (const addrinfo* entry = list; entry != nullptr && addresses.size() < max_addresses; entry = entry->ai_next) {
        std::array<char, NI_MAXHOST> text{};
        if (getnameinfo(entry->ai_addr, entry->ai_addrlen, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0) {
            addresses.emplace_back(text.data());
        }
    }
    return addresses;
}

}  // namespace

/// A lookup as its thread and the resolver share it.
struct Resolver::Lookup {
    explicit Lookup(const Executor& executor) : home(executor) {}
    std::mutex mutex;
    std::optional<Executor> home;  ///< under `mutex`: where to tell the result, until the resolver goes

    // For the resolver only.
    Clock::time_point begun = Clock::now();
    bool done = false;
    std::optional<std::vector<asio::ip::address>> addresses;
};

Resolver::Resolver(const Executor& executor, std::string name, NameLookup lookup, Clock::duration again)
    : executor_(executor),
      name_(std::move(name)),
      lookup_(lookup ? std::move(lookup) : NameLookup{ask_system}),
      again_(again) {}

Resolver::~Resolver() {
    for (const auto& lookup : running_) {
        const std::scoped_lock lock{lookup->mutex};
        lookup->home.reset();
    }
}

void Resolver::cancel() {
    for (auto& waiter : waiters_) {
        waiter.cancelled = true;
        waiter.timer.cancel();
    }
}

bool Resolver::may_start(Clock::time_point now) const {
    return running_.size() < max_at_once || (now - running_.back()->begun >= again_ && lookups_in_all() < max_in_all);
}

/// A lookup to wait for: the running one unless it seems to hang, else a new one if that is allowed.
std::shared_ptr<Resolver::Lookup> Resolver::join(Clock::duration timeout) {
    const auto now = Clock::now();
    const bool fresh = !running_.empty() && now - running_.back()->begun < timeout;
    return fresh || !may_start(now) ? running_.back() : start();
}

std::shared_ptr<Resolver::Lookup> Resolver::start() {
    auto lookup = std::make_shared<Lookup>(executor_);
    const auto work = [lookup, weak = weak_from_this(), ask = lookup_, name = name_] {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, nullptr);
        base::name_thread("name lookup");
        std::optional<std::vector<std::string>> found;
        try {
            found = ask(name);
        } catch (const std::exception&) {
            found.reset();  // out of memory: as if the name service gave no answer
        }
        --lookups_in_all();
        const std::scoped_lock lock{lookup->mutex};
        if (lookup->home) {
            asio::post(*lookup->home, [lookup, weak, found = std::move(found)]() mutable {
                if (const auto self = weak.lock()) {
                    self->finished(*lookup, std::move(found));
                }
            });
        }
    };
    ++lookups_in_all();
    try {
        std::thread{work}.detach();
    } catch (const std::system_error&) {
        --lookups_in_all();
        return running_.empty() ? nullptr : running_.back();  // no thread to be had
    }
    running_.push_back(lookup);
    return lookup;
}

void Resolver::finished(Lookup& lookup, std::optional<std::vector<std::string>> found) {
    lookup.done = true;
    if (found) {
        lookup.addresses.emplace();
        for (const auto& text : *found) {
            boost::system::error_code error;
            const auto address = asio::ip::make_address(text, error);
            if (!error && lookup.addresses->size() < max_addresses) {
                lookup.addresses->push_back(address);
            }
        }
        known_ = *lookup.addresses;
        known_since_ = Clock::now();
    }
    std::erase_if(running_, [&](const auto& one) { return one.get() == &lookup; });
    for (auto& waiter : waiters_) {
        waiter.woken = true;
        waiter.timer.cancel();
    }
}

bool Resolver::knows_addresses() const {
    return !known_.empty() && Clock::now() - known_since_ < stale_for;
}

Resolver::Outcome Resolver::outcome_of(const Lookup* lookup) const {
    if (lookup != nullptr && lookup->done && lookup->addresses) {
        return {lookup->addresses->empty() ? Status::no_address : Status::found, *lookup->addresses};
    }
    if (knows_addresses()) {
        return {Status::found, known_};
    }
    const bool answered = lookup == nullptr || lookup->done;
    return {answered ? Status::no_address : Status::timeout, {}};
}

asio::awaitable<Resolver::Outcome> Resolver::resolve(Clock::duration timeout) {
    return wait(shared_from_this(), timeout);
}

asio::awaitable<Resolver::Outcome> Resolver::wait(std::shared_ptr<Resolver> self, Clock::duration timeout) {
    const std::shared_ptr<Lookup> lookup = self->join(timeout);
    Waiter waiter{self->executor_};
    self->waiters_.push_back(waiter);
    const auto patience = self->knows_addresses() ? std::min<Clock::duration>(timeout, stale_after) : timeout;
    waiter.timer.expires_after(patience);
    while (lookup && !lookup->done) {
        waiter.woken = false;
        boost::system::error_code error;
        co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
        if (waiter.cancelled) {
            co_return Outcome{Status::cancelled, {}};
        }
        if (!error) {
            break;  // it took too long
        }
        if (!waiter.woken) {
            throw boost::system::system_error{error};  // cancelled through Asio
        }
    }
    co_return self->outcome_of(lookup.get());
}

}  // namespace lihandover::http
