// Sends generated messaging events to an intake socket as fast as it answers, or at a fixed rate, and prints one line
// of JSON with the results. Plain system calls and one thread: it shares the machine with what it measures. With --raw
// the same events go as lines to a socket that answers nothing, such as syslog-ng's.

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/clock.hpp"
#include "lihandover/model/time.hpp"

namespace {

struct Options {
    std::string socket;
    int connections = 8;
    std::uint64_t events = 100'000;
    int batch = 1;
    std::uint64_t users = 1000;      // senders u-0 … u-(users-1), in turn
    std::string user_prefix = "u-";  // another prefix: nobody's target
    std::size_t size = 1024;         // bytes of one event's JSON
    std::uint64_t hit_every = 1;     // every so-manieth event is of a sender as above, the others are of nobody's
    std::uint64_t attach_every = 0;  // every so-manieth event has an inline attachment; 0: none
    std::size_t attach_size = 30'000;
    bool raw = false;         // lines without HTTP, and nothing is read
    double rate = 0;          // events per second over all connections; 0: as fast as it goes
    std::uint64_t first = 0;  // number of the first event; ids never repeat between runs with distinct ranges
    std::string sent_times;   // file for the time each event's last byte was sent, nanoseconds
};

std::uint64_t now_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// On the clock that lea-sim writes into its lines.
std::uint64_t wall_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

[[noreturn]] void fail(const char* what) {
    throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

std::string timestamp() {
    return lihandover::model::to_microsecond_date_time(lihandover::model::system_clock().wall());
}

// An event of the wanted size; the text fills what is left. Optional parts are left out if they do not fit.
class EventWriter {
  public:
    explicit EventWriter(const Options& options) : options_(options) {
        std::string bare;
        append_message(bare, 0, {});
        lean_ = options.size < bare.size();
        if (lean_) {
            bare.clear();
            append_message(bare, 0, {});
        }
        if (options.size > bare.size()) {
            filler_.assign(options.size - bare.size(), 'x');
            for (std::size_t i = 0; i < filler_.size(); i += 7) {
                filler_[i] = ' ';
            }
        }
        attachment_.assign((options.attach_size + 2) / 3 * 4, 'A');
    }
    void append(std::string& out, std::uint64_t number) const {
        append_message(out, number, filler_);
        if (options_.attach_every != 0 && number % options_.attach_every == 0) {
            out += R"(,"attachments":[{"id":"a","content_type":"image/jpeg","filename":"a.jpg","data":")";
            out += attachment_;
            out += R"("}])";
        }
        out += '}';
    }

  private:
    void append_message(std::string& out, std::uint64_t number, std::string_view text) const {
        if (number % 256 == 0 || now_.empty()) {
            now_ = timestamp();
        }
        const bool hit = number % options_.hit_every == 0;
        const std::uint64_t user = (number / options_.hit_every) % options_.users;
        const auto count = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
        const char* prefix = hit ? options_.user_prefix.c_str() : "nobody-";
        std::array<char, 512> head{};
        int size = 0;
        if (lean_) {
            size = std::snprintf(head.data(), head.size(),
                                 R"({"event_id":"%012llu","service":"examplechat","event_type":"message",)"
                                 R"("timestamp":"%s","sender":{"identifiers":[{"type":"user_id","value":"%s%llu"}]},)"
                                 R"("content":{"type":"text/plain","text":")",
                                 count(number), now_.c_str(), prefix, count(user));
        } else if (options_.raw) {  // without lists of objects, which syslog-ng does not take apart
            size = std::snprintf(
                head.data(), head.size(),
                R"({"event_id":"%012llu","service":"examplechat","event_type":"message","timestamp":"%s",)"
                R"("sender":{"user_id":"%s%llu","msisdn":"4477%08llu"},"receiver":{"user_id":"r-%llu"},)"
                R"("conversation":{"id":"c-%llu","kind":"direct"},"parameters":{"status":"sent","device_id":"d-%llu"},)"
                R"("content":{"type":"text/plain","text":")",
                count(number), now_.c_str(), prefix, count(user), count(user), count(number % 9973), count(user),
                count(user));
        } else {
            size = std::snprintf(
                head.data(), head.size(),
                R"({"event_id":"%012llu","service":"examplechat","event_type":"message","timestamp":"%s",)"
                R"("sender":{"identifiers":[{"type":"user_id","value":"%s%llu"},)"
                R"({"type":"msisdn","value":"4477%08llu"}]},)"
                R"("receivers":[{"identifiers":[{"type":"user_id","value":"r-%llu"}]}],)"
                R"("conversation":{"id":"c-%llu","kind":"direct"},"parameters":{"status":"sent","device_id":"d-%llu"},)"
                R"("content":{"type":"text/plain","text":")",
                count(number), now_.c_str(), prefix, count(user), count(user), count(number % 9973), count(user),
                count(user));
        }
        out.append(head.data(), std::min(static_cast<std::size_t>(size), head.size() - 1));
        out += text;
        out += "\"}";
    }

    const Options& options_;
    bool lean_ = false;
    std::string filler_;
    std::string attachment_;
    mutable std::string now_;
};

