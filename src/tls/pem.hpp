#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "lihandover/model/result.hpp"
#include "pointers.hpp"

namespace lihandover::tls {

/// A file as it was read. Errors of all functions below name it.
struct FileText {
    std::string path;
    std::string text;
};

/// What `errno` means.
[[nodiscard]] std::string errno_text(int number);
[[nodiscard]] model::Error error_of(const std::string& path, std::string_view what);

/// At most 1 MiB, or 16 MiB of a revocation list.
[[nodiscard]] model::Result<FileText> read_file(const std::string& path, std::size_t max_size);

/// Every certificate of a PEM file, at least one.
[[nodiscard]] model::Result<std::vector<CertificatePtr>> certificates_of(const FileText& file);
/// The unencrypted private key of a PEM file.
[[nodiscard]] model::Result<KeyPtr> key_of(const FileText& file);
/// Every certificate revocation list of a PEM file, or the one of a DER file: authorities publish both.
[[nodiscard]] model::Result<std::vector<CrlPtr>> revocation_lists_of(const FileText& file);

}  // namespace lihandover::tls
