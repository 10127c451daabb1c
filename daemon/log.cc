#include "daemon/log.h"

#include "daemon/log_line.h"
#include "daemon/log_output.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace roomd {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t queue_lines_max = 1'024;
constexpr std::chrono::milliseconds farewell_max{1'000};
constexpr std::chrono::milliseconds abandon_after{250};
constexpr std::chrono::milliseconds stalled_after{100}; // everybody waits for an upgrade

/// What the writing thread tells and is told.
struct Progress {
    std::mutex mutex;
    std::condition_variable changed;
    std::uint64_t taken = 0; // under mutex; lines that left the queue, written or not
    std::atomic<std::uint64_t> lost{0};
    std::atomic<bool> discard{false};

    /// A line has left the queue.
    void took(bool written) {
        if (!written) {
            ++lost;
        }
        const std::lock_guard lock(mutex);
        ++taken;
        changed.notify_all();
    }
};

constexpr const char* text_pattern = "%Y-%m-%dT%H:%M:%S.%eZ %l %v";

class StderrSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
    StderrSink(Progress& progress, StderrWriter& writer, const char* pattern, const char* line_end)
        : base_sink(std::make_unique<spdlog::pattern_formatter>(
              pattern, spdlog::pattern_time_type::utc, line_end)),
          progress_(progress), writer_(writer) {}

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t line;
        formatter_->format(message, line);
        progress_.took(writer_.write({line.data(), line.size()}, progress_.discard));
    }

    void flush_() override {}

private:
    Progress& progress_;
    StderrWriter& writer_;
};

/// The text line in an entry for the journal.
spdlog::string_view_t message_in(std::string_view entry) {
    constexpr std::string_view field = "\nMESSAGE=";
    const std::size_t at = entry.find(field);
    if (at == std::string_view::npos) {
        return {entry.data(), entry.size()};
    }
    entry.remove_prefix(at + field.size());
    return {entry.data(), std::min(entry.find('\n'), entry.size())};
}

// JOURNAL_STREAM says that stderr leads to the journal, and yet its socket may be out of reach: in
// a container or a chroot. stderr itself is left then.
class JournalSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
public:
    JournalSink(Progress& progress, StderrWriter& writer)
        : base_sink(std::make_unique<spdlog::pattern_formatter>(text_pattern,
                                                                spdlog::pattern_time_type::utc)),
          progress_(progress), writer_(writer) {}

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        const std::string_view entry(message.payload.data(), message.payload.size());
        const JournalSocket::Sent sent = journal_.send(entry, progress_.discard);
        if (sent != JournalSocket::Sent::unreachable) {
            progress_.took(sent == JournalSocket::Sent::done);
            return;
        }
        spdlog::details::log_msg text = message;
        text.payload = message_in(entry);
        spdlog::memory_buf_t line;
        formatter_->format(text, line);
        progress_.took(writer_.write({line.data(), line.size()}, progress_.discard));
    }

    void flush_() override {}

private:
    Progress& progress_;
    StderrWriter& writer_;
    JournalSocket journal_;
};

/// spdlog's thread with its queue and a logger for each format. Several loggers, because a sink's
/// pattern cannot be changed while its thread may be waiting in it.
class Backend {
public:
    Backend() {
        // Signals belong to the reactor's thread; SIGPIPE to nobody.
        sigset_t all{};
        sigset_t before{};
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        pool_ = std::make_shared<spdlog::details::thread_pool>(queue_lines_max, 1);
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        text_ = logger(text_pattern, "\n");
        json_ = logger(R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})", "\n");
        as_it_is_ = logger("%v", "");
        if (stderr_is_journal()) {
            journal_ = logger(std::make_shared<JournalSink>(progress_, stderr_));
        }
    }

    [[nodiscard]] bool has_journal() const { return journal_ != nullptr; }

    void post_entry(LogLevel level, const std::string& entry) {
        ++posted_;
        journal_->log(levels(level), spdlog::string_view_t(entry.data(), entry.size()));
    }

    void post_text(std::string_view text) {
        ++posted_;
        as_it_is_->log(spdlog::level::info, spdlog::string_view_t(text.data(), text.size()));
    }

    void post(LogFormat format, LogLevel level, const std::string& payload) {
        ++posted_;
        (format == LogFormat::json ? json_ : text_)
            ->log(levels(level), spdlog::string_view_t(payload.data(), payload.size()));
    }

    /// Waits until every line posted has been written, lost or pushed out. False: not within
    /// `time`, or nothing has moved for `stall`.
    [[nodiscard]] bool wait_until_idle(std::chrono::milliseconds time,
                                       std::chrono::milliseconds stall) {
        const Clock::time_point deadline = Clock::now() + time;
        std::unique_lock lock(progress_.mutex);
        while (!is_idle()) {
            const std::uint64_t seen = progress_.taken;
            const Clock::time_point until = std::min(deadline, Clock::now() + stall);
            const bool moved = progress_.changed.wait_until(
                lock, until, [&] { return is_idle() || progress_.taken != seen; });
            if (!moved || Clock::now() >= deadline) {
                return is_idle();
            }
        }
        return true;
    }

    void discard_the_rest() { progress_.discard = true; }

    [[nodiscard]] std::uint64_t lost() const { return progress_.lost + pool_->overrun_counter(); }