class Connection {
  public:
    explicit Connection(const std::string& path) : descriptor_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        if (path.size() >= sizeof address.sun_path) {
            throw std::runtime_error("the socket's path is too long");
        }
        std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
        if (descriptor_ < 0 ||
            ::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            fail("connect");
        }
    }
    ~Connection() { ::close(descriptor_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    [[nodiscard]] int descriptor() const { return descriptor_; }

    // Blocking: the receiver takes a whole request before it answers, so this cannot deadlock.
    void send(std::string_view head, std::string_view body) const {
        for (std::string_view part : {head, body}) {
            while (!part.empty()) {
                const ssize_t sent = ::send(descriptor_, part.data(), part.size(), MSG_NOSIGNAL);
                if (sent < 0) {
                    fail("send");
                }
                part.remove_prefix(static_cast<std::size_t>(sent));
            }
        }
    }

    // Reads what is there; the status once a whole answer is in, else 0.
    int receive() {
        std::array<char, 4096> bytes{};
        const ssize_t got = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
        if (got <= 0) {
            fail("the daemon closed the connection");
        }
        answer_.append(bytes.data(), static_cast<std::size_t>(got));
        const std::size_t end = answer_.find("\r\n\r\n");
        if (end == std::string::npos) {
            return 0;
        }
        std::size_t length = 0;
        constexpr std::string_view name = "content-length:";
        const auto field =
            std::search(answer_.begin(), answer_.begin() + static_cast<std::ptrdiff_t>(end), name.begin(), name.end(),
                        [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; });
        if (field != answer_.begin() + static_cast<std::ptrdiff_t>(end)) {
            length = std::strtoul(&*field + name.size(), nullptr, 10);
        }
        if (answer_.size() < end + 4 + length) {
            return 0;
        }
        const int status = std::atoi(answer_.c_str() + 9);
        answer_.clear();
        return status;
    }

  private:
    int descriptor_;
    std::string answer_;
};

class Load {
  public:
    explicit Load(const Options& options) : options_(options), writer_(options), next_(options.first) {
        if (!options.sent_times.empty()) {
            sent_.reserve(options.events);
        }
    }

    void run() {
        const int poll = ::epoll_create1(EPOLL_CLOEXEC);
        std::vector<std::unique_ptr<Connection>> connections;
        std::vector<Connection*> idle;
        for (int i = 0; i < options_.connections; ++i) {
            connections.push_back(std::make_unique<Connection>(options_.socket));
            epoll_event event{};
            event.events = EPOLLIN;
            event.data.ptr = connections.back().get();
            if (::epoll_ctl(poll, EPOLL_CTL_ADD, connections.back()->descriptor(), &event) != 0) {
                fail("epoll_ctl");
            }
            idle.push_back(connections.back().get());
        }
        const std::uint64_t start = now_ns();
        const std::uint64_t end = options_.first + options_.events;
        double latest = 0;
        std::uint64_t answered = options_.first;
        while (answered < end) {
            int wait = -1;
            while (!idle.empty() && next_ < end) {
                if (options_.rate > 0) {
                    const double due = static_cast<double>(next_ - options_.first) / options_.rate * 1e9;
                    const double late = static_cast<double>(now_ns() - start) - due;
                    if (late < 0) {
                        wait = static_cast<int>(-late / 1e6) + 1;
                        break;
                    }
                    latest = std::max(latest, late / 1e9);
                }
                send(*idle.back(), end);
                idle.pop_back();
            }
            std::array<epoll_event, 64> events{};
            const int count = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), wait);
            for (int i = 0; i < count; ++i) {
                auto* connection = static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
                const int status = connection->receive();
                if (status == 0) {
                    continue;
                }
                if (status != 202) {
                    throw std::runtime_error("the daemon answered " + std::to_string(status));
                }
                answered += static_cast<std::uint64_t>(options_.batch);
                idle.push_back(connection);
            }
        }
        report(start, latest);
        ::close(poll);
        write_times();
    }

    // Lines only. Blocks if the reader does not keep up.
    void run_raw() {
        const Connection connection(options_.socket);
        const std::uint64_t start = now_ns();
        const std::uint64_t end = options_.first + options_.events;
        while (next_ < end) {
            gather(end);
            connection.send({}, body_);
        }
        report(start, 0);
    }

  private:
    void report(std::uint64_t start, double latest) const {
        const double seconds = static_cast<double>(now_ns() - start) / 1e9;
        std::printf("{\"events\":%llu,\"seconds\":%.6f,\"per_second\":%.1f,\"latest_seconds\":%.6f}\n",
                    static_cast<unsigned long long>(options_.events), seconds,
                    static_cast<double>(options_.events) / seconds, latest);
    }

    // The next batch as lines.
    void gather(std::uint64_t end) {
        body_.clear();
        const auto count = std::min<std::uint64_t>(static_cast<std::uint64_t>(options_.batch), end - next_);
        for (std::uint64_t i = 0; i < count; ++i) {
            writer_.append(body_, next_++);
            body_ += '\n';
        }
    }

    void send(const Connection& connection, std::uint64_t end) {
        gather(end);
        head_ = "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: ";
        head_ += options_.batch == 1 ? "application/json" : "application/x-ndjson";
        head_ += "\r\nContent-Length: " + std::to_string(body_.size()) + "\r\n\r\n";
        connection.send(head_, body_);
        if (!options_.sent_times.empty()) {
            sent_.push_back(wall_ns());
        }
    }

    void write_times() const {
        if (options_.sent_times.empty()) {
            return;
        }
        std::ofstream file(options_.sent_times);
        for (const std::uint64_t time : sent_) {
            file << time << '\n';
        }
    }

    const Options& options_;
    EventWriter writer_;
    std::uint64_t next_;
    std::string head_;
    std::string body_;
    std::vector<std::uint64_t> sent_;
};

}  // namespace

