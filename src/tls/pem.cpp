#include "pem.hpp"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace lihandover::tls {
namespace {

BioPtr memory_bio(const std::string& text) {
    return BioPtr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
}

/// A key under a passphrase must be an error, not a prompt on the terminal.
int no_pass_phrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

/// Whether reading PEM stopped because there is no more, rather than at damage. Empties the error queue.
bool stopped_at_end() {
    const unsigned long code = ERR_peek_last_error();
    ERR_clear_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

}  // namespace

std::string errno_text(int number) {
    std::array<char, 128> buffer{};
    return strerror_r(number, buffer.data(), buffer.size());
}

model::Error error_of(const std::string& path, std::string_view what) {
    std::string message = path;
    message += ": ";
    message += what;
    return {std::move(message)};
}

model::Result<FileText> read_file(const std::string& path, std::size_t max_size) {
    if (path.empty()) {
        return model::Error{"no file given"};
    }
    // A FIFO would be waited for.
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const std::unique_ptr<std::FILE, base::FreeWith<std::fclose>> file{descriptor < 0 ? nullptr
                                                                                      : ::fdopen(descriptor, "rb")};
    if (!file) {
        return error_of(path, "cannot be opened: " + errno_text(errno));
    }
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
        return error_of(path, "cannot be read: it is no regular file");
    }
    FileText result{path, {}};
    std::array<char, 8192> chunk{};
    while (const std::size_t count = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
        result.text.append(chunk.data(), count);
        if (result.text.size() > max_size) {
            return error_of(path, "is larger than " + std::to_string(max_size >> 20U) + " MiB, which no such file is");
        }
    }
    if (std::ferror(file.get()) != 0) {
        return error_of(path, "cannot be read: " + errno_text(errno));
    }
    return model::Result<FileText>{boost::system::in_place_value, std::move(result)};
}

model::Result<std::vector<CertificatePtr>> certificates_of(const FileText& file) {
    std::vector<CertificatePtr> certificates;
    const BioPtr bio = memory_bio(file.text);
    bool asked = false;
    while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, no_pass_phrase, &asked)) {
        certificates.emplace_back(certificate);
    }
    const bool at_end = stopped_at_end();
    if (certificates.empty()) {
        return error_of(file.path, "holds no PEM certificate (BEGIN CERTIFICATE)");
    }
    if (!at_end) {
        return error_of(file.path, "certificate number " + std::to_string(certificates.size() + 1) + " is damaged");
    }
    return certificates;
}

model::Result<KeyPtr> key_of(const FileText& file) {
    const BioPtr bio = memory_bio(file.text);
    bool asked = false;
    KeyPtr key{PEM_read_bio_PrivateKey(bio.get(), nullptr, no_pass_phrase, &asked)};
    ERR_clear_error();
    if (!key) {
        return error_of(file.path, asked ? "the private key is under a pass phrase; an unencrypted one is needed"
                                         : "holds no readable PEM private key (BEGIN PRIVATE KEY)");
    }
    return key;
}

model::Result<std::vector<CrlPtr>> revocation_lists_of(const FileText& file) {
    std::vector<CrlPtr> lists;
    const BioPtr bio = memory_bio(file.text);
    while (X509_CRL* list = PEM_read_bio_X509_CRL(bio.get(), nullptr, nullptr, nullptr)) {
        lists.emplace_back(list);
    }
    const bool at_end = stopped_at_end();
    if (lists.empty()) {
        const BioPtr whole = memory_bio(file.text);
        if (X509_CRL* list = d2i_X509_CRL_bio(whole.get(), nullptr)) {
            lists.emplace_back(list);
            return lists;
        }
        ERR_clear_error();
        return error_of(file.path, "holds no certificate revocation list (BEGIN X509 CRL, or DER)");
    }
    if (!at_end) {
        return error_of(file.path, "revocation list number " + std::to_string(lists.size() + 1) + " is damaged");
    }
    return lists;
}

}  // namespace lihandover::tls
