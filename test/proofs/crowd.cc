// crowd — one speaker at a steady rate, many readers, some of whom do not read: what each of them
// heard, and how late.
//
// The instrument of stalled_readers.py, which starts it. Stands on POSIX and the
// standard library alone, so that it shares no code, and no mistake, with what it measures. In C++
// because a hundred thousand deliveries a second are too many for Python to take without becoming
// the bottleneck itself.
//
// Open loop: the speaker's send times are fixed beforehand, latency counts from the intended time,
// and how late the speaker itself ran is told. Readers are half event, half plain. Of the stalled
// ones the event half is split again: one part wakes up after `wake_s` and must account for every
// id, by message or by gap; the other part never reads.
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Nanoseconds = std::int64_t;
constexpr Nanoseconds second_ns = 1'000'000'000;
constexpr int patience_s = 30;

[[noreturn]] void give_up(const std::string& why) {
    static_cast<void>(std::fprintf(stderr, "crowd: %s (errno %d)\n", why.c_str(), errno));
    std::exit(1); // NOLINT(concurrency-mt-unsafe): nothing is left to run at an exit
}

Nanoseconds now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::uint64_t number_in(std::string_view text) {
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
}

// Takes the word before the next space from the front of `text`.
std::string_view take_word(std::string_view& text) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return word;
}

std::string framed(std::string_view payload) {
    const std::uint32_t length = htonl(static_cast<std::uint32_t>(payload.size()));
    std::string bytes(sizeof length, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes.append(payload);
}

struct Options {
    std::uint16_t port = 0;
    int live = 0;
    int stalled = 0;
    int rate = 0;
    int seconds = 0;
    int text_bytes = 0;
    int wake_s = 0; // 0: nobody wakes
    int warm_up_s = 0;
};

// Of messages intended after the warm-up: until the kernel's buffers of the stalled are full, they
// are readers like others.
struct Latencies {
    Nanoseconds from;
    std::vector<std::uint32_t> us;
};

enum class Kind : std::uint8_t { live, waking, silent };

class Reader {
public:
    Reader(std::uint16_t port, Kind reader_kind, bool event)
        : kind(reader_kind), event_(event), fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (kind != Kind::live) {
            const int small = 4096;
            ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        }
        const int at_once =
            1; // or the kernel would hold back each message until the one before is acknowledged
        ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        if (::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
            give_up("cannot connect");
        }
        say(event_ ? "/hello 1 ack=off" : "/ping hello");
        say("/join steady");
        say("/ping in");
        while (!in_) {
            if (!take(nullptr)) {
                give_up("the daemon closed a newcomer");
            }
        }
    }

    ~Reader() { ::close(fd_); }

    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    Reader(Reader&&) = delete;
    Reader& operator=(Reader&&) = delete;

    void say(std::string_view payload) const {
        const std::string bytes = framed(payload);
        if (::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
            static_cast<ssize_t>(bytes.size())) {
            give_up("cannot send");
        }
    }

    // Reads once; false at the end of the stream.
    bool take(Latencies* latencies) {
        std::array<char, 65536> block; // NOLINT: filled by recv
        const ssize_t count = ::recv(fd_, block.data(), block.size(), 0);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        if (count <= 0) {
            ended = true;
            return false;
        }
        bytes_.append(block.data(), static_cast<std::size_t>(count));
        const Nanoseconds heard_at = now_ns();
        std::string_view rest = bytes_;
        while (rest.size() >= 4) {
            std::uint32_t length = 0;
            std::memcpy(&length, rest.data(), sizeof length);
            length = ntohl(length);
            if (rest.size() < 4 + std::size_t{length}) {
                break;
            }
            hear(rest.substr(4, length), heard_at, latencies);
            rest.remove_prefix(4 + std::size_t{length});
        }
        bytes_.erase(0, bytes_.size() - rest.size());
        return true;
    }

    void make_patient() const { ::fcntl(fd_, F_SETFL, O_NONBLOCK); }

    [[nodiscard]] int fd() const { return fd_; }

    [[nodiscard]] bool event() const { return event_; }

    Kind kind;
    bool ended = false;
    bool told_slow = false;   // `bye slow` or `! slow`
    bool wrong = false;       // a hole, a repeat, or something out of order
    std::uint64_t last = 0;   // number of the last message accounted for
    std::uint64_t heard = 0;  // messages
    std::uint64_t missed = 0; // ids in gaps
    std::uint64_t gaps = 0;

private:
    void hear(std::string_view payload, Nanoseconds heard_at, Latencies* latencies) {
        if (payload == "ping in" || payload == "ok ping in") {
            in_ = true;
        } else if (payload.starts_with("! slow") || payload.starts_with("bye slow")) {
            told_slow = true;
        } else if (event_ && payload.starts_with("gap ")) {
            take_word(payload);
            take_word(payload);
            const std::uint64_t first = number_in(take_word(payload));
            const std::uint64_t end = number_in(take_word(payload));
            wrong = wrong || first != last + 1 || end < first;
            missed += end - first + 1;
            ++gaps;
            last = end;
        } else if (!event_ || payload.starts_with("msg ")) {
            message(payload, heard_at, latencies);
        }
    }

    // `NUMBER INTENDED xxxx`, in event format behind `msg ROOM ID TIME NICK`.
    void message(std::string_view payload, Nanoseconds heard_at, Latencies* latencies) {
        std::uint64_t id = 0;
        if (event_) {
            take_word(payload);
            take_word(payload);
            id = number_in(take_word(payload));
            take_word(payload);
            take_word(payload);
        } else if (payload.empty() || payload.front() < '0' || payload.front() > '9') {
            return; // `ping hello`
        }
        const std::uint64_t number = number_in(take_word(payload));
        const auto intended = static_cast<Nanoseconds>(number_in(take_word(payload)));
        wrong = wrong || number != last + 1 || (event_ && id != number);
        last = number;
        ++heard;
        if (latencies != nullptr && intended >= latencies->from) {
            latencies->us.push_back(
                static_cast<std::uint32_t>(std::max<Nanoseconds>(0, heard_at - intended) / 1000));
        }
    }

    bool event_;
    bool in_ = false;
    int fd_;
    std::string bytes_;
};

