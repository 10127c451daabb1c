#include "daemon/parcel.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace roomd {

namespace {

constexpr std::string_view magic = "roomd parcel 1\n";
constexpr std::size_t sockets_per_message_max = 253; // SCM_MAX_FD
constexpr std::size_t header_bytes = magic.size() + 4;
// Each message costs the kernel's book-keeping: room for some 40,000 sockets.
constexpr int send_buffer_bytes = 1 << 20;

std::string text_of(int error) {
    return std::generic_category().message(error);
}

// One message with descriptors.
bool send_message(int fd, std::span<const char> bytes, std::span<const int> passed) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * sockets_per_message_max)> control{};
    iovec piece{const_cast<char*>(bytes.data()), bytes.size()}; // NOLINT: sendmsg(2) only reads it
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    if (!passed.empty()) {
        message.msg_control = control.data();
        message.msg_controllen = CMSG_SPACE(passed.size_bytes());
        cmsghdr header{};
        header.cmsg_level = SOL_SOCKET;
        header.cmsg_type = SCM_RIGHTS;
        header.cmsg_len = CMSG_LEN(passed.size_bytes());
        std::memcpy(control.data(), &header, sizeof header);
        std::memcpy(control.data() + CMSG_LEN(0), passed.data(), passed.size_bytes());
    }
    ssize_t sent = -1;
    do {
        sent = ::sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == static_cast<ssize_t>(bytes.size());
}

// The bytes of the next message, its descriptors behind those in `fds`. 0: none is left; -1: errno.
ssize_t receive_message(int fd, std::span<char> bytes, std::vector<Fd>& fds) {
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int) * sockets_per_message_max)> control{};
    iovec piece{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    ssize_t received = -1;
    do {
        received = ::recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    if (received <= 0) {
        return received;
    }
    for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr;
         header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
            const std::size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (std::size_t index = 0; index < count; ++index) {
                int passed = -1;
                std::memcpy(&passed, CMSG_DATA(header) + index * sizeof(int), sizeof passed);
                fds.emplace_back(passed);
            }
        }
    }
    return received;
}

} // namespace

SealedMemory::SealedMemory()
    : memory_(::memfd_create("roomd-state", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
    if (!memory_) {
        error_ = "no memory to pass on: " + text_of(errno);
    }
}

bool SealedMemory::write(std::uint64_t at, std::string_view bytes) {
    while (error_.empty() && !bytes.empty()) {
        const ssize_t written =
            ::pwrite(memory_.get(), bytes.data(), bytes.size(), static_cast<off_t>(at));
        if (written < 0 && errno != EINTR) {
            error_ = "the state cannot be written to memory: " + text_of(errno);
        }
        const auto count = static_cast<std::size_t>(std::max<ssize_t>(written, 0));
        bytes.remove_prefix(count);
        at += count;
    }
    return error_.empty();
}

Fd SealedMemory::seal(std::string& error) {
    constexpr int seals = F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE;
    if (error_.empty() && ::fcntl(memory_.get(), F_ADD_SEALS, seals) != 0) {
        error_ = "the state's memory cannot be sealed: " + text_of(errno);
    }
    if (!error_.empty()) {
        error = error_;
        memory_.reset();
    }
    return std::move(memory_);
}

std::optional<ParcelEnds> pack_parcel(const Fd& state, std::span<const int> sockets,
                                      std::span<const Farewell> farewells, std::string& error) {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
        error = "no sockets for the parcel: " + text_of(errno);
        return std::nullopt;
    }
    ParcelEnds parcel{Fd(ends[0]), Fd(ends[1])};
    static_cast<void>(::setsockopt(parcel.sender.get(), SOL_SOCKET, SO_SNDBUF, &send_buffer_bytes,
                                   sizeof send_buffer_bytes)); // the default holds 10,000
    std::array<char, header_bytes> header{};
    std::memcpy(header.data(), magic.data(), magic.size());
    for (std::size_t index = 0; index < 4; ++index) {
        header[magic.size() + index] = static_cast<char>(sockets.size() >> (8 * index));
    }
    const int state_fd = state.get();
    bool good = send_message(parcel.sender.get(), header, std::span(&state_fd, 1));
    for (std::size_t next = 0; good && next < sockets.size();) {
        const std::size_t count = std::min(sockets.size() - next, sockets_per_message_max);
        std::array<char, sockets_per_message_max> words{};
        for (std::size_t index = 0; index < count; ++index) {
            words[index] = static_cast<char>(farewells[next + index]);
        }
        good = send_message(parcel.sender.get(), std::span(words).first(count),
                            sockets.subspan(next, count));
        next += count;
    }
    if (!good) {
        error = "the connections cannot be passed on: " + text_of(errno) +
                "; the descriptor limit has to allow as many again as there are connections";
        return std::nullopt;
    }
    return parcel;
}

bool abandoned(const Fd& sender) {
    pollfd entry{sender.get(), 0, 0};
    return ::poll(&entry, 1, 0) > 0 &&
           (static_cast<unsigned>(entry.revents) & static_cast<unsigned>(POLLHUP)) != 0;
}

std::optional<Parcel> unpack_parcel(const Fd& receiver, std::string& error) {
    Parcel parcel;
    std::array<char, sockets_per_message_max> bytes{};
    std::vector<Fd> state;
    const ssize_t first = receive_message(receiver.get(), bytes, state);
    if (first == 0) {
        return std::nullopt; // the process before us has taken what was in it, and then died
    }
    const std::string_view header(bytes.data(),
                                  static_cast<std::size_t>(std::max<ssize_t>(first, 0)));
    if (header.size() != header_bytes || !header.starts_with(magic) || state.size() != 1) {
        error = "what was handed over is no parcel of a roomd";
        return std::nullopt;
    }
    parcel.state = std::move(state.front());
    std::size_t wanted = 0;
    for (std::size_t index = 0; index < 4; ++index) {
        wanted |= static_cast<std::size_t>(static_cast<unsigned char>(header[magic.size() + index]))
                  << (8 * index);
    }
    while (parcel.sockets.size() < wanted) {
        const std::size_t before = parcel.sockets.size();
        const ssize_t received = receive_message(receiver.get(), bytes, parcel.sockets);
        if (received <= 0 || parcel.sockets.size() - before != static_cast<std::size_t>(received)) {
            // Fewer descriptors may be open here than over there. The order is lost with one.
            error = "not all connections have arrived: " + std::to_string(before) + " of " +
                    std::to_string(wanted);
            parcel.sockets.resize(before);
            break;
        }
        for (ssize_t index = 0; index < received; ++index) {
            parcel.farewells.push_back(
                static_cast<Farewell>(bytes[static_cast<std::size_t>(index)]));
        }
    }
    return parcel;
}

MappedState::MappedState(const Fd& state) {
    struct stat status {};

    if (::fstat(state.get(), &status) != 0 || status.st_size <= 0) {
        return;
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const address = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, state.get(), 0);
    if (address != MAP_FAILED) { // NOLINT: mmap(2) says so
        address_ = address;
        size_ = size;
    }
}

MappedState::~MappedState() {
    if (address_ != nullptr) {
        ::munmap(address_, size_);
    }
}

} // namespace roomd
