#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "lihandover/model/result.hpp"

namespace lihandover::handover {

/// Checks documents against XML Schemas with libxml2. The schemas are compiled once; validate() may be called from
/// several threads at the same time, each call works on its own. No network, no DTD, no entities; schemas that a
/// document names itself (xsi:schemaLocation) are not looked at.
class Validator {
  public:
    /// Loads every *.xsd of `schemas_dir` (not of folders below it) by its targetNamespace. Imports need no
    /// schemaLocation, and one that is given is not followed: so ETSI's own files may take the place of ours, as they
    /// are. There must be one for each namespace that the documents use; two files with one targetNamespace are an
    /// error, as are xs:include and xs:redefine. The error names the file, and the line where there is one.
    /// Takes some milliseconds and reads files: not for an I/O thread.
    [[nodiscard]] static model::Result<Validator> load(const std::filesystem::path& schemas_dir);

    Validator(Validator&&) noexcept;
    Validator& operator=(Validator&&) noexcept;
    Validator(const Validator&) = delete;
    Validator& operator=(const Validator&) = delete;
    ~Validator();

    /// Success when the document is well-formed and valid. Else the first error as libxml2's code, the element's name
    /// (its local name, and only if a schema knows it) and the line: no word of the document's content.
    [[nodiscard]] model::Status validate(std::string_view document) const;

  private:
    struct Compiled;
    explicit Validator(std::unique_ptr<Compiled> compiled);
    std::unique_ptr<Compiled> compiled_;
};

}  // namespace lihandover::handover
