#include "reactor/flush_list.h"

#include "reactor/stream.h"

#include <algorithm>
#include <cassert>
#include <chrono>

namespace roomd {

namespace {
// ENOBUFS and ENOMEM raise no edge when they pass; by then a few milliseconds cost nobody anything.
constexpr Duration retry_after = std::chrono::milliseconds(10);
constexpr std::uint32_t nowhere = UINT32_MAX;
} // namespace

FlushList::~FlushList() {
    loop_->cancel(retry_);
}

void FlushList::add(Stream& stream) {
    if (stream.flush_index_ == nowhere) {
        stream.flush_index_ = static_cast<std::uint32_t>(dirty_.size());
        dirty_.push_back(&stream);
    }
}

void FlushList::remove(Stream& stream) {
    if (stream.flush_index_ != nowhere) {
        for (std::vector<Stream*>* list : {&dirty_, &walking_}) {
            if (stream.flush_index_ < list->size() && (*list)[stream.flush_index_] == &stream) {
                (*list)[stream.flush_index_] = nullptr;
            }
        }
        stream.flush_index_ = nowhere;
    }
    std::erase(starved_, &stream);
}

void FlushList::retry_later(Stream& stream) {
    starved_.push_back(&stream);
    if (!retry_) {
        retry_ = loop_->after(retry_after, *this);
    }
}

Activity FlushList::flush_all() {
    assert(walking_.empty());
    walking_.swap(dirty_);
    Activity activity = Activity::idle;
    for (Stream* const stream : walking_) { // which may become nullptr further on
        if (stream == nullptr) {
            continue;
        }
        stream->flush_index_ = nowhere;
        if (stream->flush() == Activity::busy) {
            activity = Activity::busy;
        }
    }
    walking_.clear();
    return dirty_.empty() ? activity : Activity::busy; // an owner may have sent more meanwhile
}

void FlushList::on_timer(TimerKey /*key*/) {
    retry_ = {};
    for (Stream* const stream : starved_) {
        stream->writable_ = true;
        add(*stream);
    }
    starved_.clear();
}

} // namespace roomd
