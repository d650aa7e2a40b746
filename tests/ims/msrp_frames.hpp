#pragma once

#include <gtest/gtest.h>

#include <string_view>

#include "crlf.hpp"
#include "lihandover/ims/msrp.hpp"

namespace lihandover::ims {

/// Reads a frame that has to be all of the bytes.
[[nodiscard]] inline MsrpFrame read_whole(std::string_view bytes) {
    MsrpFrame frame;
    EXPECT_EQ(read_msrp(bytes, frame), MsrpRead::frame) << bytes.substr(0, 400);
    EXPECT_EQ(frame.octets, bytes.size());
    return frame;
}

[[nodiscard]] inline MsrpRead outcome_of(std::string_view bytes) {
    MsrpFrame frame;
    return read_msrp(bytes, frame);
}

}  // namespace lihandover::ims
