#include "orchestrator/admin/ledger_api.h"

#include <charconv>
#include <map>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/base/hex.h"
#include "common/config/instant.h"
#include "common/http/problem.h"
#include "common/runtime/wall_clock.h"
#include "orchestrator/admin/status_json.h"
#include "orchestrator/store/store.h"

namespace millrace::orchestrator::admin {
namespace {

using nlohmann::json;
using store::LedgerBy;

http::Response answer(int status, const json& body) {
    auto text = body.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
    http::Response response = http::text_response(status, "application/json", std::move(text));
    response.headers.set("Cache-Control", "no-store");
    return response;
}

http::Response refusal(ApiCode code, std::string detail) {
    return http::to_response({code, std::move(detail), {}, std::nullopt});
}

http::Response refusal(const Error& problem) {
    const ApiCode code = problem.kind == ErrorKind::bad_input    ? ApiCode::bad_request
                         : problem.kind == ErrorKind::overloaded ? ApiCode::orchestrator_busy
                                                                 : ApiCode::storage_unavailable;
    return refusal(code, problem.message);
}

json totals_json(const store::LedgerTotals& t) {
    return {{"segments", t.segments},
            {"seconds", static_cast<double>(t.duration_us) / 1e6},
            {"duration_us", t.duration_us},
            {"decoded_frames", t.decoded_frames},
            {"decoded_pixels", t.decoded_pixels},
            {"encoded_frames", t.encoded_frames},
            {"encoded_pixels", t.encoded_pixels},
            {"source_bytes", t.source_bytes},
            {"encoded_bytes", t.encoded_bytes}};
}

json line_json(LedgerBy by, const store::LedgerLine& line) {
    json out = totals_json(line.totals);
    if (by == LedgerBy::transcoder) {
        out["transcoder"] = line.id;
        out["name"] = line.name;
    } else if (by == LedgerBy::session) {
        out["session"] = line.id;
        out["stream"] = line.name;
    } else {
        out["account"] = line.id;
    }
    return out;
}

json sums_json(LedgerBy by, const store::LedgerSums& sums) {
    json lines = json::array();
    for (const store::LedgerLine& line : sums.lines)
        lines.push_back(line_json(by, line));
    return {{"lines", std::move(lines)}, {"total", totals_json(sums.total)}};
}

json time_json(std::optional<WallTime> time) {
    return time ? json(rfc3339(*time)) : json(nullptr);
}

json period_json(const store::ClosedPeriod& period) {
    return {{"number", period.number},
            {"from", period.from.ms == 0 ? json(nullptr) : json(rfc3339(period.from))},
            {"until", rfc3339(period.until)},
            {"closed_at", rfc3339(period.closed_at)},
            {"rows", period.position},
            {"head", to_hex(period.chain)}};
}

// A period's lines, added up the way that is asked for. They fitted when it was closed.
store::LedgerSums sums_of(const store::ClosedPeriod& period, LedgerBy by) {
    std::map<std::string, store::LedgerLine> lines;
    store::LedgerSums sums;
    for (const store::PeriodLine& one : period.lines) {
        const bool account = by == LedgerBy::account;
        store::LedgerLine& line = lines[account ? one.account.value : one.transcoder.value];
        if (!account)
            line.name = one.transcoder_name;
        (void)line.totals.add(one.totals);
        (void)sums.total.add(one.totals);
    }
    for (auto& [id, line] : lines) {
        line.id = id;
        sums.lines.push_back(std::move(line));
    }
    return sums;
}

// ---- reading GET /ledger ----

struct Question {
    LedgerBy by = LedgerBy::transcoder;
    store::LedgerRange range;
    std::optional<std::int64_t> period;
};

Result<std::optional<WallTime>> read_time(const http::Target& target, const char* key) {
    const auto text = target.parameter(key);
    if (!text)
        return std::optional<WallTime>();
    const auto instant = config::parse_instant(*text);
    if (!instant)
        return error(ErrorKind::bad_input, std::string(key) + " " + instant.error().message);
    return std::optional(instant->from(wall_now()));
}

Result<LedgerBy> read_by(std::string_view text) {
    if (text == "transcoder")
        return LedgerBy::transcoder;
    if (text == "account")
        return LedgerBy::account;
    if (text == "session")
        return LedgerBy::session;
    return error(ErrorKind::bad_input, "by must be transcoder, account or session");
}

Result<Question> read_question(const http::Target& target) {
    for (const auto& [key, value] : target.query)
        if (key != "by" && key != "since" && key != "until" && key != "period")
            return error(ErrorKind::bad_input, "the ledger knows by, since, until and period only");
    Question question;
    auto by = read_by(target.parameter("by").value_or("transcoder"));
    auto since = read_time(target, "since");
    auto until = read_time(target, "until");
    MR_TRY(by);
    MR_TRY(since);
    MR_TRY(until);
    question.by = *by;
    question.range = {*since, *until};
    if (const auto text = target.parameter("period")) {
        std::int64_t number = 0;
        const auto [end, problem] =
            std::from_chars(text->data(), text->data() + text->size(), number);
        if (problem != std::errc() || end != text->data() + text->size())
            return error(ErrorKind::bad_input, "period must be a period's number");
        if (*since || *until || *by == LedgerBy::session)
            return error(ErrorKind::bad_input,
                         "a period is a time of its own, by transcoder or account");
        question.period = number;
    }
    return question;
}

http::Response answer_question(store::Ledger& ledger, const Question& question,
                               std::string_view by) {
    json head{{"by", by}};
    if (question.period) {
        const auto period = ledger.period(*question.period);
        if (!period)
            return refusal(period.error());
        head["period"] = period_json(*period);
        head.update(sums_json(question.by, sums_of(*period, question.by)));
        return answer(200, head);
    }
    const auto sums = ledger.sums(question.by, question.range);
    if (!sums)
        return refusal(sums.error());
    head["since"] = time_json(question.range.since);
    head["until"] = time_json(question.range.until);
    head.update(sums_json(question.by, *sums));
    return answer(200, head);
}

}  // namespace

LedgerApi::LedgerApi(Loop& loop, store::Store& store, const std::string& data_dir)
    : loop_(loop), store_(store), desk_(data_dir) {}

void LedgerApi::ask(const http::ExchangePtr& exchange, Answer answer_with) {
    const bool asked = desk_.ask([exchange, answer_with = std::move(answer_with)](auto ledger) {
        exchange->respond(ledger ? answer_with(**ledger)
                                 : refusal(ApiCode::storage_unavailable, ledger.error().message));
    });
    if (!asked)
        exchange->respond(
            refusal(ApiCode::orchestrator_busy, "too many questions about the ledger at once"));
}

void LedgerApi::sums(const http::ExchangePtr& exchange) {
    const http::Target& target = exchange->request().target;
    auto question = read_question(target);
    if (!question)
        return exchange->respond(refusal(question.error()));
    ask(exchange, [question = *std::move(question),
                   by = std::string(target.parameter("by").value_or("transcoder"))](
                      store::Ledger& ledger) { return answer_question(ledger, question, by); });
}

void LedgerApi::periods(const http::ExchangePtr& exchange) {
    ask(exchange, [](store::Ledger& ledger) {
        const auto periods = ledger.periods();
        if (!periods)
            return refusal(periods.error());
        json list = json::array();
        for (const store::ClosedPeriod& period : *periods)
            list.push_back(period_json(period));
        return answer(200, list);
    });
}

// ---- closing: hold the end, add up what lies before it, write it down ----

void LedgerApi::close(const http::ExchangePtr& exchange, const json& body) {
    const auto text = body.find("until");
    const WallTime now = wall_now();
    WallTime until = now;
    if (text != body.end()) {
        const auto instant =
            text->is_string()
                ? config::parse_instant(text->get_ref<const std::string&>())
                : Result<config::Instant>(error(ErrorKind::bad_input, "must be a time"));
        if (!instant)
            return exchange->respond(
                refusal(ApiCode::bad_request, "until " + instant.error().message));
        until = instant->from(now);
    }
    if (until > now)
        return exchange->respond(
            refusal(ApiCode::bad_request, "until is still to come: a period ends in the past"));
    if (std::exchange(closing_, true))
        return exchange->respond(refusal(ApiCode::conflict, "a period is being closed already"));
    store_.hold_ledger(until, [this, exchange, until](const Result<void>& held) {
        if (held)
            return draft(exchange, until);
        closing_ = false;
        exchange->respond(refusal(held.error()));
    });
}

void LedgerApi::draft(const http::ExchangePtr& exchange, WallTime until) {
    const bool asked = desk_.ask([this, exchange, until](auto ledger) {
        auto period = ledger ? (*ledger)->draft(until, wall_now())
                             : Result<store::ClosedPeriod>(ledger.error());
        loop_.post([this, exchange, period = std::move(period)]() mutable {
            if (period)
                return finish(exchange, *std::move(period));
            closing_ = false;
            exchange->respond(refusal(period.error()));
        });
    });
    if (asked)
        return;
    closing_ = false;
    exchange->respond(
        refusal(ApiCode::orchestrator_busy, "too many questions about the ledger at once"));
}

void LedgerApi::finish(const http::ExchangePtr& exchange, store::ClosedPeriod period) {
    const json made = period_json(period);
    store_.close_period(std::move(period), [this, exchange, made](const Result<void>& closed) {
        closing_ = false;
        exchange->respond(closed ? answer(201, made) : refusal(closed.error()));
    });
}

}  // namespace millrace::orchestrator::admin
