#include "client/chat.h"

#include "protocol/event.h"
#include "reactor/sys.h"

#include <cassert>
#include <csignal>
#include <ostream>
#include <system_error>
#include <utility>

namespace roomd {

namespace {

constexpr Duration connect_patience = std::chrono::seconds(10);
constexpr Duration welcome_patience = std::chrono::seconds(10);
constexpr Duration bye_patience = std::chrono::seconds(3);
// The largest line is a frame; `/` may have to be said before it.
constexpr std::size_t line_bytes_max = frame_bytes_ceiling - 1;
// No more lines are taken while so much waits for the socket ...
constexpr std::uint32_t unsent_bytes_max = 256 * 1024;
// ... and nothing is heard while so much waits for stdout.
constexpr std::size_t unshown_bytes_max = 262'144;
// To and from the socket in one tick.
constexpr std::uint32_t read_bytes_max = 64 * 1024;
constexpr std::uint32_t flush_bytes_max = 256 * 1024;
// Empty lines cost nothing but time: a file of them must not hold up the socket.
constexpr int lines_per_tick_max = 1024;
// Text that is no frame is read up to its line end, or as far as this.
constexpr std::size_t first_text_bytes_max = 256;
// A server that vanished is noticed in half a minute, by three lost probes or by words that are not
// acknowledged.
constexpr sys::KeepAlive keep_alive{15, 5, 3, 30'000};

} // namespace

Chat::Chat(EventLoop& loop, ChatOptions options, std::ostream& errors)
    : loop_(&loop), errors_(&errors), addresses_(std::move(options.addresses)),
      start_hint_(std::move(options.start_hint)), address_(options.conversation.address),
      interactive_(options.conversation.interactive),
      conversation_(std::move(options.conversation), *this),
      lines_(loop, options.input_fd, line_bytes_max), output_(loop, options.output_fd),
      flush_list_(loop), host_{loop, arena_, flush_list_, {}, read_bytes_max, flush_bytes_max},
      decoder_(Framing::frame, limits_) {
    loop.at_tick_end(*this);
}

Chat::~Chat() {
    loop_->cancel(timer_);
    loop_->cancel(pause_);
}

void Chat::begin() {
    connector_ =
        std::make_unique<Connector>(*loop_, std::move(addresses_), connect_patience, *this);
    connector_->begin();
}

void Chat::on_connected(Fd fd) {
    sys::tune_stream(fd.get(), keep_alive);
    stream_ = std::make_unique<Stream>(host_, std::move(fd), *this);
    timer_ = loop_->after(welcome_patience, *this);
    conversation_.begin();
}

void Chat::on_not_connected(const std::vector<FailedAddress>& failures) {
    std::string why;
    for (const FailedAddress& failure : failures) {
        const std::string which = to_string(failure.address);
        // An address that the person has written, and the only one, needs no repetition.
        const bool named = failures.size() == 1 && address_.ends_with(which);
        why += why.empty() ? "" : ", ";
        why += (named ? "" : which + ": ") + sys::error_text(failure.error);
    }
    warn("cannot connect to " + address_ + ": " + why + "\n" + start_hint_);
    finish();
}

void Chat::on_input(Stream& stream) {
    if (!frames_seen_ && !hear_first(stream, false)) {
        return;
    }
    while (stream.open() && !conversation_.over() && step(stream)) {
    }
}

/// One step of the decoder; false when it needs more.
bool Chat::step(Stream& stream) {
    const Step step = decoder_.next(stream.input().readable());
    if (const auto* const payload = std::get_if<Payload>(&step)) {
        conversation_.on_payload(payload->text);
        stream.input().consume(payload->consumed);
        return true;
    }
    if (const auto* const skipped = std::get_if<Skipped>(&step)) {
        stream.input().consume(skipped->consumed);
        return true;
    }
    if (std::holds_alternative<Violation>(step)) {
        conversation_.on_bad_frame();
    }
    return false;
}

/// Whether what came first is a frame; if not, it is told as the text it seems to be.
bool Chat::hear_first(Stream& stream, bool complete) {
    const std::string_view bytes = stream.input().readable();
    if (bytes.empty()) {
        return false;
    }
    frames_seen_ = bytes.front() == '\0';
    const std::size_t line_end = bytes.find_first_of("\r\n");
    if (!frames_seen_ &&
        (complete || line_end != std::string_view::npos || bytes.size() >= first_text_bytes_max)) {
        conversation_.on_text(bytes.substr(0, line_end));
    }
    return frames_seen_;
}

void Chat::on_end_of_input(Stream& stream) {
    if (!frames_seen_) {
        static_cast<void>(hear_first(stream, true));
    }
    conversation_.on_disconnected();
}

void Chat::write_notice(Stream& /*stream*/, const std::vector<Lost>& /*lost*/,
                        std::string& /*out*/) {
    assert(false); // nothing droppable is ever queued here
}

void Chat::on_flushed(Stream& /*stream*/) {
    // The tick's end looks at the room there is.
}

void Chat::on_closed(Stream& /*stream*/, StreamEnd /*end*/) {
    conversation_.on_disconnected();
}

void Chat::send(std::string_view payload) {
    assert(stream_ != nullptr);
    scratch_.clear();
    encode_payload(scratch_, Framing::frame, payload);
    stream_->send(scratch_);
}

void Chat::show(std::string_view line) {
    output_.print_line(line);
}

void Chat::warn(std::string_view line) {
    output_.flush(); // on a terminal the two come in the order in which they were said
    *errors_ << "room: " << line << std::endl;
}

void Chat::pause(Duration length) {
    loop_->cancel(pause_);
    pause_ = loop_->after(length, *this);
}

void Chat::on_signal(int signal) {
    const bool again = signal_ != 0;
    signal_ = signal;
    if (again || stream_ == nullptr || conversation_.over()) {
        hurried_ = true;
        finish();
        return;
    }
    conversation_.leave();
}

Activity Chat::on_tick_end() {
    const Activity taking = take_lines();
    watch_output();
    const Activity flushing = flush_list_.flush_all(); // last of the three: they may have said more
    watch_clock();
    if (conversation_.over() && stream_ != nullptr) {
        stream_->close_now();
    }
    if (conversation_.over() && (output_.pending() == 0 || hurried_)) {
        finish();
    }
    const bool has_room_again = taking == Activity::busy && takes_lines();
    return has_room_again || flushing == Activity::busy ? Activity::busy : Activity::idle;
}

bool Chat::takes_lines() const {
    return stream_ != nullptr && stream_->open() && conversation_.wants_line() &&
           stream_->output().bytes() < unsent_bytes_max;
}

/// `busy`: there may be more lines, but no room for them, or no time.
Activity Chat::take_lines() {
    for (int taken = 0; taken < lines_per_tick_max; ++taken) {
        if (!takes_lines()) {
            return Activity::busy;
        }
        Line line{};
        switch (lines_.next(line)) {
        case LineStatus::line:
            conversation_.on_line(line);
            break;
        case LineStatus::waiting:
            return Activity::idle;
        case LineStatus::busy:
            return Activity::busy;
        case LineStatus::ended:
            conversation_.on_lines_ended();
            return Activity::idle;
        case LineStatus::failed:
            conversation_.on_lines_failed(sys::error_text(lines_.error()));
            return Activity::idle;
        }
    }
    return Activity::busy;
}

void Chat::watch_output() {
    output_.flush();
    output_.look_after_reader();
    if (output_.broken() && !output_lost_) {
        output_lost_ = true;
        if (!output_refused()) {
            warn("cannot write to stdout: " + sys::error_text(output_.error()));
        }
        conversation_.leave();
    }
    if (stream_ == nullptr || !stream_->open()) {
        return;
    }
    if (output_.pending() > unshown_bytes_max) {
        stream_->pause_reading();
    } else if (output_.pending() < unshown_bytes_max / 2) {
        stream_->resume_reading();
    }
}

/// roomd has a while to let us in and a while to say goodbye; in between it may be silent.
void Chat::watch_clock() {
    if (conversation_.talking()) {
        loop_->cancel(std::exchange(timer_, {}));
    } else if (conversation_.leaving() && !waits_for_bye_) {
        waits_for_bye_ = true;
        loop_->cancel(timer_);
        timer_ = loop_->after(bye_patience, *this);
    }
}

void Chat::on_timer(TimerKey key) {
    if (key == pause_) {
        pause_ = {};
        conversation_.on_pause_over();
        return;
    }
    timer_ = {};
    if (!waits_for_bye_ && conversation_.is_asking_again()) {
        timer_ = loop_->after(welcome_patience, *this); // it has answered: not yet
        return;
    }
    hurried_ = signal_ != 0; // who wanted to go need not wait for stdout either
    if (waits_for_bye_) {
        conversation_.on_disconnected();
    } else {
        conversation_.on_timeout();
    }
}

void Chat::finish() {
    output_.settle();
    if (output_.broken() && !output_lost_) {
        output_lost_ = true;
        warn("cannot write to stdout: " + sys::error_text(output_.error()));
    }
    finished_ = true;
    loop_->stop();
}

bool Chat::output_refused() const {
    return output_.error() == static_cast<int>(std::errc::broken_pipe);
}

int Chat::status() const {
    assert(finished_);
    const bool by_person = interactive_ && signal_ == SIGINT && conversation_.over();
    if (signal_ != 0 && !by_person) {
        return signal_status_base + signal_;
    }
    if (stream_ == nullptr) {
        return static_cast<int>(ExitStatus::unavailable);
    }
    return static_cast<int>(output_.broken() ? ExitStatus::input_output : conversation_.status());
}

} // namespace roomd
