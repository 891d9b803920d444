#include "common/http/router.h"

#include <algorithm>
#include <optional>

#include "common/base/check.h"
#include "common/http/problem.h"

namespace millrace::http {
namespace {

std::vector<std::string> split(std::string_view pattern) {
    MR_CHECK(!pattern.empty() && pattern.front() == '/', "a route pattern starts with a slash");
    std::vector<std::string> parts;
    for (std::size_t at = 1;;) {
        const std::size_t slash = std::min(pattern.find('/', at), pattern.size());
        parts.emplace_back(pattern.substr(at, slash - at));
        if (slash == pattern.size())
            return parts;
        at = slash + 1;
    }
}

bool is_parameter(std::string_view part) {
    return part.size() > 2 && part.front() == '{' && part.back() == '}';
}

std::optional<PathParameters> match(const std::vector<std::string>& pattern,
                                    const std::vector<std::string>& segments) {
    if (pattern.size() != segments.size())
        return std::nullopt;
    PathParameters parameters;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (is_parameter(pattern[i]))
            parameters.add(pattern[i].substr(1, pattern[i].size() - 2), segments[i]);
        else if (pattern[i] != segments[i])
            return std::nullopt;
    }
    return parameters;
}

void add_method(std::string& allow, Method method) {
    if (allow.find(to_string(method)) != std::string::npos)
        return;
    allow += (allow.empty() ? "" : ", ") + std::string(to_string(method));
    if (method == Method::get)
        allow += ", HEAD";
}

}  // namespace

void PathParameters::add(std::string name, std::string value) {
    values_.emplace_back(std::move(name), std::move(value));
}

const std::string& PathParameters::operator[](std::string_view name) const {
    static const std::string kNone;
    const auto found = std::find_if(values_.begin(), values_.end(),
                                    [&](const auto& value) { return value.first == name; });
    return found == values_.end() ? kNone : found->second;
}

void Router::on(Method method, std::string_view pattern, Handler handler) {
    routes_.push_back({method, split(pattern), std::move(handler)});
}

void Router::operator()(const ExchangePtr& exchange) const {
    const Request& request = exchange->request();
    const Method wanted = request.method == Method::head ? Method::get : request.method;
    std::string allow;
    for (const Route& route : routes_) {
        const auto parameters = match(route.pattern, request.target.segments);
        if (!parameters)
            continue;
        if (route.method == wanted)
            return route.handler(exchange, *parameters);
        add_method(allow, route.method);
    }
    if (allow.empty())
        return exchange->respond(to_response({ApiCode::not_found, "no such resource", {}}));
    Response response = to_response(
        {ApiCode::method_not_allowed, request.method_name + " is not possible here", {}});
    response.headers.set("Allow", allow);
    exchange->respond(std::move(response));
}

}  // namespace millrace::http
