// burst — thousands of connects begun as fast as one thread can, each of which then asks one
// /ping; and meanwhile quiet connections that ask all the time, to see whether they are held up.
//
// The instrument of connect_burst.py, which starts it, and judges. Stands on POSIX
// and the standard library alone, so that it shares no code, and no mistake, with what it measures.
//
// Open loop: the quiet ones' send times are fixed beforehand and latency counts from the intended
// time; how late the sender itself ran is told. They have a thread of their own, which goes before
// the burst's if the kernel allows it (SCHED_FIFO), for the two may have one processor.
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
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace {

using Nanoseconds = std::int64_t;
constexpr Nanoseconds second_ns = 1'000'000'000;
constexpr Nanoseconds ping_every_ns = 2'000'000;
constexpr Nanoseconds patience_ns = 30 * second_ns;
constexpr Nanoseconds before_ns = second_ns;    // pings alone, to compare with
constexpr Nanoseconds after_ns = second_ns / 2; // pings after the last answer

[[noreturn]] void give_up(const std::string& why) {
    static_cast<void>(std::fprintf(stderr, "burst: %s (errno %d)\n", why.c_str(), errno));
    std::exit(1); // NOLINT(concurrency-mt-unsafe): nothing is left to run at an exit
}

Nanoseconds now_ns() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::string framed(std::string_view payload) {
    const std::uint32_t length = htonl(static_cast<std::uint32_t>(payload.size()));
    std::string bytes(sizeof length, '\0');
    std::memcpy(bytes.data(), &length, sizeof length);
    return bytes.append(payload);
}

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

// A connect that has begun; whether it has ended, an edge will tell.
int begin_connect(const sockaddr_in& address) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        give_up("no descriptor is left: RLIMIT_NOFILE has to be above the number of connects");
    }
    const int at_once = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof at_once);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
        errno != EINPROGRESS) {
        give_up("cannot connect");
    }
    return fd;
}

void say(int fd, const std::string& bytes) {
    if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(bytes.size())) {
        give_up("a new connection does not take its first words");
    }
}

struct Guest {
    int fd = -1;
    bool asked = false;
    bool answered = false;
    std::string heard;
};

// One of those who were there before. Asks every 2 ms, whether or not it has been answered.
struct Quiet {
    int fd = -1;
    std::vector<Nanoseconds> intended; // of each question, in order
    std::vector<Nanoseconds> took;     // of each answer
    Nanoseconds late = 0;              // the sender's, at most
    std::string heard;

    void begin(const sockaddr_in& address) {
        fd = begin_connect(address);
        pollfd waits{fd, POLLOUT, 0};
        ::poll(&waits, 1, -1);
        say(fd, framed("/hello 1"));
    }

    void ask(Nanoseconds due, Nanoseconds now) {
        late = std::max(late, now - due);
        say(fd, framed("/ping " + std::to_string(intended.size())));
        intended.push_back(due);
    }

    void listen(Nanoseconds now) {
        std::array<char, 65536> room{};
        const ssize_t size = ::recv(fd, room.data(), room.size(), 0);
        if (size == 0 || (size < 0 && errno != EAGAIN)) {
            give_up("a quiet connection was closed");
        }
        heard.append(room.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
        std::string next = "ok ping " + std::to_string(took.size());
        std::size_t at = 0;
        while (at + 4 <= heard.size()) {
            std::uint32_t length = 0;
            std::memcpy(&length, heard.data() + at, sizeof length);
            length = ntohl(length);
            if (at + 4 + length > heard.size()) {
                break;
            }
            if (std::string_view(heard).substr(at + 4, length) == next) {
                took.push_back(now - intended[took.size()]);
                next = "ok ping " + std::to_string(took.size());
            }
            at += 4 + length;
        }
        heard.erase(0, at);
    }
};

// All quiet ones, until `stop`; what is asked last is waited for.
void ping(std::vector<Quiet>& all, const std::atomic<bool>& stop) {
    const sched_param first{1};
    static_cast<void>(::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &first));
    const Nanoseconds begin = now_ns();
    std::vector<pollfd> waits;
    for (const Quiet& quiet : all) {
        waits.push_back({quiet.fd, POLLIN, 0});
    }
    const auto step = ping_every_ns / static_cast<Nanoseconds>(all.size()); // not all at once
    std::size_t asked = 0;
    Nanoseconds give_up_at = 0;
    while (true) {
        const Nanoseconds due = begin + static_cast<Nanoseconds>(asked) * step;
        Nanoseconds now = now_ns();
        const bool over = stop.load();
        if (over && give_up_at == 0) {
            give_up_at = now + patience_ns;
        }
        if (!over && now >= due) {
            all[asked % all.size()].ask(due, now);
            ++asked;
            continue;
        }
        const bool answered = std::ranges::all_of(
            all, [](const Quiet& quiet) { return quiet.took.size() == quiet.intended.size(); });
        if (over && answered) {
            return;
        }
        if (over && now > give_up_at) {
            give_up("a quiet connection was not answered");
        }
        const Nanoseconds left = over ? second_ns / 100 : due - now;
        const timespec wait{0, static_cast<long>(left)};
        ::ppoll(waits.data(), waits.size(), &wait, nullptr);
        now = now_ns();
        for (std::size_t index = 0; index < all.size(); ++index) {
            if (waits[index].revents != 0) {
                all[index].listen(now);
            }
        }
    }
}

