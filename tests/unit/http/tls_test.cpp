// TLS with certificates made on the spot by openssl(1).

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/http/fixture.h"

using namespace millrace;
using namespace millrace::test;

namespace {

class Certificates {
public:
    Certificates() {
        std::string pattern =
            (std::filesystem::temp_directory_path() / "millrace-tls-XXXXXX").string();
        REQUIRE(::mkdtemp(pattern.data()) != nullptr);
        directory_ = pattern;
    }
    ~Certificates() { std::filesystem::remove_all(directory_); }

    // Replaces certificate and key by a new pair.
    void make() const {
        const std::string command =
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
            "-subj /CN=localhost "
            "-addext subjectAltName=IP:127.0.0.1 -keyout " +
            file("key.pem") + " -out " + file("cert.pem") + " 2>/dev/null";
        REQUIRE(std::system(command.c_str()) == 0);
    }
    std::string file(const std::string& name) const { return (directory_ / name).string(); }
    http::ServerOptions options() const {
        http::ServerOptions options;
        options.tls = http::TlsFiles{file("cert.pem"), file("key.pem")};
        return options;
    }

private:
    std::filesystem::path directory_;
};

Result<http::ClientResponse> get(const Fixture& fixture, const Certificates& certificates,
                                 const std::string& path, std::string body = {}) {
    http::ClientRequest request;
    request.method = body.empty() ? "GET" : "PUT";
    request.url = "https://" + fixture.server->local_endpoint() + path;
    request.body = std::move(body);
    request.ca_file = certificates.file("cert.pem");
    return http::fetch(request);
}

}  // namespace

TEST_CASE("the same server speaks TLS", "[http][tls]") {
    Certificates certificates;
    certificates.make();
    Fixture fixture(certificates.options());
    const auto hello = get(fixture, certificates, "/hello");
    REQUIRE(hello);
    CHECK(hello->body == "hello\n");
    const std::string body(700'000, 'x');
    const auto echo = get(fixture, certificates, "/echo", body);
    REQUIRE(echo);
    CHECK(echo->body == "<" + body + ">");
    const auto large = get(fixture, certificates, "/echo", std::string(2'000'000, 'x'));
    REQUIRE(large);
    CHECK(large->status == 413);
    RawClient plain(fixture.server->port());
    plain.send("GET /hello HTTP/1.1\r\nHost: x\r\n\r\n");
    CHECK(plain.read_all().find("hello") == std::string::npos);
}

TEST_CASE("a replaced certificate is used for the connections that follow", "[http][tls]") {
    Certificates certificates;
    certificates.make();
    Fixture fixture(certificates.options());
    REQUIRE(get(fixture, certificates, "/hello"));
    certificates.make();
    CHECK(eventually([&] { return get(fixture, certificates, "/hello").has_value(); },
                     std::chrono::seconds(10)));
    std::filesystem::copy_file(certificates.file("cert.pem"), certificates.file("good.pem"));
    std::ofstream(certificates.file("cert.pem")) << "broken";
    http::ClientRequest request;
    request.url = "https://" + fixture.server->local_endpoint() + "/hello";
    request.ca_file = certificates.file("good.pem");
    // Longer than the reload's own pace: each handshake in that time finds the last good certificate.
    for (const auto until = Clock::now() + std::chrono::milliseconds(1500); Clock::now() < until;)
        REQUIRE(http::fetch(request));
}

TEST_CASE("TLS files that are wrong stop the start and are named", "[http][tls]") {
    Certificates certificates;
    const auto missing = http::Server::start(certificates.options(), [](const auto&) {});
    REQUIRE_FALSE(missing);
    CHECK(missing.error().message.find("cert.pem") != std::string::npos);
    certificates.make();
    std::filesystem::copy_file(certificates.file("cert.pem"), certificates.file("old.pem"));
    certificates.make();
    auto options = certificates.options();
    options.tls->certificate = certificates.file("old.pem");
    const auto foreign = http::Server::start(options, [](const auto&) {});
    REQUIRE_FALSE(foreign);
    CHECK(foreign.error().message.find("key") != std::string::npos);
}

TEST_CASE("a key that others may read, and one with a passphrase, stop the start", "[http][tls]") {
    Certificates certificates;
    certificates.make();
    const auto files = *certificates.options().tls;
    CHECK_FALSE(http::check_tls_files(files));
    std::filesystem::permissions(files.key, std::filesystem::perms(0644));
    const auto open = http::check_tls_files(files);
    REQUIRE(open);
    CHECK(open->where == http::TlsProblem::Where::key);
    CHECK(open->detail.find("chmod 600") != std::string::npos);
    const std::string lock = "openssl pkey -in " + files.key + " -aes256 -passout pass:x -out " +
                             files.key + ".locked 2>/dev/null && chmod 600 " + files.key +
                             ".locked";
    REQUIRE(std::system(lock.c_str()) == 0);
    const auto locked = http::check_tls_files({files.certificate, files.key + ".locked"});
    REQUIRE(locked);
    CHECK(locked->where == http::TlsProblem::Where::key);
}

TEST_CASE("a client that only speaks other protocols or an old TLS is told so in the handshake",
          "[http][tls]") {
    Certificates certificates;
    certificates.make();
    Fixture fixture(certificates.options());
    const auto shakes_hands = [&](const std::string& with) {
        const std::string command = "openssl s_client -connect " +
                                    fixture.server->local_endpoint() + " " + with +
                                    " </dev/null >/dev/null 2>&1";
        return std::system(command.c_str()) == 0;
    };
    CHECK(shakes_hands("-alpn http/1.1"));
    CHECK(shakes_hands("-alpn h2,http/1.1"));
    CHECK(shakes_hands("-tls1_2"));
    CHECK(shakes_hands("-tls1_3"));
    CHECK_FALSE(shakes_hands("-alpn h2"));
    CHECK_FALSE(shakes_hands("-tls1_1 -cipher ALL:@SECLEVEL=0"));
    REQUIRE(get(fixture, certificates, "/hello"));
}
