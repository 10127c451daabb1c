#include "protocol/limits.h"
#include "protocol/name.h"

#include <cstring>
#include <utility>

// Where a name keeps its two forms: in place, or in a block of exact size.
namespace roomd {

namespace {

static_assert(name_bytes_max <= 0xFF, "a length is one byte");
constexpr std::size_t pointer_at = 8;

std::size_t as_length(char byte) {
    return static_cast<unsigned char>(byte);
}

} // namespace

Name::Name(std::string_view text, std::string_view folded) {
    const bool same = folded == text;
    memory_[0] = static_cast<char>(text.size());
    memory_[1] = static_cast<char>(same ? 0 : folded.size());
    char* const to = make_room();
    std::memcpy(to, text.data(), text.size());
    if (!same) {
        std::memcpy(to + text.size(), folded.data(), folded.size());
    }
}

Name::Name(const Name& other) : memory_(other.memory_) {
    if (!other.in_place()) {
        std::memcpy(make_room(), other.bytes(), text_bytes() + folded_bytes());
    }
}

Name::Name(Name&& other) noexcept : memory_(std::exchange(other.memory_, {})) {}

Name& Name::operator=(const Name& other) {
    if (this != &other) {
        *this = Name{other};
    }
    return *this;
}

Name& Name::operator=(Name&& other) noexcept {
    Name taken(std::move(other));
    std::swap(memory_, taken.memory_);
    return *this;
}

Name::~Name() {
    if (!in_place()) {
        delete[] bytes();
    }
}

std::size_t Name::text_bytes() const {
    return as_length(memory_[0]);
}

std::size_t Name::folded_bytes() const {
    return as_length(memory_[1]);
}

bool Name::in_place() const {
    return text_bytes() + folded_bytes() <= in_place_max;
}

const char* Name::bytes() const {
    if (in_place()) {
        return &memory_[2];
    }
    const char* block = nullptr;
    std::memcpy(&block, &memory_[pointer_at], sizeof block);
    return block;
}

// For as many bytes as the sizes say.
char* Name::make_room() {
    if (in_place()) {
        return &memory_[2];
    }
    char* const block = new char[text_bytes() + folded_bytes()];
    std::memcpy(&memory_[pointer_at], &block, sizeof block);
    return block;
}

std::string_view Name::text() const {
    return {bytes(), text_bytes()};
}

std::string_view Name::folded() const {
    const std::size_t size = folded_bytes();
    return size == 0 ? text() : std::string_view{bytes() + text_bytes(), size};
}

} // namespace roomd
