#include "client/connector.h"

#include "reactor/sys.h"

#include <cassert>
#include <system_error>
#include <utility>

namespace roomd {

Connector::Connector(EventLoop& loop, std::vector<SocketAddress> addresses, Duration patience,
                     ConnectorOwner& owner)
    : loop_(&loop), owner_(&owner), addresses_(std::move(addresses)), patience_(patience) {
    assert(!addresses_.empty());
}

Connector::~Connector() {
    drop();
}

void Connector::begin() {
    assert(tried_ == 0);
    try_next();
}

void Connector::try_next() {
    while (tried_ < addresses_.size()) {
        const SocketAddress& address = addresses_[tried_++];
        try {
            fd_ = sys::connect_begin(address);
            key_ = loop_->watch(fd_.get(), Interest::read_write, *this);
            timer_ = loop_->after(patience_, *this);
            return;
        } catch (const std::system_error& failure) {
            drop();
            fail(failure.code().value());
        }
    }
    owner_->on_not_connected(failures_);
}

/// The address tried last.
void Connector::fail(int error) {
    failures_.push_back({addresses_[tried_ - 1], error});
}

void Connector::on_ready(Ready /*ready*/) {
    if (const int error = sys::connect_error(fd_.get()); error != 0) {
        drop();
        fail(error);
        try_next();
    } else if (sys::peer_address(fd_.get()).length != 0) {
        Fd connected = std::move(fd_);
        loop_->forget(std::exchange(key_, {}), connected.get());
        drop();
        owner_->on_connected(std::move(connected));
    }
}

void Connector::on_timer(TimerKey /*key*/) {
    timer_ = {};
    drop();
    fail(static_cast<int>(std::errc::timed_out));
    try_next();
}

void Connector::drop() {
    if (fd_) {
        loop_->forget(std::exchange(key_, {}), fd_.get());
        fd_.reset();
    }
    loop_->cancel(std::exchange(timer_, {}));
}

} // namespace roomd
