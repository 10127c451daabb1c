#include "daemon/parcel.h"

#include <utility>

// Where there is no sealed memory and no sequence of packets: everything is refused, and whoever
// asked says so.
namespace roomd {

namespace {
constexpr const char* unable = "this system cannot pass a state on in memory; only Linux does";
} // namespace

SealedMemory::SealedMemory() : error_(unable) {}

bool SealedMemory::write(std::uint64_t /*at*/, std::string_view /*bytes*/) {
    return false;
}

Fd SealedMemory::seal(std::string& error) {
    error = error_;
    return std::move(memory_);
}

std::optional<ParcelEnds> pack_parcel(const Fd& /*state*/, std::span<const int> /*sockets*/,
                                      std::span<const Farewell> /*farewells*/, std::string& error) {
    error = unable;
    return std::nullopt;
}

bool abandoned(const Fd& /*sender*/) {
    return true;
}

std::optional<Parcel> unpack_parcel(const Fd& /*receiver*/, std::string& error) {
    error = unable;
    return std::nullopt;
}

MappedState::MappedState(const Fd& /*state*/) {}

MappedState::~MappedState() = default;

} // namespace roomd
