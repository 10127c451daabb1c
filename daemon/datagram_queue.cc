#include "daemon/datagram_queue.h"

#include <cassert>
#include <utility>

namespace roomd {

bool DatagramQueue::push(const SourceKey& source, const SocketAddress& sender,
                         std::string_view payload) {
    if (count_ >= datagrams_max || (count_ > 0 && bytes_ + payload.size() > bytes_max)) {
        return false;
    }
    Waiting& waiting = sources_[source];
    if (waiting.datagrams.size() >= source_datagrams_max ||
        (!waiting.datagrams.empty() && waiting.bytes + payload.size() > source_bytes_max)) {
        return false;
    }
    if (waiting.datagrams.empty()) {
        turns_.push_back(source);
    }
    waiting.datagrams.push_back({sender, std::string(payload)});
    waiting.bytes += payload.size();
    bytes_ += payload.size();
    ++count_;
    return true;
}

std::optional<Datagram> DatagramQueue::pop() {
    if (turns_.empty()) {
        return std::nullopt;
    }
    const SourceKey source = turns_.front();
    turns_.pop_front();
    const auto found = sources_.find(source);
    assert(found != sources_.end() && !found->second.datagrams.empty());
    Waiting& waiting = found->second;
    Datagram next = std::move(waiting.datagrams.front());
    waiting.datagrams.pop_front();
    waiting.bytes -= next.payload.size();
    bytes_ -= next.payload.size();
    --count_;
    if (waiting.datagrams.empty()) {
        sources_.erase(found);
    } else {
        turns_.push_back(source);
    }
    return next;
}

} // namespace roomd
