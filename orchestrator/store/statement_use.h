#pragma once
// One use of a prepared statement: leaves it ready for the next, also when it failed.
//
// Internal to orchestrator/store; only for .cpp files that know SQLiteCpp already.

namespace millrace::orchestrator::store {

template <class Statement>
class Use {
public:
    explicit Use(Statement& statement) : statement_(statement) { statement_.clearBindings(); }
    ~Use() { statement_.tryReset(); }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    Statement* operator->() const { return &statement_; }

private:
    Statement& statement_;
};

}  // namespace millrace::orchestrator::store
