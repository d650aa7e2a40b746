#include "lihandover/handover/validator.hpp"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xmlIO.h>
#include <libxml/xmlerror.h>
#include <libxml/xmlschemas.h>
#include <libxml/xmlschemastypes.h>
#include <malloc.h>

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "lihandover/base/free_with.hpp"
#include "lihandover/handover/names.hpp"
#include "lihandover/hi1/names.hpp"

namespace lihandover::handover {
namespace {

constexpr std::size_t max_schema_size = std::size_t{8} << 20;
constexpr std::size_t max_schema_files = 64;
constexpr std::string_view xsd_namespace = "http://www.w3.org/2001/XMLSchema";

using DocumentPtr = std::unique_ptr<xmlDoc, base::FreeWith<xmlFreeDoc>>;
using ParserPtr = std::unique_ptr<xmlParserCtxt, base::FreeWith<xmlFreeParserCtxt>>;
using SchemaParserPtr = std::unique_ptr<xmlSchemaParserCtxt, base::FreeWith<xmlSchemaFreeParserCtxt>>;
using SchemaPtr = std::unique_ptr<xmlSchema, base::FreeWith<xmlSchemaFree>>;
using SchemaValidPtr = std::unique_ptr<xmlSchemaValidCtxt, base::FreeWith<xmlSchemaFreeValidCtxt>>;

std::string_view view(const xmlChar* text) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): xmlChar is libxml2's char
    return text == nullptr ? std::string_view{} : std::string_view(reinterpret_cast<const char*>(text));
}

const xmlChar* xml(const char* text) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
    return reinterpret_cast<const xmlChar*>(text);
}

// -- Schemas reach libxml2 from memory, by names that are no file's --------------------------------------------------
//
// xmlSchemaParse loads what an import's schemaLocation names through process-wide input callbacks. Ours answer to one
// scheme only and serve the thread that is loading; everything else that a schema file may name is removed before.

constexpr std::string_view scheme = "lihandover-schema:";

struct SchemaFile {
    std::string path;  ///< the name that the operator knows
    std::string text;
    std::string target;
};

thread_local const std::vector<SchemaFile>* loading = nullptr;

struct OpenSchema {
    std::string_view rest;
};

int match_schema(const char* name) {
    return std::string_view(name).starts_with(scheme) ? 1 : 0;
}

void* open_schema(const char* name) {
    if (loading == nullptr) {
        return nullptr;
    }
    std::size_t index = 0;
    for (const char c : std::string_view(name).substr(scheme.size())) {
        if (c < '0' || c > '9' || index > max_schema_files) {
            return nullptr;
        }
        index = index * 10 + static_cast<std::size_t>(c - '0');
    }
    return index < loading->size() ? new OpenSchema{(*loading)[index].text} : nullptr;
}

int read_schema(void* context, char* buffer, int length) {
    auto* open = static_cast<OpenSchema*>(context);
    const std::size_t count = std::min(open->rest.size(), static_cast<std::size_t>(std::max(length, 0)));
    std::memcpy(buffer, open->rest.data(), count);
    open->rest.remove_prefix(count);
    return static_cast<int>(count);
}

int close_schema(void* context) {
    delete static_cast<OpenSchema*>(context);
    return 0;
}

// The copies that it makes of a document are overwritten when they are let go.
void free_wiped(void* memory) {
    if (memory != nullptr) {
        explicit_bzero(memory, malloc_usable_size(memory));
        std::free(memory);
    }
}

void* reallocate_wiped(void* memory, std::size_t size) {
    void* const larger = std::malloc(size);
    if (larger != nullptr && memory != nullptr) {
        std::memcpy(larger, memory, std::min(size, malloc_usable_size(memory)));
        free_wiped(memory);
    }
    return larger;
}

void prepare_libxml() {
    static std::once_flag once;
    std::call_once(once, [] {
        static_cast<void>(xmlMemSetup(free_wiped, std::malloc, reallocate_wiped, ::strdup));
        xmlInitParser();
        xmlSchemaInitTypes();  // otherwise built lazily and without a lock
        xmlRegisterInputCallbacks(match_schema, open_schema, read_schema, close_schema);
    });
}

