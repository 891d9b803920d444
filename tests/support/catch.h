#pragma once
// The one place that knows which Catch2 this is (Debian 12: version 2, single header).
#include <catch2/catch.hpp>
