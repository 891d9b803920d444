#pragma once
// The Asio side of a Loop, for modules that speak Asio themselves (common/http). Not for public
// headers: it pulls in Boost.
//
// Thread: what runs on this context runs on the loop thread. Owner: the Loop.

#include <boost/asio/io_context.hpp>

#include "common/runtime/loop.h"

namespace millrace {

[[nodiscard]] boost::asio::io_context& asio_context(Loop& loop);

}  // namespace millrace
