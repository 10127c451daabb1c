#include "daemon/saved_chunks.h"
#include "daemon/server.h"
#include "daemon/session.h"
#include "reactor/sys.h"

#include <algorithm>
#include <cassert>

// A session's way into another process.
namespace roomd {

SavedSession Session::save(ChunkCollector& chunks, const std::vector<std::uint32_t>& rooms) {
    SavedSession saved;
    saved.cookie = sys::socket_cookie(stream_.fd());
    saved.uri = spec_->uri;
    saved.stream = stream_.saved();
    stream_.output().for_each([&](const ChunkRef& chunk, std::uint32_t from, std::uint32_t to) {
        saved.output.push_back({chunks.number_of(chunk), from, to});
    });
    if (ending_) {
        saved.decoder.framing = framing(); // nothing is parsed any more
    } else {
        saved.decoder = decoder_.saved();
    }
    saved.reason = reason_;
    saved.last_format = last_format_;
    saved.strangers = strangers_;
    saved.limited = limited_;
    saved.begun = begun_;
    saved.heard = heard_;
    saved.ending = ending_;
    const TimePoint now = server_->loop().now();
    if (patience_ != nullptr) {
        SavedPatience& patience = saved.patience.emplace();
        patience.partial_ms = patience_->partial_ms;
        patience.quiet_ms = patience_->quiet_ms;
        patience.soft_ms = patience_->soft_ms;
        patience.silent_ms = patience_->silent_ms;
        patience.leaving_ms = patience_->leaving_ms;
        patience.lingering_ms = patience_->lingering_ms;
        if (patience_->flush_at != TimePoint{}) {
            const Duration left = std::max(patience_->flush_at - now, Duration::zero());
            patience.flush_in_ms = static_cast<std::uint32_t>(
                std::chrono::duration_cast<std::chrono::milliseconds>(left).count());
        }
    }
    if (extra_ != nullptr) {
        saved.source = extra_->source;
        saved.rates = extra_->meter.saved(now);
        if (extra_->parked && member_) { // who is leaving says no more
            saved.parked = *extra_->parked;
        }
    }
    if (member_) {
        saved.member = server_->hub().save_member(member_, rooms);
        saved.member->traces = server_->tracer().traces(member_);
    }
    return saved;
}

void Session::restore(Key key, const SavedSession& saved, const std::vector<ChunkRef>& chunks,
                      const std::vector<Key>& rooms) {
    key_ = key;
    reason_ = saved.reason;
    last_format_ = saved.last_format;
    begun_ = saved.begun;
    heard_ = saved.heard;
    ending_ = saved.ending;
    const bool possible = decoder_.restore(saved.decoder, saved.stream.input.size());
    assert(possible); // as the snapshot's check has found
    static_cast<void>(possible);
    stream_.continue_from(saved.stream);
    unparsed_ = static_cast<std::uint32_t>(saved.stream.input.size());
    for (const SavedWindow& window : saved.output) {
        stream_.restore_output(chunks[window.chunk], window.from, window.to);
    }
    const TimePoint now = server_->loop().now();
    if (limited_ && saved.limited) {
        extra_->meter.restore(saved.rates, now);
    }
    if (saved.parked) { // it is taken up when the input is looked at, which it is in the next tick
        if (extra_ == nullptr) {
            extra_ = std::make_unique<Extra>(*this);
        }
        extra_->parked = *saved.parked;
    }
    if (saved.member) {
        member_ = server_->hub().restore_member(*this, framing(), *saved.member, rooms);
        if (saved.member->traces) {
            static_cast<void>(
                server_->tracer().add(member_)); // were there too many, it is left out
        }
        if (saved.member->list == "conns") {
            list_again();
        }
        suspect(SlowPolicy::by_format);
    }
    if (saved.patience || !saved.output.empty() || saved.ending) {
        arm();
    }
    if (saved.patience) {
        restore_patience(*saved.patience, now);
    }
}

void Session::restore_patience(const SavedPatience& saved, TimePoint now) {
    patience_->partial_ms = saved.partial_ms;
    patience_->quiet_ms = saved.quiet_ms;
    patience_->soft_ms = saved.soft_ms;
    patience_->silent_ms = saved.silent_ms;
    patience_->leaving_ms = saved.leaving_ms;
    patience_->lingering_ms = saved.lingering_ms;
    if (saved.flush_in_ms) {
        patience_->flush_at = now + std::chrono::milliseconds(*saved.flush_in_ms);
    }
    set_timer();
}

} // namespace roomd
