#include "reactor/listener.h"

#include "reactor/sys.h"

#include <algorithm>
#include <chrono>

namespace roomd {

namespace {
constexpr Duration accept_pause = std::chrono::milliseconds(100);
// What may be made up for: so long a silence, and so much at least, or a wake-up would be due for
// each guest.
constexpr Duration accept_burst = std::chrono::milliseconds(100);
constexpr Duration rate_pause_min = std::chrono::milliseconds(10);
} // namespace

Listener::Listener(EventLoop& loop, Fd fd, std::uint32_t accepts_per_tick_max, ListenerOwner& owner,
                   UnixFile file)
    : loop_(&loop), owner_(&owner), file_(std::move(file)), fd_(std::move(fd)),
      reserve_(sys::reserve_descriptor()), accepts_per_tick_max_(accepts_per_tick_max) {
    key_ = loop.watch(fd_.get(), Interest::read, *this);
}

Listener::~Listener() {
    loop_->cancel(pause_);
    loop_->cancel(rate_pause_);
    if (fd_) {
        loop_->forget(key_, fd_.get());
    }
    if (!file_.path.empty()) {
        sys::remove_own_socket(file_.path, file_.lock.get());
    }
}

std::pair<Fd, Fd> Listener::release() {
    loop_->cancel(pause_);
    loop_->forget(key_, fd_.get());
    file_.path.clear();
    return {std::move(fd_), std::move(file_.lock)};
}

void Listener::resume() {
    if (pause_) {
        loop_->cancel(pause_);
        pause_ = {};
        loop_->again(key_, Ready::readable);
    }
}

void Listener::hold(bool held) {
    if (std::exchange(held_, held) && !held) {
        loop_->again(key_, Ready::readable); // the edge of who has come meanwhile is gone
    }
}

void Listener::set_accepts_per_second_max(std::uint32_t max) {
    accept_cost_ = max == 0 ? Duration::zero() : Duration(std::chrono::seconds(1)) / max;
    if (rate_pause_) { // it was counted with the old rate
        loop_->cancel(rate_pause_);
        rate_pause_ = {};
        next_accept_ = {};
        loop_->again(key_, Ready::readable);
    }
}

void Listener::on_timer(TimerKey key) {
    (key == rate_pause_ ? rate_pause_ : pause_) = {};
    on_ready(Ready::readable);
}

bool Listener::may_accept() {
    if (accept_cost_ == Duration::zero() || next_accept_ <= loop_->now()) {
        return true;
    }
    rate_pause_ = loop_->after(std::max(next_accept_ - loop_->now(), rate_pause_min), *this);
    owner_->on_accept_rate(*this);
    return false;
}

void Listener::count_accept() {
    next_accept_ = std::max(next_accept_, loop_->now() - accept_burst) + accept_cost_;
}

void Listener::on_ready(Ready /*ready*/) {
    if (pause_ || rate_pause_ || held_) {
        return; // its end finds whoever has come meanwhile
    }
    if (!reserve_) {
        reserve_ = sys::reserve_descriptor(); // before the next guest takes what has become free
    }
    for (std::uint32_t budget = accepts_per_tick_max_; budget > 0; --budget) {
        if (!may_accept()) {
            return;
        }
        sys::AcceptResult result = sys::accept_one(fd_.get());
        switch (result.status) {
        case sys::AcceptStatus::ok:
            if (owner_->on_accept(*this, std::move(result.fd), result.peer)) {
                count_accept();
            }
            break;
        case sys::AcceptStatus::again:
            break;
        case sys::AcceptStatus::would_block:
            return;
        case sys::AcceptStatus::no_descriptor:
            if (!refuse_one(result.error)) {
                return;
            }
            break;
        case sys::AcceptStatus::no_memory:
        case sys::AcceptStatus::failed:
            pause(result.error);
            return;
        }
    }
    loop_->again(key_, Ready::readable);
    owner_->on_accept_budget(*this);
}

bool Listener::refuse_one(int error) {
    if (!reserve_) {
        pause(error);
        return false;
    }
    reserve_.reset();
    sys::AcceptResult result = sys::accept_one(fd_.get());
    if (result.status == sys::AcceptStatus::ok) {
        if (owner_->take_last(*this, result.fd, result.peer)) {
            count_accept();
        } else {
            owner_->on_refuse(*this, result.fd, result.peer);
        }
        result.fd.reset();
    }
    reserve_ = sys::reserve_descriptor();
    switch (result.status) {
    case sys::AcceptStatus::ok:
    case sys::AcceptStatus::again:
        return true;
    case sys::AcceptStatus::would_block:
        return false;
    default: // ENFILE: the whole machine has none; or no memory, or a broken listener
        pause(result.error);
        return false;
    }
}

void Listener::pause(int error) {
    pause_ = loop_->after(accept_pause, *this);
    owner_->on_accept_error(*this, error);
}

} // namespace roomd