// -- Parsing without anything from outside ---------------------------------------------------------------------------

void ignore_error(void*, xmlError*) {}

void stop_at_dtd(void* context, const xmlChar*, const xmlChar*, const xmlChar*) {
    xmlStopParser(static_cast<xmlParserCtxtPtr>(context));
}

struct Parsed {
    DocumentPtr document;
    int line = 0;
    int code = 0;
};

Parsed parse(std::string_view text, bool take_dtd) {
    Parsed out;
    if (text.size() > INT_MAX) {
        out.code = XML_ERR_INTERNAL_ERROR;
        return out;
    }
    const ParserPtr parser(xmlNewParserCtxt());
    if (!parser) {
        throw std::bad_alloc();
    }
    parser->sax->serror = ignore_error;
    if (!take_dtd) {
        parser->sax->internalSubset = stop_at_dtd;
    }
    // Documents are not subject to libxml2's own limits, which are made for documents with DTDs. Schema files may have
    // an internal DTD (W3C's schema of XML-DSig does) and its entities, within those limits.
    const int options = take_dtd ? XML_PARSE_NONET | XML_PARSE_NOENT
                                 : XML_PARSE_NONET | XML_PARSE_NOCDATA | XML_PARSE_HUGE | XML_PARSE_COMPACT;
    out.document.reset(
        xmlCtxtReadMemory(parser.get(), text.data(), static_cast<int>(text.size()), nullptr, nullptr, options));
    if (const xmlError* error = xmlCtxtGetLastError(parser.get()); error != nullptr) {
        out.code = error->code;
        out.line = error->line;
    }
    if (parser->disableSAX != 0) {
        out.document.reset();
    }
    return out;
}

// -- Schema files ----------------------------------------------------------------------------------------------------

/// Removes what would make libxml2 look elsewhere, and collects the names of elements.
model::Status prepare_schema(xmlDoc& document, SchemaFile& file, std::unordered_set<std::string>& elements) {
    xmlNode* root = xmlDocGetRootElement(&document);
    const auto is_xsd = [](const xmlNode* node, std::string_view name) {
        return node->type == XML_ELEMENT_NODE && node->ns != nullptr && view(node->ns->href) == xsd_namespace &&
               view(node->name) == name;
    };
    const auto attribute = [](xmlNode* node, const char* name) {
        const std::unique_ptr<xmlChar, void (*)(void*)> value(xmlGetNoNsProp(node, xml(name)), xmlFree);
        return std::string(view(value.get()));
    };
    if (root == nullptr || !is_xsd(root, "schema")) {
        return model::Error{file.path + ": not an XML Schema"};
    }
    file.target = attribute(root, "targetNamespace");
    if (file.target.empty()) {
        return model::Error{file.path + ": the schema has no targetNamespace"};
    }
    bool changed = document.intSubset != nullptr;
    if (changed) {
        // Entities were replaced while parsing.
        xmlDtd* subset = document.intSubset;
        xmlUnlinkNode(reinterpret_cast<xmlNode*>(subset));  // NOLINT(cppcoreguidelines-pro-type-reinterpret-cast)
        xmlFreeDtd(subset);
    }
    for (xmlNode* node = root; node != nullptr;) {
        if (is_xsd(node, "include") || is_xsd(node, "redefine")) {
            return model::Error{file.path + ":" + std::to_string(xmlGetLineNo(node)) +
                                ": xs:include and xs:redefine are not supported; one file per namespace is needed"};
        }
        if (is_xsd(node, "import") && xmlHasNsProp(node, xml("schemaLocation"), nullptr) != nullptr) {
            xmlUnsetProp(node, xml("schemaLocation"));
            changed = true;
        }
        if (is_xsd(node, "element")) {
            elements.insert(attribute(node, "name"));
        }
        if (node->type == XML_ELEMENT_NODE && node->children != nullptr) {
            node = node->children;
            continue;
        }
        while (node != root && node->next == nullptr) {
            node = node->parent;
        }
        node = node == root ? nullptr : node->next;
    }
    if (changed) {
        xmlChar* text = nullptr;
        int size = 0;
        xmlDocDumpMemory(&document, &text, &size);
        if (text == nullptr) {
            throw std::bad_alloc();
        }
        const std::unique_ptr<xmlChar, void (*)(void*)> owned(text, xmlFree);
        file.text.assign(view(text).substr(0, static_cast<std::size_t>(size)));
    }
    return {};
}