struct Speech {
    std::atomic<std::uint64_t> said = 0;
    std::atomic<Nanoseconds> latest = 0; // how late the speaker ran at worst
    std::atomic<std::uint64_t> late = 0; // sends more than a millisecond late
    std::atomic<bool> over = false;
};

void speak(const Reader& mouth, const Options& options, Nanoseconds begin, Speech& speech) {
    const auto total =
        static_cast<std::uint64_t>(options.rate) * static_cast<std::uint64_t>(options.seconds);
    const std::string padding(static_cast<std::size_t>(options.text_bytes), 'x');
    for (std::uint64_t number = 1; number <= total; ++number) {
        const Nanoseconds intended =
            begin + static_cast<Nanoseconds>(number) * second_ns / options.rate;
        const timespec until{intended / second_ns, intended % second_ns};
        ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr);
        mouth.say(std::to_string(number) + " " + std::to_string(intended) + " " + padding);
        const Nanoseconds late = now_ns() - intended;
        speech.latest = std::max(speech.latest.load(), late);
        speech.late += late > second_ns / 1000 ? 1U : 0U;
        speech.said = number;
    }
    speech.over = true;
}

void watch(int poller, Reader& reader) {
    reader.make_patient();
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = &reader;
    ::epoll_ctl(poller, EPOLL_CTL_ADD, reader.fd(), &event);
}

double quantile_ms(std::vector<std::uint32_t>& sorted, double part) {
    if (sorted.empty()) {
        return 0;
    }
    const auto index = static_cast<std::size_t>(part * static_cast<double>(sorted.size() - 1));
    return sorted[index] / 1000.0;
}

using Readers = std::vector<std::unique_ptr<Reader>>;

// Reads all who read until everything said has reached them.
void listen(const Options& options, Readers& readers, const Speech& speech, Latencies& latencies) {
    const int poller = ::epoll_create1(EPOLL_CLOEXEC);
    for (const auto& reader : readers) {
        if (reader->kind == Kind::live) {
            watch(poller, *reader);
        }
    }
    const std::size_t expected = static_cast<std::size_t>(options.rate) *
                                 static_cast<std::size_t>(options.seconds) *
                                 static_cast<std::size_t>(options.live);
    latencies.us.reserve(expected);
    const Nanoseconds wake_at = now_ns() + options.wake_s * second_ns;
    const auto total =
        static_cast<std::uint64_t>(options.rate) * static_cast<std::uint64_t>(options.seconds);
    const Nanoseconds give_up_at = now_ns() + (options.seconds + patience_s) * second_ns;
    bool awake = options.wake_s == 0;
    bool done = false;
    while (!done && now_ns() < give_up_at) {
        std::array<epoll_event, 256> events{};
        const int count = ::epoll_wait(poller, events.data(), static_cast<int>(events.size()), 100);
        for (int index = 0; index < count; ++index) {
            auto* const reader =
                static_cast<Reader*>(events[static_cast<std::size_t>(index)].data.ptr);
            if (!reader->take(reader->kind == Kind::live ? &latencies : nullptr)) {
                ::epoll_ctl(poller, EPOLL_CTL_DEL, reader->fd(), nullptr);
            }
        }
        if (!awake && now_ns() >= wake_at) {
            awake = true;
            for (const auto& reader : readers) {
                if (reader->kind == Kind::waking) {
                    watch(poller, *reader);
                }
            }
        }
        done = speech.over && awake &&
               std::all_of(readers.begin(), readers.end(), [&](const auto& reader) {
                   return reader->kind == Kind::silent || reader->ended || reader->last == total;
               });
    }
    ::close(poller);
}

