#pragma once

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "lihandover/store/store.hpp"

namespace lihandover::store {

/// ItemIntake::submit as an Asio operation: `co_await async_submit(intake, std::move(items), 0, use_awaitable)` gives
/// the Outcome on the caller's executor. Not cancellable: a group on its way to the disk cannot be called back.
/// The store outlives the operation, since stop() answers all that was submitted.
template <typename Token>
auto async_submit(ItemIntake& store, std::vector<NewItem> items, std::size_t idle_objects, Token&& token) {
    return boost::asio::async_initiate<Token, void(Outcome)>(
        [&store, idle_objects](auto handler, std::vector<NewItem> moved_items) {
            using Handler = decltype(handler);
            // std::function wants a copyable callable, handlers can only be moved.
            auto work = boost::asio::make_work_guard(boost::asio::get_associated_executor(handler));
            auto kept = std::make_shared<std::pair<Handler, decltype(work)>>(std::move(handler), std::move(work));
            store.submit(std::move(moved_items), idle_objects, [kept](Outcome outcome) {
                auto executor = kept->second.get_executor();
                boost::asio::post(executor, [kept, outcome] {
                    auto finished = std::move(kept->first);
                    kept->second.reset();
                    finished(outcome);
                });
            });
        },
        token, std::move(items));
}

template <typename Token>
auto async_submit(Store& store, std::vector<NewItem> items, std::size_t idle_objects, Token&& token) {
    return async_submit(store.item_intake(), std::move(items), idle_objects, std::forward<Token>(token));
}

template <typename Token>
auto async_submit(Store& store, std::vector<NewItem> items, Token&& token) {
    return async_submit(store, std::move(items), 0, std::forward<Token>(token));
}

}  // namespace lihandover::store
