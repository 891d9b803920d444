#include "orchestrator/store/stake_row.h"

#include <SQLiteCpp/SQLiteCpp.h>

namespace millrace::orchestrator::store {

std::optional<KeptStake> kept_stake(SQLite::Database& db) {
    SQLite::Statement query(db, "SELECT subject, tokens, active, round, read_ms FROM stake");
    if (!query.executeStep())
        return std::nullopt;
    const auto tokens = Lpt::parse(query.getColumn(1).getString());
    if (!tokens)
        return std::nullopt;
    KeptStake stake;
    stake.subject = query.getColumn(0).getString();
    stake.reading.tokens = *tokens;
    stake.reading.active = query.getColumn(2).getInt() != 0;
    if (!query.getColumn(3).isNull())
        stake.reading.round = static_cast<std::uint64_t>(query.getColumn(3).getInt64());
    stake.read_at.ms = query.getColumn(4).getInt64();
    return stake;
}

void keep_stake(SQLite::Database& db, const KeptStake& stake) {
    SQLite::Statement upsert(db,
                             "INSERT INTO stake VALUES (1,?1,?2,?3,?4,?5) ON CONFLICT (id) DO "
                             "UPDATE SET subject = ?1, tokens = ?2, active = ?3, round = ?4, "
                             "read_ms = ?5");
    upsert.bind(1, stake.subject);
    upsert.bind(2, stake.reading.tokens.text());
    upsert.bind(3, stake.reading.active ? 1 : 0);
    if (stake.reading.round)
        upsert.bind(4, static_cast<std::int64_t>(*stake.reading.round));
    upsert.bind(5, stake.read_at.ms);
    upsert.exec();
}

}  // namespace millrace::orchestrator::store
