#include "reactor/flush_list.h"

#include "reactor/stream.h"

#include <algorithm>
#include <cassert>
#include <chrono>

namespace roomd {

namespace {
// ENOBUFS and ENOMEM raise no edge when they pass; by then a few milliseconds cost nobody anything.
constexpr Duration retry_after = std::chrono::milliseconds(10);
} // namespace

FlushList::~FlushList() {
    loop_->cancel(retry_);
}

void FlushList::add(Stream& stream, Urgency urgency) {
    if (stream.to_flush_) {
        if (stream.urgency_ == urgency || urgency == Urgency::bulk) {
            return;
        }
        remove(stream);
    }
    Queue& queue = queue_of(urgency);
    stream.to_flush_ = true;
    stream.urgency_ = urgency;
    stream.flush_place_ = queue.end();
    queue.streams.push_back(&stream);
    ++queue.alive;
}

void FlushList::remove(Stream& stream) {
    if (stream.to_flush_) {
        Queue& queue = queue_of(stream.urgency_);
        Stream*& place = queue.streams[stream.flush_place_ - queue.first];
        assert(place == &stream);
        place = nullptr;
        stream.to_flush_ = false;
        --queue.alive;
    }
    if (!starved_.empty()) {
        std::erase(starved_, &stream);
    }
}

void FlushList::retry_later(Stream& stream) {
    starved_.push_back(&stream);
    if (!retry_) {
        retry_ = loop_->after(retry_after, *this);
    }
}

Activity FlushList::flush_some(std::uint64_t cost_max) {
    // Those that join meanwhile (an owner has sent more, a budget ran out) wait for the next walk.
    const std::uint32_t urgent_end = urgent_.end();
    const std::uint32_t bulk_end = bulk_.end();
    const std::uint64_t share = bulk_.alive > 0 ? cost_max / 2 : cost_max;
    std::uint64_t spent = walk(urgent_, urgent_end, std::max<std::uint64_t>(share, 1));
    // One call may cost more than is left: then one of these goes all the same.
    const std::uint64_t left = cost_max - std::min(spent, cost_max);
    spent += walk(bulk_, bulk_end, std::max<std::uint64_t>(left, 1));
    static_cast<void>(walk(urgent_, urgent_end, cost_max - std::min(spent, cost_max)));
    cut_short_ = urgent_.begin() != urgent_end || bulk_.begin() != bulk_end;
    return size() == 0 ? Activity::idle : Activity::busy;
}

std::uint64_t FlushList::walk(Queue& queue, std::uint32_t end, std::uint64_t cost_max) {
    std::uint64_t spent = 0;
    while (queue.begin() != end) {
        Stream* const stream = queue.streams[queue.head];
        if (stream != nullptr && spent >= cost_max) {
            break;
        }
        // A place whose stream has left costs nothing. It must not be what is left of a walk: then
        // the list is empty, nobody flushes it again, and a mark behind the place is never passed.
        ++queue.head;
        if (stream != nullptr) {
            stream->to_flush_ = false;
            --queue.alive;
            spent += stream->flush();
        }
    }
    compact(queue);
    return spent;
}

void FlushList::compact(Queue& queue) {
    if (queue.head == queue.streams.size()) {
        queue.streams.clear();
    } else if (queue.head * 2 > queue.streams.size()) {
        queue.streams.erase(queue.streams.begin(),
                            queue.streams.begin() + static_cast<std::ptrdiff_t>(queue.head));
    } else {
        return;
    }
    queue.first += static_cast<std::uint32_t>(queue.head);
    queue.head = 0;
}

void FlushList::on_timer(TimerKey /*key*/) {
    retry_ = {};
    for (Stream* const stream : starved_) {
        stream->writable_ = true;
        add(*stream, stream->output_.own_bytes() > 0 ? Urgency::urgent : Urgency::bulk);
    }
    starved_.clear();
}

} // namespace roomd