int main(int argc, char** argv) {
    Options options;
    CLI::App app("Sends generated events to an intake socket and prints the rate", "event_load");
    app.add_option("--socket", options.socket, "Path of the intake's Unix socket")->required();
    app.add_option("--connections", options.connections)->check(CLI::Range(1, 1000));
    app.add_option("--events", options.events)->check(CLI::Range(1ULL, 1'000'000'000ULL));
    app.add_option("--batch", options.batch, "Events per request; more than one: NDJSON")->check(CLI::Range(1, 10'000));
    app.add_option("--users", options.users)->check(CLI::Range(1ULL, 100'000'000ULL));
    app.add_option("--user-prefix", options.user_prefix)->check([](const std::string& prefix) {
        return prefix.size() <= 32 ? std::string() : "at most 32 bytes";
    });
    app.add_option("--size", options.size)->check(CLI::Range(0, 1'000'000));
    app.add_option("--hit-every", options.hit_every, "One in so many events has such a sender, the others nobody's")
        ->check(CLI::Range(1ULL, 1'000'000ULL));
    app.add_option("--attach-every", options.attach_every, "One in so many events has an inline attachment; 0: none");
    app.add_option("--attach-size", options.attach_size)->check(CLI::Range(0, 700'000));
    app.add_option("--rate", options.rate, "Events per second; 0: as fast as it goes");
    app.add_option("--first", options.first);
    app.add_option("--sent-times", options.sent_times, "File for the time of each request, nanoseconds since 1970");
    app.add_flag("--raw", options.raw, "Lines without HTTP over one connection, and no answers are read");
    CLI11_PARSE(app, argc, argv);
    try {
        Load load(options);
        options.raw ? load.run_raw() : load.run();
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "event_load: %s\n", error.what());
        return 1;
    }
}
