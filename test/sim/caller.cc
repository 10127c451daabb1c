#include "test/sim/caller.h"

namespace roomd::sim {

void Caller::dial(const std::string& address, const SocketAddress& from) {
    ++life_;
    stalled_ = false;
    looking_ = false;
    half_closed_ = false;
    link_ = world_->dial(address, *this, from);
}

void Caller::send(std::string_view bytes) {
    if (link_ != nothing) {
        world_->link_send(link_, bytes);
    }
}

void Caller::half_close() {
    if (link_ != nothing) {
        half_closed_ = true;
        world_->link_shut(link_);
    }
}

void Caller::hang_up() {
    if (link_ != nothing) {
        world_->link_close(link_);
        forget();
    }
}

void Caller::break_off() {
    if (link_ != nothing) {
        world_->link_reset(link_);
        forget();
    }
}

void Caller::forget() {
    link_ = nothing;
    ++life_;
}

void Caller::stall(Instant length) {
    stalled_ = true;
    ++stalls_;
    if (length > 0) {
        world_->at(length, *this, wake, life_);
    }
}

void Caller::on_connected(LinkId /*link*/) {}

void Caller::on_refused(LinkId link) {
    if (link == link_) {
        forget();
        on_hangup(Hangup::refused);
    }
}

void Caller::on_reset(LinkId link) {
    if (link == link_) {
        forget();
        on_hangup(Hangup::reset);
    }
}

void Caller::on_readable(LinkId link) {
    if (link == link_ && !stalled_ && !looking_) {
        take();
    }
}

void Caller::on_event(std::uint32_t what, std::uint64_t argument) {
    if (argument != life_) {
        return; // about an earlier connection
    }
    if (what == turn) {
        on_turn();
        return;
    }
    if (what == look) {
        looking_ = false;
    } else {
        stalled_ = false;
    }
    if (link_ != nothing && !stalled_ && !looking_) {
        take();
    }
}

void Caller::take() {
    const LinkId link = link_;
    const std::string bytes = world_->link_take(link, pace_.take_bytes_max);
    if (!bytes.empty()) {
        on_bytes(bytes);
    }
    if (link_ != link) {
        return; // hung up over what it heard
    }
    if (world_->link_ended(link)) {
        world_->link_close(link);
        forget();
        on_hangup(Hangup::ended);
    } else if (bytes.size() == pace_.take_bytes_max) {
        looking_ = true;
        world_->at(pace_.take_pause, *this, look, life_);
    }
}

} // namespace roomd::sim
