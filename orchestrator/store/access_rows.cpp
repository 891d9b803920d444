#include "orchestrator/store/access_rows.h"

#include <algorithm>

#include <SQLiteCpp/SQLiteCpp.h>
#include <nlohmann/json.hpp>

namespace millrace::orchestrator::store::access {
namespace {

template <class T>
void bind_limit(SQLite::Statement& statement, int at, const std::optional<T>& limit) {
    if (limit)
        statement.bind(at, static_cast<std::int64_t>(*limit));
}

template <class T>
std::optional<T> limit_of(const SQLite::Column& column) {
    return column.isNull() ? std::nullopt : std::optional(static_cast<T>(column.getInt64()));
}

std::vector<std::string> streams_of(const std::string& text) {
    const auto json = nlohmann::json::parse(text, nullptr, false);
    std::vector<std::string> streams;
    if (json.is_array())
        for (const auto& pattern : json)
            if (pattern.is_string())
                streams.push_back(pattern.get<std::string>());
    return streams;
}

}  // namespace

std::vector<Account> accounts(SQLite::Database& db) {
    SQLite::Statement query(db,
                            "SELECT name, key_id, key_hash, sessions, segments_per_minute, "
                            "bytes_per_second, pixels_per_second, streams, created_ms "
                            "FROM accounts ORDER BY name");
    std::vector<Account> list;
    while (query.executeStep()) {
        Account account;
        account.name = {query.getColumn(0).getString()};
        account.key_id = query.getColumn(1).getString();
        const std::string hash = query.getColumn(2).getString();
        if (hash.size() != account.key_hash.size())
            continue;  // no key can ever match it
        std::copy(hash.begin(), hash.end(), account.key_hash.begin());
        account.limits = {limit_of<std::uint32_t>(query.getColumn(3)),
                          limit_of<std::uint64_t>(query.getColumn(4)),
                          limit_of<std::uint64_t>(query.getColumn(5)),
                          limit_of<std::uint64_t>(query.getColumn(6))};
        account.streams = streams_of(query.getColumn(7).getString());
        account.created_at = {query.getColumn(8).getInt64()};
        list.push_back(std::move(account));
    }
    return list;
}

std::vector<TokenKeyRow> token_keys(SQLite::Database& db) {
    SQLite::Statement query(db,
                            "SELECT key_id, value, created_ms FROM secrets "
                            "WHERE name = 'session_hmac' ORDER BY key_id DESC");
    std::vector<TokenKeyRow> rows;
    while (query.executeStep()) {
        const std::string secret = query.getColumn(1).getString();
        rows.push_back({query.getColumn(0).getUInt(),
                        {secret.begin(), secret.end()},
                        {query.getColumn(2).getInt64()}});
    }
    return rows;
}

void write(SQLite::Database& db, const Account& account) {
    SQLite::Statement upsert(
        db,
        "INSERT INTO accounts VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9) ON CONFLICT (name) DO UPDATE SET "
        "key_id = ?2, key_hash = ?3, sessions = ?4, segments_per_minute = ?5, "
        "bytes_per_second = ?6, pixels_per_second = ?7, streams = ?8, created_ms = ?9");
    upsert.bind(1, account.name.value);
    upsert.bind(2, account.key_id);
    upsert.bind(3, account.key_hash.data(), static_cast<int>(account.key_hash.size()));
    bind_limit(upsert, 4, account.limits.sessions);
    bind_limit(upsert, 5, account.limits.segments_per_minute);
    bind_limit(upsert, 6, account.limits.bytes_per_second);
    bind_limit(upsert, 7, account.limits.pixels_per_second);
    upsert.bind(8, nlohmann::json(account.streams).dump());
    upsert.bind(9, account.created_at.ms);
    upsert.exec();
}

void write(SQLite::Database& db, const AccountRemoval& row) {
    SQLite::Statement remove(db, "DELETE FROM accounts WHERE name = ?");
    remove.bind(1, row.name.value);
    remove.exec();
}

void write(SQLite::Database& db, const TokenKeyRow& row) {
    SQLite::Statement insert(db, "INSERT INTO secrets VALUES ('session_hmac', ?, ?, ?)");
    insert.bind(1, static_cast<std::int64_t>(row.id));
    insert.bind(2, row.secret.data(), static_cast<int>(row.secret.size()));
    insert.bind(3, row.created_at.ms);
    insert.exec();
}

void write(SQLite::Database& db, const TokenKeyRemoval& row) {
    SQLite::Statement remove(db, "DELETE FROM secrets WHERE name = 'session_hmac' AND key_id = ?");
    remove.bind(1, static_cast<std::int64_t>(row.id));
    remove.exec();
}

}  // namespace millrace::orchestrator::store::access
