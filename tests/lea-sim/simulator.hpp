#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "behaviour.hpp"
#include "lihandover/model/result.hpp"
#include "lihandover/tls/context.hpp"

namespace lihandover::lea_sim {

struct Options {
    std::string listen = "127.0.0.1:8443";  ///< port 0 takes any free one
    tls::Files tls;
    std::string output;    ///< directory; empty: nothing is kept
    std::string control;   ///< `unix:/path` or `127.0.0.1:port`; empty: none
    std::string validate;  ///< directory of schemas; empty: documents are not checked
    std::string upload_prefix = "/binaryData/";
    bool quiet = false;
    std::uint64_t seed = 1;
    std::vector<Rule> rules;
    int report_to = 1;  ///< descriptor that lines go to
};

/// A test LEA: its thread, its listener and its control port.
class Simulator {
  public:
    /// Binds, starts, and reports `{"event":"listening", …}`.
    [[nodiscard]] static model::Result<std::unique_ptr<Simulator>> start(const Options& options);
    /// Stops.
    ~Simulator();
    Simulator(const Simulator&) = delete;
    Simulator& operator=(const Simulator&) = delete;

    [[nodiscard]] std::uint16_t port() const;
    /// Of the control port, `unix:/path` or `127.0.0.1:port`; empty if there is none.
    [[nodiscard]] std::string control_address() const;

    /// From any thread, for requests that start from now on.
    void set_rules(std::vector<Rule> rules);
    /// Ends the delays that run now. From any thread.
    void release();
    /// Lets requests finish for a second, then reports the totals. Idempotent.
    void stop();

  private:
    class Impl;
    explicit Simulator(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lihandover::lea_sim
