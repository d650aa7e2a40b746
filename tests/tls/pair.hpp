#pragma once

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <optional>
#include <string>

#include "lihandover/tls/context.hpp"

namespace lihandover::test {

/// Two ends joined in memory; the handshake runs until neither side can go on.
class Pair {
  public:
    Pair(const tls::ServerContext& server, const tls::ClientContext& client, const std::string& host = "localhost")
        : server_(SSL_new(server.native())), client_(SSL_new(client.native())) {
        BIO* near_end = nullptr;
        BIO* far_end = nullptr;
        BIO_new_bio_pair(&near_end, 65536, &far_end, 65536);
        SSL_set_bio(server_, near_end, near_end);
        SSL_set_bio(client_, far_end, far_end);
        SSL_set_accept_state(server_);
        SSL_set_connect_state(client_);
        EXPECT_TRUE(client.prepare(client_, host, "443"));
    }
    Pair(const Pair&) = delete;
    Pair& operator=(const Pair&) = delete;
    ~Pair() {
        SSL_shutdown(client_);
        SSL_shutdown(server_);
        SSL_free(client_);
        SSL_free(server_);
    }

    /// True if both ends agree; reads on both sides afterwards, for tickets and late alerts.
    bool shake() {
        for (int round = 0; round < 10; ++round) {
            step(client_, client_failure_);
            step(server_, server_failure_);
        }
        return !client_failure_ && !server_failure_ && SSL_is_init_finished(client_) == 1 &&
               SSL_is_init_finished(server_) == 1;
    }

    SSL* server() { return server_; }
    SSL* client() { return client_; }
    [[nodiscard]] const std::optional<tls::Explanation>& client_failure() const { return client_failure_; }
    [[nodiscard]] const std::optional<tls::Explanation>& server_failure() const { return server_failure_; }

  private:
    static void step(SSL* ssl, std::optional<tls::Explanation>& failure) {
        if (failure) {
            return;
        }
        ERR_clear_error();
        char byte = 0;
        const int result = SSL_is_init_finished(ssl) == 1 ? SSL_read(ssl, &byte, 1) : SSL_do_handshake(ssl);
        const int error = SSL_get_error(ssl, result);
        if (error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL) {
            failure = tls::explain_failure(ssl);
        }
    }

    SSL* server_;
    SSL* client_;
    std::optional<tls::Explanation> client_failure_;
    std::optional<tls::Explanation> server_failure_;
};

}  // namespace lihandover::test
