#include "common/http/client.h"

#include <algorithm>
#include <memory>
#include <mutex>

#include <curl/curl.h>

namespace millrace::http {
namespace {

using Handle = std::unique_ptr<CURL, decltype(&curl_easy_cleanup)>;
using List = std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)>;

struct Answer {
    ClientResponse response;
    std::size_t bytes_max = 0;
    bool too_large = false;
};

std::size_t take_body(char* data, std::size_t size, std::size_t count, void* target) {
    auto& answer = *static_cast<Answer*>(target);
    const std::size_t bytes = size * count;
    answer.too_large = answer.response.body.size() + bytes > answer.bytes_max;
    if (answer.too_large)
        return 0;
    answer.response.body.append(data, bytes);
    return bytes;
}

std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos)
        return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Called once a line; a status line begins a new answer (100, then the real one).
std::size_t take_header(char* data, std::size_t size, std::size_t count, void* target) {
    auto& answer = *static_cast<Answer*>(target);
    const std::string_view line(data, size * count);
    if (line.starts_with("HTTP/"))
        answer.response.headers = {};
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && !line.starts_with("HTTP/"))
        answer.response.headers.add(std::string(trimmed(line.substr(0, colon))),
                                    std::string(trimmed(line.substr(colon + 1))));
    return line.size();
}

// libcurl asks at least once a second whether to go on.
int go_on(void* target, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<const std::stop_token*>(target)->stop_requested() ? 1 : 0;
}

List header_list(const Headers& headers) {
    curl_slist* list = nullptr;
    for (const auto& [name, value] : headers)
        list = curl_slist_append(list, (name + ": " + value).c_str());
    return {list, curl_slist_free_all};
}

void set_body(CURL* curl, const ClientRequest& request) {
    if (request.method == "HEAD") {
        curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
        return;
    }
    if (!request.body.empty() || request.method == "POST" || request.method == "PUT") {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
                         static_cast<curl_off_t>(request.body.size()));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.c_str());
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

Error error_of(CURLcode code, const Answer& answer, const char* words) {
    const std::string message = *words != '\0' ? words : curl_easy_strerror(code);
    if (answer.too_large)
        return error(ErrorKind::bad_input, "the answer is larger than allowed");
    if (code == CURLE_OPERATION_TIMEDOUT)
        return error(ErrorKind::timeout, message);
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return error(ErrorKind::bad_input, message);
    return error(ErrorKind::disconnected, message);
}

}  // namespace

Result<ClientResponse> fetch(const ClientRequest& request) {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    const Handle curl(curl_easy_init(), curl_easy_cleanup);
    if (!curl)
        return error(ErrorKind::internal, "libcurl does not start");
    Answer answer;
    answer.bytes_max = request.answer_bytes_max;
    const List headers = header_list(request.headers);
    char words[CURL_ERROR_SIZE] = {};
    curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, words);
    curl_easy_setopt(curl.get(), CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl.get(), CURLOPT_PROXY, "");
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS,
                     static_cast<long>(std::max<std::int64_t>(to_ms(request.timeout), 1)));
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &answer);
    curl_easy_setopt(curl.get(), CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl.get(), CURLOPT_HEADERDATA, &answer);
    curl_easy_setopt(curl.get(), CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl.get(), CURLOPT_XFERINFOFUNCTION, go_on);
    curl_easy_setopt(curl.get(), CURLOPT_XFERINFODATA, &request.cancelled);
    if (!request.ca_file.empty()) {
        curl_easy_setopt(curl.get(), CURLOPT_CAINFO, request.ca_file.c_str());
        curl_easy_setopt(curl.get(), CURLOPT_CAPATH, nullptr);  // else the system's count as well
    }
    set_body(curl.get(), request);
    const CURLcode code = curl_easy_perform(curl.get());
    if (code != CURLE_OK)
        return error_of(code, answer, words);
    long status = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    answer.response.status = static_cast<int>(status);
    return std::move(answer.response);
}

}  // namespace millrace::http
