#pragma once

// All that a client needs: connecting, exchanging, and what may go wrong with either.

#include "lihandover/http/connection.hpp"
#include "lihandover/http/connector.hpp"
#include "lihandover/http/failure.hpp"