private:
    [[nodiscard]] bool is_idle() const {
        return progress_.taken + pool_->overrun_counter() >= posted_;
    }

    [[nodiscard]] static spdlog::level::level_enum levels(LogLevel level) {
        switch (level) {
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warning:
            return spdlog::level::warn;
        case LogLevel::error:
            break;
        }
        return spdlog::level::err;
    }

    [[nodiscard]] std::shared_ptr<spdlog::async_logger> logger(const char* pattern,
                                                               const char* line_end) {
        return logger(std::make_shared<StderrSink>(progress_, stderr_, pattern, line_end));
    }

    [[nodiscard]] std::shared_ptr<spdlog::async_logger> logger(spdlog::sink_ptr sink) {
        auto result = std::make_shared<spdlog::async_logger>(
            "roomd", std::move(sink), pool_, spdlog::async_overflow_policy::overrun_oldest);
        result->set_level(spdlog::level::trace);                      // Log has decided already
        result->set_error_handler([](const std::string& /*why*/) {}); // the default one would block
        return result;
    }

    Progress progress_;
    StderrWriter stderr_; // of the writing thread
    std::uint64_t posted_ = 0;
    std::shared_ptr<spdlog::details::thread_pool> pool_; // shared: spdlog asks for it
    std::shared_ptr<spdlog::async_logger> text_;
    std::shared_ptr<spdlog::async_logger> json_;
    std::shared_ptr<spdlog::async_logger> as_it_is_;
    std::shared_ptr<spdlog::async_logger> journal_; // if stderr leads there
};

/// The lines of one kind of event in the second that began at `since`.
struct Kind {
    std::string_view event;
    Clock::time_point since;
    std::uint32_t lines = 0;
    std::uint64_t suppressed = 0;
};

} // namespace

struct Log::Impl {
    Impl(LogFormat chosen_format, LogLevel least_level, std::uint32_t lines_max)
        : format(chosen_format), level(least_level), lines_per_second_max(lines_max) {}

    LogFormat format;
    LogLevel level;
    std::uint32_t lines_per_second_max;
    std::unique_ptr<Backend> backend = std::make_unique<Backend>();
    std::vector<Kind> kinds; // some thirty: searched from front to back
    Clock::time_point told_at = Clock::now();
    std::uint64_t suppressed = 0;
    std::uint64_t lost_told = 0;

    void post(LogLevel line_level, std::string_view event,
              std::initializer_list<LogField> fields) const {
        if (format == LogFormat::automatic && backend->has_journal()) {
            backend->post_entry(line_level, render_entry(line_level, event, fields));
        } else {
            backend->post(format, line_level, render_line(format, event, fields));
        }
    }

    bool admit(std::string_view event, Clock::time_point now) {
        auto kind = std::find_if(kinds.begin(), kinds.end(),
                                 [&](const Kind& each) { return each.event == event; });
        if (kind == kinds.end()) {
            kind = kinds.insert(kinds.end(), Kind{event, now});
        }
        if (now - kind->since >= std::chrono::seconds(1)) {
            tell_suppressed(*kind);
            kind->since = now;
            kind->lines = 0;
        }
        if (kind->lines >= lines_per_second_max) {
            ++kind->suppressed;
            ++suppressed;
            return false;
        }
        ++kind->lines;
        return true;
    }

    void tell_suppressed(Kind& kind) const {
        if (kind.suppressed > 0) {
            post(LogLevel::warning, "suppressed",
                 {{"kind", kind.event}, {"lines", std::exchange(kind.suppressed, 0)}});
        }
    }

    /// What was held back or lost, once a second at most.
    void tell(Clock::time_point now, std::chrono::seconds age) {
        told_at = now;
        for (Kind& kind : kinds) {
            if (now - kind.since >= age) {
                tell_suppressed(kind);
            }
        }
        const std::uint64_t lost = backend->lost();
        if (lost > lost_told) {
            post(LogLevel::warning, "log_lines_lost", {{"lines", lost - lost_told}});
            lost_told = lost;
        }
    }
};

Log::Log(LogFormat format, LogLevel level, std::uint32_t lines_per_second_max)
    : impl_(std::make_unique<Impl>(format, level, lines_per_second_max)) {}

Log::~Log() {
    impl_->tell(Clock::now(), std::chrono::seconds(0));
    if (!impl_->backend->wait_until_idle(farewell_max, farewell_max)) {
        impl_->backend->discard_the_rest();
        if (!impl_->backend->wait_until_idle(abandon_after, abandon_after)) {
            // The thread hangs in write(2), and joining it would hang the daemon's end. The process
            // is about to take both with it.
            static_cast<void>(impl_->backend.release());
        }
    }
}

void Log::line(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
    if (level < impl_->level) {
        return;
    }
    const Clock::time_point now = Clock::now();
    if (now - impl_->told_at >= std::chrono::seconds(1)) {
        impl_->tell(now, std::chrono::seconds(1));
    }
    if (impl_->admit(event, now)) {
        impl_->post(level, event, fields);
    }
}

void Log::configure(LogFormat format, LogLevel level, std::uint32_t lines_per_second_max) {
    impl_->format = format;
    impl_->level = level;
    impl_->lines_per_second_max = lines_per_second_max;
}

void Log::flush(std::chrono::nanoseconds longest) {
    const auto limit = std::chrono::duration_cast<std::chrono::milliseconds>(longest);
    static_cast<void>(impl_->backend->wait_until_idle(limit, std::min(limit, stalled_after)));
}

void Log::show(std::string_view text) {
    if (!text.empty()) {
        impl_->backend->post_text(text);
    }
}

std::uint64_t Log::dropped() const {
    return impl_->suppressed + impl_->backend->lost();
}

} // namespace roomd
