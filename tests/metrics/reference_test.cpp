#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "lihandover/metrics/metrics.hpp"

namespace lihandover::metrics {
namespace {

TEST(MetricsReference, IsTheOneInDocs) {
    const std::string path = LIHANDOVER_SOURCE_DIR "/docs/metrics.md";
    if (std::getenv("LIHANDOVER_UPDATE_DOCS") != nullptr) {
        std::ofstream(path) << reference_markdown();
    }
    std::ostringstream file;
    file << std::ifstream(path).rdbuf();
    EXPECT_EQ(file.str(), reference_markdown()) << "run with LIHANDOVER_UPDATE_DOCS=1 to write docs/metrics.md anew";
}

}  // namespace
}  // namespace lihandover::metrics