model::Result<std::string> read_file(const std::filesystem::path& path) {
    std::error_code error;
    const auto size = std::filesystem::file_size(path, error);
    if (error) {
        return model::Error{path.string() + ": " + error.message()};
    }
    if (size > max_schema_size) {
        return model::Error{path.string() + ": too large for a schema"};
    }
    std::ifstream in(path, std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (!in.good() && !in.eof()) {
        return model::Error{path.string() + ": cannot be read"};
    }
    // Not by conversion: an Error can be made from a string as well.
    return {boost::system::in_place_value, std::move(text)};
}

model::Result<std::vector<SchemaFile>> find_schemas(const std::filesystem::path& directory,
                                                    std::unordered_set<std::string>& elements) {
    std::error_code error;
    std::set<std::filesystem::path> paths;
    for (std::filesystem::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
        if (at->path().extension() == ".xsd") {
            paths.insert(at->path());
        }
    }
    if (error) {
        return model::Error{directory.string() + ": " + error.message()};
    }
    if (paths.size() > max_schema_files) {
        return model::Error{directory.string() + ": too many schema files"};
    }
    std::vector<SchemaFile> files;
    for (const std::filesystem::path& path : paths) {
        auto text = read_file(path);
        if (text.has_error()) {
            return text.error();
        }
        SchemaFile file{path.string(), std::move(*text), {}};
        const Parsed parsed = parse(file.text, true);
        if (!parsed.document) {
            return model::Error{file.path + ":" + std::to_string(parsed.line) + ": not well-formed XML"};
        }
        if (const auto prepared = prepare_schema(*parsed.document, file, elements); prepared.has_error()) {
            return prepared.error();
        }
        for (const SchemaFile& other : files) {
            if (other.target == file.target) {
                return model::Error{file.path + ": " + other.path + " has the same targetNamespace"};
            }
        }
        files.push_back(std::move(file));
    }
    // Items of every writer version may be waiting in the store.
    std::vector<std::string_view> all = {hi1::core_namespace, hi1::delivery_namespace, hi1::types_namespace,
                                         messaging_namespace};
    all.insert(all.end(), csp_schema_identifiers.begin(), csp_schema_identifiers.end());
    for (const std::string_view needed : all) {
        if (std::ranges::none_of(files, [needed](const SchemaFile& file) { return file.target == needed; })) {
            return model::Error{directory.string() + ": no *.xsd has the targetNamespace " + std::string(needed)};
        }
    }
    return files;
}

struct SchemaProblem {
    std::optional<std::string> message;
};

/// Schema files are the operator's own, so libxml2's messages may be passed on.
void keep_first_problem(void* context, xmlError* error) {
    auto* problem = static_cast<SchemaProblem*>(context);
    if (error->level < XML_ERR_ERROR || problem->message) {
        return;
    }
    std::string where;
    if (error->file != nullptr && loading != nullptr) {
        const std::string_view name(error->file);
        std::size_t index = 0;
        if (name.starts_with(scheme)) {
            index = static_cast<std::size_t>(std::strtoul(error->file + scheme.size(), nullptr, 10));
            where = index < loading->size() ? (*loading)[index].path : std::string();
        }
    }
    std::string text = error->message == nullptr ? "not a valid XML Schema" : error->message;
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    problem->message = (where.empty() ? "schemas" : where) + ":" + std::to_string(error->line) + ": " + text;
}

model::Result<SchemaPtr> compile(const std::vector<SchemaFile>& files) {
    std::string driver = "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\">";
    for (std::size_t index = 0; index < files.size(); ++index) {
        const std::unique_ptr<xmlChar, void (*)(void*)> target(
            xmlEncodeSpecialChars(nullptr, xml(files[index].target.c_str())), xmlFree);
        driver += "<xs:import namespace=\"" + std::string(view(target.get())) + "\" schemaLocation=\"" +
                  std::string(scheme) + std::to_string(index) + "\"/>";
    }
    driver += "</xs:schema>";
    const SchemaParserPtr parser(xmlSchemaNewMemParserCtxt(driver.data(), static_cast<int>(driver.size())));
    if (!parser) {
        throw std::bad_alloc();
    }
    SchemaProblem problem;
    xmlSchemaSetParserStructuredErrors(parser.get(), keep_first_problem, &problem);
    loading = &files;
    SchemaPtr schema(xmlSchemaParse(parser.get()));
    loading = nullptr;
    if (problem.message) {
        return model::Error{*problem.message};
    }
    if (!schema) {
        return model::Error{"the schemas cannot be compiled"};
    }
    return schema;
}

}  // namespace

