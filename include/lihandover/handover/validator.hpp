#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "lihandover/model/result.hpp"

namespace lihandover::handover {

/// Checks documents against XML Schemas with libxml2. The schemas are compiled once; validate() may be called from
/// several threads at once. No network, no DTD, no entities; schemas that a document itself names (xsi:schemaLocation)
/// are ignored.
class Validator {
  public:
    /// Loads every *.xsd in `schemas_dir` (not in folders below it) by its targetNamespace. Imports need no
    /// schemaLocation, and one that is given is not followed: so ETSI's own files can replace ours unchanged. There
    /// must be one file for each namespace that the documents use. Two files with the same targetNamespace are an
    /// error, as are xs:include and xs:redefine. The error names the file, and the line if there is one. Takes some
    /// milliseconds and reads files: not for an I/O thread.
    [[nodiscard]] static model::Result<Validator> load(const std::filesystem::path& schemas_dir);

    Validator(Validator&&) noexcept;
    Validator& operator=(Validator&&) noexcept;
    Validator(const Validator&) = delete;
    Validator& operator=(const Validator&) = delete;
    ~Validator();

    /// Success if the document is well-formed and valid. Otherwise the first error as libxml2's code, the element's
    /// name (its local name, and only if a schema knows it) and the line: nothing of the document's content.
    [[nodiscard]] model::Status validate(std::string_view document) const;

  private:
    struct Compiled;
    explicit Validator(std::unique_ptr<Compiled> compiled);
    std::unique_ptr<Compiled> compiled_;
};

}  // namespace lihandover::handover
