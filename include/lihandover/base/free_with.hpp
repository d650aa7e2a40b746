#pragma once

namespace lihandover::base {

/// A deleter for objects of C libraries: `std::unique_ptr<X509, base::FreeWith<X509_free>>`.
template <auto Free>
struct FreeWith {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};

}  // namespace lihandover::base