// True when its answer is whole.
bool take_answer(Guest& guest, const std::string& answer) {
    std::array<char, 4096> room{};
    ssize_t size = 0;
    while ((size = ::recv(guest.fd, room.data(), room.size(), 0)) > 0) {
        guest.heard.append(room.data(), static_cast<std::size_t>(size));
    }
    if (size == 0) {
        give_up("a guest was closed: " + guest.heard);
    }
    return guest.heard.find("welcome") != std::string::npos && guest.heard.ends_with(answer);
}

struct Times {
    Nanoseconds begun = 0;    // all connects
    Nanoseconds answered = 0; // the last of all
    std::size_t count = 0;    // who were answered
};

Times burst(const sockaddr_in& address, std::size_t count) {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    std::vector<Guest> guests(count);
    Times times;
    const Nanoseconds begin = now_ns();
    for (Guest& guest : guests) {
        guest.fd = begin_connect(address);
    }
    times.begun = now_ns() - begin;
    for (std::size_t index = 0; index < count; ++index) {
        epoll_event wanted{};
        wanted.events = EPOLLIN | EPOLLOUT | EPOLLET;
        wanted.data.u64 = index;
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, guests[index].fd, &wanted);
    }
    std::vector<epoll_event> events(512);
    while (times.count < count && now_ns() - begin < patience_ns) {
        const int ready = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), 100);
        for (int index = 0; index < ready; ++index) {
            const epoll_event& event = events[static_cast<std::size_t>(index)];
            Guest& guest = guests[event.data.u64];
            const std::string token = "ok ping " + std::to_string(event.data.u64);
            if ((event.events & (EPOLLERR | EPOLLHUP)) != 0) {
                give_up("a connect failed");
            }
            if (!guest.asked && (event.events & EPOLLOUT) != 0) {
                guest.asked = true;
                say(guest.fd, framed("/hello 1") + framed("/" + token.substr(3)));
            }
            if (!guest.answered && (event.events & EPOLLIN) != 0 && take_answer(guest, token)) {
                guest.answered = true;
                times.answered = now_ns() - begin;
                ++times.count;
            }
        }
    }
    return times; // all stay open until the program ends
}

double ms(Nanoseconds time) {
    return static_cast<double>(time) / 1e6;
}

void report_pings(const char* name, std::vector<Nanoseconds> took) {
    std::ranges::sort(took);
    const auto quantile = [&](double share) {
        const auto place = static_cast<std::size_t>(share * static_cast<double>(took.size()));
        return ms(took[std::min(place, took.size() - 1)]);
    };
    static_cast<void>(std::printf("\"%s\": {\"pings\": %zu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
                                  "\"max_ms\": %.3f}, ",
                                  name, took.size(), quantile(0.5), quantile(0.99),
                                  ms(took.back())));
}

} // namespace

// burst PORT CONNECTS QUIET
int main(int argc, char** argv) {
    std::array<std::size_t, 3> numbers{};
    for (std::size_t index = 0; index < numbers.size() && argc == 4; ++index) {
        const std::string_view word = argv[index + 1];
        std::from_chars(word.data(), word.data() + word.size(), numbers[index]);
    }
    const auto [port, count, quiet_count] = numbers;
    if (port == 0 || count == 0 || quiet_count == 0) {
        give_up("usage: burst PORT CONNECTS QUIET");
    }
    const sockaddr_in address = loopback(static_cast<std::uint16_t>(port));
    std::vector<Quiet> quiet(quiet_count);
    for (Quiet& one : quiet) {
        one.begin(address);
    }
    std::atomic<bool> stop = false;
    std::thread pinger([&] { ping(quiet, stop); });
    std::this_thread::sleep_for(std::chrono::nanoseconds(before_ns)); // the pings' idle sample
    const Nanoseconds from = now_ns();
    const Times times = burst(address, count);
    std::this_thread::sleep_for(std::chrono::nanoseconds(after_ns));
    stop = true;
    pinger.join();

    std::array<std::vector<Nanoseconds>, 2> took; // before the burst; in it and after it
    Nanoseconds late = 0;
    for (const Quiet& one : quiet) {
        late = std::max(late, one.late);
        for (std::size_t index = 0; index < one.took.size(); ++index) {
            // What is asked shortly before the burst is answered in it.
            const bool idle = one.intended[index] + one.took[index] < from;
            took[idle ? 0 : 1].push_back(one.took[index]);
        }
    }
    static_cast<void>(std::printf("{"));
    report_pings("idle", took[0]);
    report_pings("burst", took[1]);
    static_cast<void>(std::printf("\"answered\": %zu, \"begun_ms\": %.1f, \"answered_ms\": %.1f, "
                                  "\"sender_late_ms_max\": %.3f}\n",
                                  times.count, ms(times.begun), ms(times.answered), ms(late)));
}
