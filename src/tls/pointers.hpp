#pragma once

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>

#include "lihandover/base/free_with.hpp"

namespace lihandover::tls {

using BioPtr = std::unique_ptr<BIO, base::FreeWith<BIO_free>>;
using CertificatePtr = std::unique_ptr<X509, base::FreeWith<X509_free>>;
using CrlPtr = std::unique_ptr<X509_CRL, base::FreeWith<X509_CRL_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, base::FreeWith<EVP_PKEY_free>>;
using ContextPtr = std::unique_ptr<SSL_CTX, base::FreeWith<SSL_CTX_free>>;
using SessionPtr = std::unique_ptr<SSL_SESSION, base::FreeWith<SSL_SESSION_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, base::FreeWith<X509_STORE_CTX_free>>;

}  // namespace lihandover::tls
