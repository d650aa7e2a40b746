#include "logging.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace lihandover::app {

namespace {

// `%*` in the pattern: the priority, which the journal strips and uses.
class SyslogPriority final : public spdlog::custom_flag_formatter {
  public:
    void format(const spdlog::details::log_msg& message, const std::tm& /*time*/, spdlog::memory_buf_t& out) override {
        const char* priority = "<7>";
        switch (message.level) {
            case spdlog::level::critical:
                priority = "<2>";
                break;
            case spdlog::level::err:
                priority = "<3>";
                break;
            case spdlog::level::warn:
                priority = "<4>";
                break;
            case spdlog::level::info:
                priority = "<6>";
                break;
            default:
                break;
        }
        out.append(priority, priority + 3);
    }
    [[nodiscard]] std::unique_ptr<custom_flag_formatter> clone() const override {
        return std::make_unique<SyslogPriority>();
    }
};

// JOURNAL_STREAM is inherited by children whose stderr goes elsewhere, hence the comparison.
bool stderr_is_journal() {
    const char* stream = std::getenv("JOURNAL_STREAM");
    struct stat status {};
    if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) {
        return false;
    }
    return std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino) == stream;
}

}  // namespace

void start_logging() {
    auto logger = std::make_shared<spdlog::logger>("lihandoverd", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
    formatter->add_flag<SyslogPriority>('*');
    formatter->set_pattern(stderr_is_journal() ? "%*%v" : "%Y-%m-%dT%H:%M:%S.%eZ %l %v");
    logger->set_formatter(std::move(formatter));
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
}

void set_log_level(config::LogLevel level) {
    switch (level) {
        case config::LogLevel::trace:
            return spdlog::set_level(spdlog::level::trace);
        case config::LogLevel::debug:
            return spdlog::set_level(spdlog::level::debug);
        case config::LogLevel::info:
            return spdlog::set_level(spdlog::level::info);
        case config::LogLevel::warning:
            return spdlog::set_level(spdlog::level::warn);
        case config::LogLevel::error:
            return spdlog::set_level(spdlog::level::err);
    }
}

void log_info(const std::string& line) {
    spdlog::info("{}", line);
}

void log_warning(const std::string& line) {
    spdlog::warn("{}", line);
}

void log_error(const std::string& line) {
    spdlog::error("{}", line);
}

void log_problems(const config::Problems& problems) {
    constexpr std::size_t most = 100;
    for (std::size_t i = 0; i < problems.size() && i < most; ++i) {
        log_error(config::log_text(problems[i]));
    }
    if (problems.size() > most) {
        log_error(std::to_string(problems.size() - most) + " more problems; --check prints all of them");
    }
}

void log_warnings(const config::Problems& warnings) {
    for (const config::Problem& warning : warnings) {
        log_warning(config::log_text(warning));
    }
}

}  // namespace lihandover::app
