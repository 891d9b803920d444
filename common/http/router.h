#pragma once
// Method + path pattern -> handler. Explicit and small: patterns are "/live/{stream}/{name}", a
// parameter is one whole path segment, the first pattern that fits wins.
//
// An unknown path is 404; a known path with another method is 405 with Allow. HEAD is served by the
// handler of GET (the server keeps the body back).
//
// Thread: routes are added before the server starts; then any.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/http/exchange.h"

namespace millrace::http {

// The decoded path segments that stood for a pattern's {names}.
class PathParameters {
public:
    void add(std::string name, std::string value);
    // Empty for a name the pattern does not have.
    [[nodiscard]] const std::string& operator[](std::string_view name) const;

private:
    std::vector<std::pair<std::string, std::string>> values_;
};

class Router {
public:
    using Handler = std::function<void(ExchangePtr, const PathParameters&)>;

    void on(Method method, std::string_view pattern, Handler handler);
    // Answers or hands on.
    void operator()(const ExchangePtr& exchange) const;

private:
    struct Route {
        Method method;
        std::vector<std::string> pattern;
        Handler handler;
    };

    std::vector<Route> routes_;
};

}  // namespace millrace::http
