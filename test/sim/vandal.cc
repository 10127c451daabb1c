#include "test/sim/vandal.h"

#include <utility>

namespace roomd::sim {

Vandal::Vandal(World& world, Ledger& ledger, Random random, std::string address, SocketAddress from,
               bool sniffed)
    : Caller(world), ledger_(&ledger), random_(random), address_(std::move(address)), from_(from),
      sniffed_(sniffed), turns_left_(random_.between(1, 12)) {}

std::string Vandal::rubbish() {
    Saying saying;
    saying.forbidden = true;
    const std::string token = ledger_->at(ledger_->add(saying)).text;
    std::uint64_t kind = random_.below(8);
    if (!sniffed_ && (kind == 1 || kind == 7)) {
        kind = 2; // where the first byte does not decide, these hold lines that may be said
    }
    switch (kind) {
    case 0:
        return "GET / HTTP/1.1\r\nHost: x\r\n\r\n/join lobby\r\n" + token + "\r\n";
    case 1:
        return "\x16\x03\x01\x02" + token + "\n";
    case 2:
        return "\xC1\xFB\x01" + token + "\n"; // no UTF-8, and no telnet either
    case 3:
        return std::string("\x00\xFF\xFF\xFF", 4) + token; // 2^24 - 1 bytes to come, says it
    case 4:
        return std::string("\x00\x00\x00\x05", 4) + "he";
    case 5:
        return std::string("\x00\x00\x00\x00", 4) + std::string("\x01\x00\x00\x00", 4) + token;
    case 6:
        return {};
    default: {
        std::string noise(random_.skewed(1, 3'000), '\0');
        for (char& byte : noise) {
            byte = static_cast<char>(random_.below(256));
        }
        noise[0] = static_cast<char>(0x80 + random_.below(64)); // nothing begins so
        return noise;
    }
    }
}

void Vandal::on_turn() {
    if (settling_ || turns_left_-- == 0) {
        hang_up();
        return;
    }
    if (!connected()) {
        dial(address_, from_);
        send(rubbish());
        if (random_.one_in(4)) {
            stall(0);
        }
    } else if (random_.one_in(3)) {
        half_close();
    } else if (random_.one_in(2)) {
        break_off();
    } else {
        hang_up();
    }
    next_turn(static_cast<Instant>(random_.skewed(1, 20'000)) * millisecond);
}

} // namespace roomd::sim
