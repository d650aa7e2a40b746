#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

namespace lihandover::warrants {

/// A list that is empty in most warrants, of which there can be a million: then it takes one pointer.
template <typename T>
class Few {
  public:
    Few() = default;
    Few(std::vector<T> values)  // NOLINT(*-explicit-*): it stands for a vector
        : values_(values.empty() ? nullptr : std::make_unique<std::vector<T>>(std::move(values))) {}
    Few(std::initializer_list<T> values) : Few(std::vector<T>(values)) {}
    Few(const Few& other) : values_(other.empty() ? nullptr : std::make_unique<std::vector<T>>(*other.values_)) {}
    Few(Few&&) noexcept = default;
    Few& operator=(const Few& other) {
        Few copy(other);
        std::swap(values_, copy.values_);
        return *this;
    }
    Few& operator=(Few&&) noexcept = default;
    ~Few() = default;

    [[nodiscard]] bool empty() const { return size() == 0; }
    [[nodiscard]] std::size_t size() const { return values_ ? values_->size() : 0; }
    [[nodiscard]] const T* begin() const { return values_ ? values_->data() : nullptr; }
    [[nodiscard]] const T* end() const { return begin() + size(); }
    [[nodiscard]] const T& front() const { return values_->front(); }
    [[nodiscard]] const T& operator[](std::size_t n) const { return (*values_)[n]; }

    template <typename... Arguments>
    T& emplace_back(Arguments&&... arguments) {
        if (!values_) {
            values_ = std::make_unique<std::vector<T>>();
        }
        return values_->emplace_back(std::forward<Arguments>(arguments)...);
    }
    void push_back(T value) { emplace_back(std::move(value)); }
    void pop_back() { values_->pop_back(); }

    friend bool operator==(const Few& left, const Few& right) {
        return left.empty() || right.empty() ? left.empty() && right.empty() : *left.values_ == *right.values_;
    }

  private:
    std::unique_ptr<std::vector<T>> values_;
};

}  // namespace lihandover::warrants
