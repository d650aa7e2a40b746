#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "gather.hpp"
#include "io.hpp"
#include "lihandover/tls/context.hpp"

struct bio_st;
struct bio_method_st;

namespace lihandover::http {

/// OpenSSL on a connected socket, without ever waiting. Input is received into a buffer here, output is sent at once.
/// That avoids the two copies and the composed operations of asio::ssl::stream, which cost more than encrypting a
/// message of a few kilobytes.
class TlsEngine {
  public:
    /// How a step ended. `blocked`: continue once more ciphertext was received, or, with `wants_write`, once the peer
    /// takes more.
    struct Step {
        Io io = Io::ok;
        bool wants_write = false;
        std::size_t size = 0;  ///< bytes read
    };

    /// nullptr if OpenSSL fails; the reason is left in its queue (tls::explain_failure). `descriptor` stays the
    /// caller's, and open for as long as the engine lives.
    [[nodiscard]] static std::unique_ptr<TlsEngine> make(ssl_ctx_st* context, bool server, int descriptor);
    TlsEngine(const TlsEngine&) = delete;
    TlsEngine& operator=(const TlsEngine&) = delete;

    [[nodiscard]] ssl_st* ssl() const { return ssl_.get(); }
    [[nodiscard]] const tls::Explanation& failure() const { return failure_; }

    Step handshake();
    Step read(char* out, std::size_t room);
    /// Joins pieces into records of up to 16 KiB; encrypts longer ones in place. After `blocked`, the next call must
    /// use the same Gather.
    Step write(Gather& gather);
    /// Sends a close_notify unless the kernel would not take it at once, or it makes no sense any more.
    void shut_down();
    /// Sending has failed; what the peer sent before can still be read.
    void break_sending() { send_broken_ = true; }

    /// Where to receive ciphertext; empty only while OpenSSL has a whole record to take.
    [[nodiscard]] std::span<char> room();
    void received(std::size_t count) { cipher_end_ += count; }
    /// The peer has closed; OpenSSL decides whether cleanly.
    void end() { cipher_eof_ = true; }
    [[nodiscard]] bool ended() const { return cipher_eof_; }
    /// Receives what the kernel has.
    Io try_receive();

    /// Whether anything was given to the kernel since the last reset_sent().
    [[nodiscard]] bool sent_anything() const { return sent_; }
    void reset_sent() { sent_ = false; }
    /// Releases empty buffers. They are allocated again for the next bytes.
    void release_memory();

  private:
    struct SslFree {
        void operator()(ssl_st* ssl) const;
    };

    TlsEngine(ssl_st* ssl, int descriptor) : ssl_(ssl), descriptor_(descriptor) {}
    static const bio_method_st* bio_methods();
    static int bio_write(bio_st* bio, const char* data, int size);
    static int bio_read(bio_st* bio, char* out, int size);
    static long bio_control(bio_st* bio, int command, long number, void* pointer);
    Step step_of(int result, bool& broken);

    std::unique_ptr<ssl_st, SslFree> ssl_;
    int descriptor_;
    tls::Explanation failure_;
    bool handshake_done_ = false;
    bool broken_ = false;
    bool send_broken_ = false;
    bool sent_ = false;

    // Ciphertext received and not yet taken by OpenSSL.
    std::vector<char> cipher_;
    std::size_t cipher_begin_ = 0;
    std::size_t cipher_end_ = 0;
    bool cipher_eof_ = false;
    // Small pieces joined for one TLS record.
    std::string record_;
    std::size_t record_sent_ = 0;
};

}  // namespace lihandover::http
