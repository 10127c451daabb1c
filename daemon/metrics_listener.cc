#include "daemon/metrics_listener.h"

#include "daemon/http_answer.h"
#include "reactor/sys.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <system_error>

namespace roomd {

namespace {
constexpr std::uint32_t accepts_per_tick_max = 16;
} // namespace

/// One operator's connection, from its request to the end of its answer.
class HttpSession final : public StreamOwner, public Timed {
public:
    HttpSession(EventLoop& loop, StreamHost& host, Fd fd, HttpPages& pages)
        : loop_(&loop), pages_(&pages), stream_(host, std::move(fd), *this) {
        patience_ = loop.after(std::chrono::milliseconds(http_patience_ms), *this);
    }

    ~HttpSession() { loop_->cancel(patience_); }

    HttpSession(const HttpSession&) = delete;
    HttpSession& operator=(const HttpSession&) = delete;
    HttpSession(HttpSession&&) = delete;
    HttpSession& operator=(HttpSession&&) = delete;

    [[nodiscard]] bool closed() const { return stream_.closed(); }

    void close() { stream_.close_now(); }

    // StreamOwner
    void on_input(Stream& stream) override {
        RingBuffer& input = stream.input();
        while (input.size() > 0 && !request_.verdict()) {
            const std::string_view piece = input.readable();
            const std::size_t before = request_.bytes_taken();
            request_.take(piece);
            input.consume(request_.bytes_taken() - before);
        }
        if (request_.verdict()) {
            respond(*request_.verdict());
        }
    }

    void on_end_of_input(Stream& stream) override {
        if (!request_.verdict()) {
            stream.close_now(); // it will never be a request
        }
    }

    void write_notice(Stream& /*stream*/, const std::vector<Lost>& /*lost*/,
                      std::string& /*out*/) override {
        assert(false); // only what rooms say can be lost
    }

    void on_flushed(Stream& /*stream*/) override {}

    void on_closed(Stream& /*stream*/, StreamEnd /*end*/) override {
        loop_->cancel(patience_);
        patience_ = {};
    }

    // Timed: its patience is over
    void on_timer(TimerKey /*key*/) override {
        patience_ = {};
        stream_.close_now();
    }

private:
    void respond(HttpStatus verdict) {
        HttpAnswer answer;
        if (verdict == HttpStatus::ok) {
            answer = pages_->answer(request_.path());
        } else {
            answer = refusal(verdict);
        }
        stream_.send(http_response(answer, request_.head_only(), sys::wall_now()));
        stream_.close_after_flush();
    }

    EventLoop* loop_;
    HttpPages* pages_;
    HttpRequestReader request_;
    Stream stream_;
    TimerKey patience_;
};

MetricsListener::MetricsListener(EventLoop& loop, std::string uri,
                                 std::vector<ListenSocket> sockets, HttpPages& pages)
    : pages_(&pages), loop_(&loop), flush_list_(loop), host_{loop, arena_, flush_list_},
      uri_(std::move(uri)) {
    for (ListenSocket& socket : sockets) {
        listeners_.push_back(
            {std::move(socket.address),
             std::make_unique<Listener>(loop, std::move(socket.fd), accepts_per_tick_max, *this,
                                        std::move(socket.file))});
    }
}

std::vector<Fd> MetricsListener::release() {
    std::vector<Fd> all;
    for (Open& open : listeners_) {
        auto [socket, lock] = open.listener->release();
        all.push_back(std::move(socket));
        if (lock) {
            all.push_back(std::move(lock));
        }
    }
    listeners_.clear();
    return all;
}

MetricsListener::~MetricsListener() {
    for (const std::unique_ptr<HttpSession>& session : sessions_) {
        session->close();
    }
}

void MetricsListener::resume() {
    for (const Open& open : listeners_) {
        open.listener->resume();
    }
}

bool MetricsListener::on_accept(Listener& listener, Fd fd, const SocketAddress& /*peer*/) {
    const auto alive = std::count_if(sessions_.begin(), sessions_.end(),
                                     [](const auto& session) { return !session->closed(); });
    if (static_cast<std::size_t>(alive) >= http_connections_max) {
        (*std::find_if(sessions_.begin(), sessions_.end(), [](const auto& session) {
            return !session->closed();
        }))->close();
    }
    try {
        sessions_.push_back(std::make_unique<HttpSession>(*loop_, host_, std::move(fd), *pages_));
    } catch (const std::system_error& error) { // the poller takes no more
        on_accept_error(listener, error.code().value());
        return false;
    }
    return true;
}

void MetricsListener::on_refuse(Listener& /*listener*/, const Fd& fd,
                                const SocketAddress& /*peer*/) {
    std::string text = http_response(refusal(HttpStatus::unavailable), false, sys::wall_now());
    const iovec piece{text.data(), text.size()};
    static_cast<void>(sys::write_some(fd.get(), std::span(&piece, 1)));
}

void MetricsListener::on_accept_error(Listener& /*listener*/, int error) {
    pages_->on_http_accept_error(error);
}

Activity MetricsListener::on_tick_end() {
    if (sessions_.empty()) {
        return Activity::idle;
    }
    const Activity activity = flush_list_.flush_all();
    std::erase_if(sessions_, [](const auto& session) { return session->closed(); });
    return activity;
}

} // namespace roomd
