#include "bench/wires.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

// The relay: whatever a publisher says, as it is. So that messages can be told apart in what a
// member hears, each says its own size first, as a frame does.
namespace roomd::bench {

namespace {

class RelayWire final : public Wire {
public:
    void enter(std::string& out, const Part& part) const override {
        constexpr std::array<char, 3> letters{'m', 'p', 'e'};
        out += part.room;
        out += ' ';
        out += letters.at(static_cast<std::size_t>(part.role));
        out += '\n';
    }

    void publish(std::string& out, std::string_view /*room*/,
                 std::string_view text) const override {
        const auto size = static_cast<std::uint32_t>(text.size());
        for (const unsigned shift : {24U, 16U, 8U, 0U}) {
            out += static_cast<char>((size >> shift) & 0xFFU);
        }
        out += text;
    }

    [[nodiscard]] Heard next(std::string_view input) const override {
        if (input.starts_with("ok\n")) {
            return {Heard::Kind::entered, 3, {}, {}};
        }
        if (input.size() < 4) {
            return {};
        }
        std::uint32_t size = 0;
        for (const char byte : input.substr(0, 4)) {
            size = (size << 8U) | static_cast<unsigned char>(byte);
        }
        if (input.size() - 4 < size) {
            return {};
        }
        return {Heard::Kind::message, 4 + std::size_t{size}, input.substr(4, size), {}};
    }
};

} // namespace

const Wire& relay_wire() {
    static const RelayWire wire;
    return wire;
}

} // namespace roomd::bench
