#include "transcoder/media/workshop.h"

#include <algorithm>
#include <numeric>
#include <system_error>
#include <utility>

namespace millrace::media {
namespace {

// How often who waits for room looks whether the others still work.
constexpr std::chrono::milliseconds kLookEvery{200};

std::size_t room_for(std::size_t picture_bytes) {
    return std::clamp<std::size_t>(
        Workshop::kQueuedBytesMax / std::max<std::size_t>(picture_bytes, 1), 1,
        Workshop::kQueuedMax);
}

// At most three bytes and a half per pixel: 4:2:0 takes half of that even in 10 bits.
std::size_t bytes_of(const Shape& shape) {
    return static_cast<std::size_t>(shape.size.pixels()) * 3;
}

av::PacketPtr share(const AVPacket& packet) {
    av::PacketPtr copy = av::make_packet();
    MR_CHECK(av_packet_ref(copy.get(), &packet) >= 0, "out of memory");
    return copy;
}

}  // namespace

Workshop::Line::Line(std::unique_ptr<Rendition> r, std::size_t room)
    : rendition(std::move(r)), shape(rendition->shape()), inbox(room) {}

Workshop::Workshop(std::vector<std::unique_ptr<Rendition>> renditions, ScalerBank& scalers,
                   Scaling scaling, std::size_t picture_bytes, CancelToken cancel)
    : scalers_(scalers),
      cancel_(std::move(cancel)),
      how_(scaling),
      orders_(room_for(picture_bytes)) {
    for (auto& rendition : renditions) {
        const std::size_t room = room_for(bytes_of(rendition->shape()));
        lines_.push_back(std::make_unique<Line>(std::move(rendition), room));
    }
    by_size_.resize(lines_.size());
    std::iota(by_size_.begin(), by_size_.end(), 0UL);
    std::ranges::stable_sort(by_size_, {},
                             [&](std::size_t n) { return lines_[n]->shape.size.pixels(); });
}

Workshop::~Workshop() {
    abandon();
    for (const auto& line : lines_)
        if (line->thread.joinable())
            line->thread.join();
}

Result<void> Workshop::start() {
    try {
        for (const auto& line : lines_)
            line->thread = std::jthread([this, &line = *line] { encode_all(line); });
        if (how_ == Scaling::in_its_thread)
            scaling_ = std::jthread([this] { scale_all(); });
    } catch (const std::system_error& failure) {
        return error(ErrorKind::internal, std::string("starting a thread: ") + failure.what());
    }
    return {};
}

Result<void> Workshop::push(std::vector<Order> orders, const Pulse& pulse) {
    using Push = StageQueue<std::vector<Order>>::Push;
    if (how_ == Scaling::by_the_caller) {
        for (const Order& order : orders)
            MR_TRY(scale(order, &pulse));
        return {};
    }
    if (orders.empty())
        return {};
    while (true) {
        const Push pushed = orders_.push_within(orders, kLookEvery);
        if (pushed != Push::no_room)
            return pushed == Push::done ? Result<void>() : problem();
        if (take_worked())
            MR_TRY(pulse());
    }
}

bool Workshop::take_worked() {
    const std::lock_guard lock(mutex_);
    return std::exchange(worked_, false);
}

void Workshop::push_audio(std::size_t rendition, const AVPacket& packet) {
    lines_[rendition]->inbox.push_extra(Audio{share(packet)});
}

void Workshop::push_source(std::size_t rendition, const AVPacket& packet) {
    lines_[rendition]->inbox.push_extra(Source{share(packet)});
}

void Workshop::finish(const std::vector<Rendition::Ending>& endings) {
    endings_ = endings;
    orders_.close();
    if (how_ == Scaling::by_the_caller)
        end_lines();
}

void Workshop::end_lines() {
    for (std::size_t n = 0; n < endings_.size(); ++n)
        lines_[n]->inbox.push_extra(endings_[n]);
}

void Workshop::scale_all() {
    while (auto orders = orders_.pop())
        for (const Order& order : *orders)
            if (const auto scaled = scale(order, nullptr); !scaled)
                return fail(scaled.error());
    end_lines();
}

Result<void> Workshop::scale(const Order& order, const Pulse* pulse) {
    using Push = StageQueue<Item>::Push;
    Line& line = *lines_[order.rendition];
    const auto frame = order.shot.picture->in_shape(line.shape, scalers_, scale_us_);
    if (!frame)
        return frame.error();
    Item scaled = Scaled{av::share(**frame), order.shot.at, order.shot.captions};
    while (true) {
        const Push pushed = line.inbox.push_within(scaled, kLookEvery);
        if (pushed != Push::no_room)
            return pushed == Push::done ? Result<void>() : problem();
        // An encoder that is slow is no encoder that stands still.
        if (pulse != nullptr && take_worked())
            MR_TRY((*pulse)());
    }
}

void Workshop::encode_all(Line& line) {
    auto made = encode(line);
    line.rendition.reset();  // its memory is free before anybody hears of it
    if (!made)
        return fail(made.error());
    const std::lock_guard lock(mutex_);
    line.finished = std::move(*made);
    changed_.notify_all();
}

Result<Rendition::Finished> Workshop::encode(Line& line) {
    Rendition& rendition = *line.rendition;
    MR_TRY(rendition.open());
    const auto working = [this] { return pulse(); };
    while (auto item = line.inbox.pop()) {
        MR_TRY(pulse());
        if (const auto* scaled = std::get_if<Scaled>(&*item))
            MR_TRY(rendition.encode(*scaled->picture, scaled->at, scaled->captions, working));
        else if (const auto* audio = std::get_if<Audio>(&*item))
            MR_TRY(rendition.push_audio(*audio->packet));
        else if (const auto* source = std::get_if<Source>(&*item))
            rendition.push_source(*source->packet);
        else
            return rendition.finish(std::get<Rendition::Ending>(*item), working);
    }
    return error(ErrorKind::timeout, "given up");
}

Result<void> Workshop::pulse() {
    if (cancel_.cancelled())
        return error(ErrorKind::timeout, "cancelled");
    const std::lock_guard lock(mutex_);
    worked_ = true;
    changed_.notify_all();
    return {};
}

void Workshop::fail(const Error& problem) {
    {
        const std::lock_guard lock(mutex_);
        if (!problem_)
            problem_ = problem;
        changed_.notify_all();
    }
    abandon();
}

void Workshop::abandon() {
    orders_.abandon();
    for (const auto& line : lines_)
        line->inbox.abandon();
}

Result<void> Workshop::problem() const {
    const std::lock_guard lock(mutex_);
    return problem_ ? *problem_ : error(ErrorKind::timeout, "given up");
}

Result<std::optional<Workshop::Done>> Workshop::next() {
    MR_CHECK(handed_out_ < by_size_.size(), "every rendition has been handed out");
    const std::size_t number = by_size_[handed_out_];
    Line& line = *lines_[number];
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return line.finished || problem_ || worked_; });
    if (problem_)
        return *problem_;
    worked_ = false;
    if (!line.finished)
        return std::optional<Done>();
    ++handed_out_;
    return std::optional<Done>(Done{number, std::move(*line.finished)});
}

}  // namespace millrace::media
