// Uploads: what headers decide, and what only the body's bytes can tell.

#include <algorithm>

#include "common/base/check.h"
#include "orchestrator/core/core_impl.h"
#include "orchestrator/core/forecast.h"
#include "orchestrator/core/limits.h"

namespace millrace::orchestrator {

using Impl = OrchestratorCore::Impl;
using What = Noted::What;

namespace {

Refusal refusal(ApiCode code, std::string detail) {
    return Refusal{code, std::move(detail), std::nullopt};
}

std::string joined(const std::vector<std::string>& list) {
    std::string text;
    for (const std::string& item : list)
        text += (text.empty() ? "" : ", ") + item;
    return text;
}

}  // namespace

UploadDecision Impl::begin_upload(const UploadRequest& request, TimePoint now) {
    advance(now);
    Session* s = nullptr;
    auto no_entry = stranger(request.account);
    if (!no_entry)
        no_entry = find_session(request, s);
    if (auto& no = no_entry) {
        note_refused(What::segment_refused, no->code);
        return *no;
    }
    const bool has_place = s != nullptr && !s->ended && s->has_place();
    const AdmissionFacts f = facts(request, s);
    if (auto no = admit(f)) {
        note_refused(What::segment_refused, no->code);
        if (!has_place)
            note_refused(What::session_refused, no->code);
        return *no;
    }
    if (s == nullptr) {
        s = &sessions_.open(request.fresh_id, request.stream, request.account, now_);
        s->ladder = request.ladder.value_or(config_.default_ladder);
        s->cost = estimate_cost(s->ladder);
    } else if (s->ended) {
        sessions_.reopen(*s, now_);
        window_.session_reopened(s->no);
        note(What::session_opened);
        persist(*s);
    }
    const UploadId id{++last_upload_};
    s->last_upload = id;
    Upload& upload = uploads_[id];
    upload.session = s;
    upload.seq = request.seq;
    upload.bytes = request.content_length.value_or(0);
    upload.duration = request.content_duration;
    upload.counted = !f.may_repeat;
    payload_bytes_ += upload.bytes;
    if (upload.counted)
        quotas_.charge_segment(s->account, upload.bytes, now_);
    ++(upload.counted ? s->uploads : s->repeats);
    ++s->uploading[request.seq];
    refresh(*s);
    settle();
    return UploadAdmitted{id, s->id};
}

// What names and owners decide: 403, 404, 409. `s` stays null where a session will be opened.
std::optional<Refusal> Impl::find_session(const UploadRequest& request, Session*& s) {
    if (!request.session) {
        s = sessions_.live_on(request.stream);
        if (s != nullptr && s->account != request.account)
            return refusal(ApiCode::forbidden, "the stream belongs to another account");
        return std::nullopt;
    }
    s = sessions_.find(*request.session);
    if (s == nullptr)
        return refusal(ApiCode::not_found, "no such session");
    if (s->stream != request.stream)
        return refusal(ApiCode::forbidden, "the session is for another stream");
    if (!s->ended)
        return std::nullopt;
    // A source that paused goes on under its token; what was ended on request stays ended.
    if (s->end_reason != EndReason::idle)
        return refusal(ApiCode::not_found, "the session was ended");
    if (sessions_.live_on(request.stream) != nullptr)
        return refusal(ApiCode::conflict, "the stream has another live session");
    return std::nullopt;
}

AdmissionFacts Impl::facts(const UploadRequest& request, const Session* s) {
    const bool live = s != nullptr && !s->ended;
    AdmissionFacts f;
    f.shutting_down = shutting_down_;
    f.store_available = store_available_;
    f.stake_active = stake_active_;
    f.has_place = live && s->has_place();
    f.new_session = !live;
    f.sessions_open = sessions_.open_count();
    f.sessions_max = config_.sessions_known_max;
    f.in_flight_max = config_.in_flight_max;
    if (live) {
        f.in_flight = static_cast<std::uint32_t>(s->tasks.size()) + s->uploads;
        f.may_repeat = may_repeat(*s, request.seq);
        f.repeats = s->repeats;
    }
    f.quota = judge_quota(request.account, f);
    f.payload_bytes = payload_bytes_;
    f.payload_budget = config_.payload_budget;
    f.upload_bytes = request.content_length.value_or(0);
    if (f.has_place)
        return f;
    const Ladder& ladder = s != nullptr     ? s->ladder
                           : request.ladder ? *request.ladder
                                            : config_.default_ladder;
    add_room(f, ladder, s != nullptr ? s->cost : estimate_cost(ladder));
    return f;
}

// A repeat may get an answer that is there already: it costs nothing.
std::optional<Refusal> Impl::judge_quota(const AccountId& account, const AdmissionFacts& f) {
    if (f.new_session)
        if (auto no = quotas_.judge_session(account, sessions_.open_of(account)))
            return no;
    return f.may_repeat ? std::nullopt : quotas_.judge_segment(account, now_);
}

// Fills in what a session without a place needs to know about transcoders.
void Impl::add_room(AdmissionFacts& f, const Ladder& ladder, const Cost& cost) {
    f.transcoder_ready = !registry_.ready().empty();
    f.limits = limits();
    f.claims = sessions_.claims();
    f.used =
        sessions_.holding_count() - static_cast<std::uint32_t>(sessions_.idle().size()) + f.claims;
    const std::vector<char> able = compatible_classes(ladder);
    f.compatible = std::find(able.begin(), able.end(), 1) != able.end();
    if (!f.compatible) {
        // The best of them names what would have helped.
        std::vector<std::string> least;
        for (const Capabilities* offered : registry_.capability_classes())
            if (auto missing = missing_for(ladder, *offered);
                least.empty() || missing.size() < least.size())
                least = std::move(missing);
        f.missing = joined(least);
        return;
    }
    for (const Transcoder* t : registry_.ready())
        if (able[t->capability_class] != 0)
            f.room += places({&t->key, t->headroom(), t->capacity, t->load(), 0}, cost);
    for (auto it = sessions_.idle().begin(); it != sessions_.idle().end() && f.room <= f.claims;
         ++it) {
        const Holding& slot = *sessions_.find(it->second)->slot();
        const Transcoder& t = *slot.at;
        const Candidate after{&t.key, t.headroom() + 1, t.capacity, t.load() - slot.cost, 0};
        f.room += t.ready() && able[t.capability_class] != 0 && has_room(after, cost) ? 1 : 0;
    }
}

bool Impl::may_repeat(const Session& s, std::uint64_t seq) {
    if (s.uploading.contains(seq))
        return true;
    for (const TaskId id : s.tasks)
        if (tasks_.find(id)->segment.seq == seq)
            return true;
    return window_.last(s.no, {s.run, seq}) || (s.run > 0 && window_.last(s.no, {s.run - 1, seq}));
}

Impl::Upload Impl::close_upload(std::map<UploadId, Upload>::iterator it) {
    Upload upload = std::move(it->second);
    uploads_.erase(it);
    payload_bytes_ -= upload.bytes;
    Session& s = *upload.session;
    if (upload.early) {
        early_.erase(upload.early->task);
        s.early_upload = {};
    }
    if (upload.counted)  // paid again by what is accepted
        quotas_.give_back_segment(s.account, upload.bytes);
    --(upload.counted ? s.uploads : s.repeats);
    if (--s.uploading[upload.seq] == 0)
        s.uploading.erase(upload.seq);
    return upload;
}

void Impl::abort_upload(UploadId id, TimePoint now) {
    advance(now);
    const auto found = uploads_.find(id);
    if (found == uploads_.end())
        return;
    const Upload upload = close_upload(found);
    Session& s = *upload.session;
    if (upload.early)
        withdraw(*upload.early, CancelReason::superseded);
    begin_early(s);
    refresh(s);
    release_if_unproven(s);
    drop_if_provisional(s);
    capacity_changed_ = true;  // its claim is free
    settle();
}

UploadOutcome Impl::finish_upload(UploadId id, const Sha256& sha256, std::uint64_t bytes,
                                  TimePoint now) {
    advance(now);
    const auto found = uploads_.find(id);
    MR_CHECK(found != uploads_.end(), "only admitted uploads are finished, and once");
    Upload upload = close_upload(found);
    Session& s = *upload.session;
    const UploadOutcome outcome = judge_body(s, upload, sha256, bytes);
    if (const auto* no = std::get_if<Refusal>(&outcome)) {
        if (no->code == ApiCode::bad_segment)
            note(What::segment_bad_input);
        else
            note_refused(What::segment_refused, no->code);
    }
    if (const auto* accepted = std::get_if<TaskAccepted>(&outcome)) {
        if (upload.early)
            adopt(*tasks_.find(accepted->task), std::move(*upload.early));
        else
            drop_early(s, CancelReason::superseded);
        serve(s);
    } else {
        if (upload.early)
            withdraw(*upload.early, CancelReason::superseded);
        refresh(s);
        release_if_unproven(s);
    }
    drop_if_provisional(s);
    settle();
    return outcome;
}

// contract.md section 2, "Identity".
UploadOutcome Impl::judge_body(Session& s, const Upload& upload, const Sha256& sha256,
                               std::uint64_t bytes) {
    if (s.ended)
        return refusal(ApiCode::not_found, "the session was ended");
    if (poison_.poisoned(sha256, now_))
        return refusal(ApiCode::bad_segment,
                       "these bytes crashed or hung the transcoding engine repeatedly; they are "
                       "refused for some minutes");
    bool number_in_flight = false;
    for (const Task* t : tasks_of(s)) {
        if (t->segment.seq == upload.seq && t->segment.sha256 == sha256)
            return TaskJoined{t->id};
        number_in_flight =
            number_in_flight || (t->segment.seq == upload.seq && t->segment.run == s.run);
    }
    if (const auto answer = window_.find(s.no, upload.seq, sha256))
        return Replayed{*answer};

    bool new_run = s.has_seq && s.last_seq > config_.restart_gap &&
                   upload.seq < s.last_seq - config_.restart_gap;
    if (!new_run && number_in_flight)
        return refusal(ApiCode::conflict, "other bytes are in flight under this sequence number");
    const auto before = window_.last(s.no, {s.run, upload.seq});
    if (!new_run && before && before->sha256 != sha256) {
        if (now_ - before->at < config_.conflict_window)
            return refusal(ApiCode::conflict,
                           "other bytes were answered under this sequence number a moment ago");
        new_run = true;
    }
    if (!upload.counted && s.tasks.size() + s.uploads >= config_.in_flight_max)
        return busy("the session has " + std::to_string(config_.in_flight_max) +
                    " segments in flight already");
    if (bytes > config_.payload_budget || payload_bytes_ > config_.payload_budget - bytes)
        return busy("the orchestrator holds as many bytes in flight as it may");
    return TaskAccepted{accept(s, upload, sha256, bytes, new_run)};
}

TaskId Impl::accept(Session& s, const Upload& upload, const Sha256& sha256, std::uint64_t bytes,
                    bool new_run) {
    const bool first = !s.has_seq;
    if (new_run) {
        s.run += 1;
        s.last_seq = upload.seq;
        s.seams.forget();
    }
    s.last_seq = first ? upload.seq : std::max(s.last_seq, upload.seq);
    s.has_seq = true;
    s.last_segment_at = now_;

    const TaskId id = upload.early ? upload.early->task : tasks_.next_id();
    Task& t = tasks_.add(id, s, SegmentKey{s.id, s.run, upload.seq, sha256});
    t.bytes = bytes;
    t.accepted_at = now_;
    t.declared = upload.duration && *upload.duration > Duration::zero();
    t.duration = t.declared                           ? std::min(*upload.duration, kSegmentMax)
                 : s.last_duration > Duration::zero() ? s.last_duration
                                                      : config_.duration_assumed;
    t.deadline = deadline_for(now_, t.duration, config_);
    // First is what nothing stands before: a session of which nothing came out begins anew.
    t.allow_audio_only = s.proven || !s.tasks.empty();
    t.discontinuity = new_run;
    s.tasks.insert(t.id);
    payload_bytes_ += bytes;
    quotas_.charge_segment(s.account, bytes, now_);
    if (!s.confirmed) {
        s.confirmed = true;
        note(What::session_opened);
    }
    persist(s);
    expect(t);
    arm_task(t);
    return t.id;
}

}  // namespace millrace::orchestrator