void report(const Options& options, const Readers& readers, const Speech& speech,
            std::vector<std::uint32_t> latencies_us) {
    const auto total =
        static_cast<std::uint64_t>(options.rate) * static_cast<std::uint64_t>(options.seconds);
    int live_complete = 0;
    int woke_complete = 0;
    int wrong = 0;
    int told_slow = 0;
    int closed = 0;
    std::uint64_t missed = 0;
    std::uint64_t gaps = 0;
    for (const auto& reader : readers) {
        const bool complete = !reader->wrong && reader->last == total;
        live_complete += reader->kind == Kind::live && complete && reader->missed == 0 ? 1 : 0;
        woke_complete += reader->kind == Kind::waking && complete ? 1 : 0;
        missed += reader->kind == Kind::waking ? reader->missed : 0;
        gaps += reader->kind == Kind::waking ? reader->gaps : 0;
        wrong += reader->wrong ? 1 : 0;
        told_slow += reader->kind == Kind::silent && reader->told_slow ? 1 : 0;
        closed += reader->kind == Kind::silent && reader->ended ? 1 : 0;
    }
    std::sort(latencies_us.begin(), latencies_us.end());
    std::printf("{\"said\": %llu, \"live_complete\": %d, \"woke_complete\": %d, \"woke_gaps\": "
                "%llu, \"woke_missed\": %llu, "
                "\"wrong\": %d, \"silent_closed\": %d, \"silent_told\": %d, \"deliveries\": %zu, "
                "\"p50_ms\": %.3f, "
                "\"p99_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f, \"speaker_late\": %llu, "
                "\"speaker_latest_ms\": %.3f}\n",
                static_cast<unsigned long long>(speech.said.load()), live_complete, woke_complete,
                static_cast<unsigned long long>(gaps), static_cast<unsigned long long>(missed),
                wrong, closed, told_slow, latencies_us.size(), quantile_ms(latencies_us, 0.5),
                quantile_ms(latencies_us, 0.99), quantile_ms(latencies_us, 0.999),
                quantile_ms(latencies_us, 1.0), static_cast<unsigned long long>(speech.late.load()),
                static_cast<double>(speech.latest.load()) / 1e6);
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 9) {
        static_cast<void>(
            std::fprintf(stderr, "usage: crowd PORT LIVE STALLED RATE SECONDS TEXT_BYTES WAKE_S "
                                 "WARM_UP_S (stalled_readers.py does it)\n"));
        return 64;
    }
    const std::vector<std::string_view> words(argv + 1, argv + argc);
    const auto number = [&](std::size_t index) {
        return static_cast<int>(number_in(words[index]));
    };
    const Options options{static_cast<std::uint16_t>(number(0)),
                          number(1),
                          number(2),
                          number(3),
                          number(4),
                          number(5),
                          number(6),
                          number(7)};
    Readers readers;
    for (int index = 0; index < options.live; ++index) {
        readers.push_back(std::make_unique<Reader>(options.port, Kind::live, index % 2 == 0));
    }
    for (int index = 0; index < options.stalled; ++index) {
        const bool event = index % 2 == 0;
        const Kind kind =
            options.wake_s > 0 && event && index % 4 == 0 ? Kind::waking : Kind::silent;
        readers.push_back(std::make_unique<Reader>(options.port, kind, event));
    }
    Speech speech;
    const Reader mouth(options.port, Kind::live, true);
    const Nanoseconds begin = now_ns() + second_ns / 10;
    Latencies latencies{begin + options.warm_up_s * second_ns, {}};
    std::thread speaker([&] { speak(mouth, options, begin, speech); });
    listen(options, readers, speech, latencies);
    speaker.join();
    for (const auto& reader : readers) { // what was left for those who never read, and how it ended
        const timeval short_patience{1, 0};
        ::setsockopt(reader->fd(), SOL_SOCKET, SO_RCVTIMEO, &short_patience, sizeof short_patience);
        const Nanoseconds give_up_at = now_ns() + 10 * second_ns;
        while (reader->kind == Kind::silent && reader->last < speech.said &&
               now_ns() < give_up_at && reader->take(nullptr)) {
        }
    }
    report(options, readers, speech, std::move(latencies.us));
    return 0;
}
