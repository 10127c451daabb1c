// Fd — the one owner of a file descriptor.
//
// Move-only; closes on destruction through sys::close_descriptor, so that the simulator sees every
// close. Never duplicates, never converts to int silently. Closing 0, 1 or 2 is a bug and asserts:
// a stray 0 from an unset integer would otherwise close stdin and live on.
#pragma once

#include <utility>

namespace roomd {

class Fd {
public:
    Fd() = default;

    explicit Fd(int descriptor) : descriptor_(descriptor) {}

    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;

    Fd(Fd&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            descriptor_ = std::exchange(other.descriptor_, -1);
        }
        return *this;
    }

    ~Fd() { reset(); }

    [[nodiscard]] int get() const { return descriptor_; }

    [[nodiscard]] explicit operator bool() const { return descriptor_ >= 0; }

    /// Gives the descriptor up without closing it.
    [[nodiscard]] int release() { return std::exchange(descriptor_, -1); }

    /// Closes now. Idempotent.
    void reset() noexcept;

private:
    int descriptor_ = -1;
};

} // namespace roomd
