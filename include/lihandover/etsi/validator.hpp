#pragma once

#include <filesystem>
#include <memory>
#include <string_view>

#include "lihandover/model/result.hpp"

namespace lihandover::etsi {

/// Checks documents against XML Schemas with libxml2. The schemas are compiled once; validate() may be called from
/// several threads at the same time, each call works on its own. No network, no DTD, no entities, and a document cannot
/// name schemas of its own (xsi:schemaLocation is an error).
class Validator {
  public:
    /// Loads every *.xsd of `schemas_dir` (not of folders below it) by its targetNamespace. Imports need no
    /// schemaLocation, and one that is given is not followed: so ETSI's own files may take the place of ours, as they
    /// are. HI1Message of the Core namespace and handoverItem of the 707 namespace must be declared by them. Two files
    /// with one targetNamespace are an error. The error names the file, and the line where there is one.
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

}  // namespace lihandover::etsi