struct Validator::Compiled {
    SchemaPtr schema;
    std::unordered_set<std::string> elements;  ///< every name that a schema gives an element
};

namespace {

struct FirstProblem {
    int code = 0;
    int line = 0;
    std::string element;
    std::string parent;
    const std::unordered_set<std::string>* known = nullptr;
};

void keep_first_violation(void* context, xmlError* error) {
    auto* problem = static_cast<FirstProblem*>(context);
    if (problem->code != 0) {
        return;
    }
    problem->code = error->code;
    problem->line = error->line;
    const auto known_name = [problem](const xmlNode* node) {
        const std::string name(node != nullptr && node->type == XML_ELEMENT_NODE ? view(node->name) : "");
        return problem->known->contains(name) ? name : std::string();
    };
    const auto* node = static_cast<const xmlNode*>(error->node);
    if (node != nullptr && node->type == XML_ATTRIBUTE_NODE) {
        node = node->parent;
    }
    problem->element = known_name(node);
    problem->parent = known_name(node == nullptr ? nullptr : node->parent);
}

}  // namespace

Validator::Validator(std::unique_ptr<Compiled> compiled) : compiled_(std::move(compiled)) {}
Validator::Validator(Validator&&) noexcept = default;
Validator& Validator::operator=(Validator&&) noexcept = default;
Validator::~Validator() = default;

model::Result<Validator> Validator::load(const std::filesystem::path& schemas_dir) {
    prepare_libxml();
    auto compiled = std::make_unique<Compiled>();
    const auto files = find_schemas(schemas_dir, compiled->elements);
    if (files.has_error()) {
        return files.error();
    }
    compiled->elements.erase("");
    auto schema = compile(*files);
    if (schema.has_error()) {
        return schema.error();
    }
    compiled->schema = std::move(*schema);
    for (const std::string_view needed : {"HI1Message", "handoverItem"}) {
        if (!compiled->elements.contains(std::string(needed))) {
            return model::Error{schemas_dir.string() + ": no schema declares the element " + std::string(needed)};
        }
    }
    return Validator(std::move(compiled));
}

model::Status Validator::validate(std::string_view document) const {
    const Parsed parsed = parse(document, false);
    if (!parsed.document) {
        return model::Error{"not well-formed XML (libxml2 error " + std::to_string(parsed.code) + ", line " +
                            std::to_string(parsed.line) + ")"};
    }
    const SchemaValidPtr context(xmlSchemaNewValidCtxt(compiled_->schema.get()));
    if (!context) {
        throw std::bad_alloc();
    }
    FirstProblem problem;
    problem.known = &compiled_->elements;
    xmlSchemaSetValidStructuredErrors(context.get(), keep_first_violation, &problem);
    const int verdict = xmlSchemaValidateDoc(context.get(), parsed.document.get());
    if (verdict == 0) {
        return {};
    }
    std::string message = "not valid (libxml2 error " + std::to_string(problem.code);
    if (!problem.element.empty()) {
        message += ", element " + problem.element;
    }
    if (!problem.parent.empty()) {
        message += " in " + problem.parent;
    }
    return model::Error{message + ", line " + std::to_string(problem.line) + ")"};
}

}  // namespace lihandover::handover
