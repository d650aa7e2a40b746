#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "lihandover/config/configuration.hpp"
#include "lihandover/warrants/loader.hpp"

namespace lihandover::warrants {
namespace {

TEST(ConfigurationReference, HasTheOptionsAndTheKeysOfWarrantFiles) {
    const std::string path = LIHANDOVER_SOURCE_DIR "/docs/configuration.md";
    const std::string expected = config::reference_markdown() + warrant_reference_markdown();
    if (std::getenv("LIHANDOVER_UPDATE_DOCS") != nullptr) {
        std::ofstream(path) << expected;
    }
    std::ostringstream file;
    file << std::ifstream(path).rdbuf();
    EXPECT_EQ(file.str(), expected) << "run with LIHANDOVER_UPDATE_DOCS=1 to write docs/configuration.md anew";
}

TEST(ConfigurationReference, TheExampleWarrantIsGood) {
    const std::string text = warrant_reference_markdown();
    const std::size_t start = text.find("```yaml\n") + 8;
    Warrant warrant;
    const config::Problems problems =
        read_warrant(text.substr(start, text.find("```", start) - start), "f", {{"lea-one"}, {}}, warrant);
    for (const config::Problem& problem : problems) {
        ADD_FAILURE() << check_text(problem);
    }
    EXPECT_EQ(warrant.targets.size(), 4U);
}

}  // namespace
}  // namespace lihandover::warrants
