#include "orchestrator/store/init_rows.h"

#include <SQLiteCpp/SQLiteCpp.h>

namespace millrace::orchestrator::store {

std::vector<InitRow> init_parts(SQLite::Database& db, WallTime since) {
    SQLite::Statement expire(db, "DELETE FROM init_parts WHERE used_ms < ?");
    expire.bind(1, since.ms);
    expire.exec();
    SQLite::Statement query(
        db, "SELECT account, stream, bytes, used_ms FROM init_parts ORDER BY used_ms DESC");
    std::vector<InitRow> rows;
    while (query.executeStep()) {
        const SQLite::Column bytes = query.getColumn(2);
        const auto* first = static_cast<const std::uint8_t*>(bytes.getBlob());
        rows.push_back({AccountId{query.getColumn(0).getString()},
                        StreamName{query.getColumn(1).getString()},
                        std::make_shared<std::vector<std::uint8_t>>(first, first + bytes.size()),
                        WallTime{query.getColumn(3).getInt64()}});
    }
    return rows;
}

void write(SQLite::Database& db, const InitRow& row) {
    SQLite::Statement upsert(db,
                             "INSERT INTO init_parts VALUES (?1,?2,?3,?4) ON CONFLICT (account, "
                             "stream) DO UPDATE SET bytes = ?3, used_ms = ?4");
    upsert.bind(1, row.account.value);
    upsert.bind(2, row.stream.value);
    upsert.bind(3, row.bytes->data(), static_cast<int>(row.bytes->size()));
    upsert.bind(4, row.used_at.ms);
    upsert.exec();
}

void write(SQLite::Database& db, const InitRemoval& row) {
    SQLite::Statement remove(db, "DELETE FROM init_parts WHERE account = ? AND stream = ?");
    remove.bind(1, row.account.value);
    remove.bind(2, row.stream.value);
    remove.exec();
}

}  // namespace millrace::orchestrator::store
