#include "x2x3/pdu_connection.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "lihandover/warrants/index.hpp"

namespace lihandover::intake {

namespace asio = boost::asio;

namespace {

using metrics::PduOutcome;

// Cut at once, before other connections get their turns.
constexpr std::size_t slice_bytes = std::size_t{256} * 1024;
constexpr std::size_t slice_pdus = 1000;
// After which a piece is not added to any more: so its memory is given back before the batch after it is done.
constexpr std::size_t piece_bytes = std::size_t{256} * 1024;
// Without a byte, before memory is given back.
constexpr std::chrono::seconds keep_memory{1};
// A PDU that has begun is whole within this time, and more for a large one.
constexpr std::chrono::seconds pdu_time{60};
constexpr std::size_t least_rate = std::size_t{16} * 1024;
// Tasks of one PDU.
constexpr std::size_t max_tasks = 64;

bool is_copy(const Pdu& pdu) {
    const auto type = static_cast<PduType>(pdu.type);
    return type == PduType::x2 || type == PduType::x3;
}

bool is_read(const Pdu& pdu) {
    switch (static_cast<PayloadFormat>(pdu.format)) {
        case PayloadFormat::sip:
        case PayloadFormat::msrp:
        case PayloadFormat::mime:
            return true;
        case PayloadFormat::keepalive:
            break;
    }
    return false;
}

}  // namespace

bool PduConnection::is_let_in() const {
    const auto& clients = parts_.settings.clients;
    const auto& certificate = stream_.peer().certificate;
    const bool listed = certificate && (clients.contains(certificate->certificate_sha256) ||
                                        clients.contains("spki:" + certificate->spki_sha256));
    if (!clients.empty() && !listed) {
        parts_.log.warn_once("a client that tls.clients does not list is turned away");
        return false;
    }
    return true;
}

asio::awaitable<void> PduConnection::run() {
    // Asked again for all that comes, since a reload may change who is listed.
    while (is_let_in()) {
        const Cut cut = cut_slice();
        report();
        bool goes_on = co_await acknowledge();
        goes_on = goes_on || stream_.ending();
        if (goes_on && cut == Cut::all) {
            received_.trim();
            goes_on = co_await receive();
        } else if (goes_on && cut == Cut::slice) {
            co_await asio::post(parts_.waiting.executor(), asio::use_awaitable);
        } else if (goes_on && cut == Cut::full) {
            co_await wait_for_room();
        } else if (goes_on && cut == Cut::clock) {
            goes_on = !stream_.ending();
            co_await wait_for_clock();
        } else if (goes_on && cut == Cut::warrants) {
            goes_on = !stream_.ending();
            co_await wait_for_warrants();
        }
        if (!goes_on || cut == Cut::lost) {
            co_return;
        }
    }
}

PduConnection::Clock::time_point PduConnection::deadline() const {
    if (!received_.unread().empty()) {
        return begun_ + pdu_time + std::chrono::seconds(needed_ / least_rate);
    }
    return keeps_alive_ ? begun_ + parts_.settings.keepalive_timeout : Clock::time_point::max();
}

asio::awaitable<bool> PduConnection::receive() {
    http::StreamRead read;
    if (received_.unread().empty()) {
        read = co_await read_first();
        begun_ = Clock::now();
    } else {
        const auto before = Clock::now();
        co_await received_.prepare(needed_);
        begun_ += Clock::now() - before;  // waiting for our memory is not the peer's time
        read = co_await stream_.read_some(received_.room(), deadline());
    }
    if (read.end == http::StreamEnd::timeout) {
        parts_.log.warn_once(received_.unread().empty() ? "a connection is closed: its keepalives have ended"
                                                        : "a connection is closed: a PDU has not come to its end");
    }
    received_.received(read.size);
    parts_.metrics.received_bytes.add(read.size);
    co_return read.size > 0;
}

/// The first bytes of a PDU; waits for them without memory.
asio::awaitable<http::StreamRead> PduConnection::read_first() {
    const auto end = deadline();
    for (;;) {
        co_await received_.prepare(1);
        const auto now = Clock::now();
        auto read = co_await stream_.read_some(received_.room(), std::min(end, now + keep_memory));
        if (read.end != http::StreamEnd::timeout || Clock::now() >= end) {
            co_return read;
        }
        received_.release();
        const http::StreamEnd waited = co_await stream_.wait_readable(end);
        if (waited != http::StreamEnd::none) {
            co_return http::StreamRead{0, waited};
        }
    }
}

asio::awaitable<bool> PduConnection::acknowledge() {
    if (acknowledgements_.empty()) {
        co_return true;
    }
    const bool taken = co_await stream_.write(acknowledgements_);
    acknowledgements_.clear();
    co_return taken;
}

asio::awaitable<void> PduConnection::wait_for_room() {
    constexpr auto as_long_as_it_takes = std::chrono::hours(24 * 365);
    // Of its own, since the processing may take the last one, and its share, meanwhile.
    granted_piece_ = std::make_shared<Piece>(parts_.waiting, beyond_);
    const auto waiting = granted_piece_;
    const std::size_t size = pdu_.octets;
    const bool granted = co_await waiting->share.take(size, as_long_as_it_takes);
    granted_ = granted ? size : 0;
}

asio::awaitable<void> PduConnection::wait_for_clock() {
    constexpr std::chrono::milliseconds pause{100};
    parts_.log.warn_once("the clock is not trusted, so a connection whose PDUs have no time is not read on");
    asio::steady_timer timer(parts_.waiting.executor(), pause);
    co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> PduConnection::wait_for_warrants() {
    constexpr std::chrono::milliseconds pause{20};
    asio::steady_timer timer(parts_.waiting.executor(), pause);
    co_await timer.async_wait(asio::use_awaitable);
}

PduConnection::Cut PduConnection::cut_slice() {
    const Moment moment = parts_.pipeline.now();
    // What is of no task is dropped here, for good.
    const bool current = parts_.pipeline.is_current(moment);
    std::size_t bytes = 0;
    for (std::size_t count = 0; count < slice_pdus && bytes < slice_bytes; ++count) {
        switch (read_pdu(received_.unread(), parts_.settings.bounds, pdu_, needed_)) {
            case PduRead::incomplete:
                return Cut::all;
            case PduRead::other_version:
                this->count(PduOutcome::malformed);
                parts_.log.warn_once("a connection is closed: its PDUs are of another major version");
                return Cut::lost;
            case PduRead::unframed:
                this->count(PduOutcome::malformed);
                parts_.log.warn_once(
                    "a connection is closed: a PDU says that it is shorter than its header, or larger "
                    "than max_payload allows");
                return Cut::lost;
            case PduRead::pdu:
                // Whoever it concerns: it counts as sent when it was received, and nobody knows when that is. One that
                // waited for room was received when it came.
                if (granted_ == 0 && !pdu_.at && !moment.clock_trusted && is_copy(pdu_)) {
                    return Cut::clock;
                }
                if (granted_ == 0 && !current && is_copy(pdu_)) {
                    return Cut::warrants;
                }
                if (!take(moment)) {
                    return Cut::full;
                }
                bytes += pdu_.octets;
                received_.consume(pdu_.octets);
                break;
        }
    }
    return Cut::slice;
}

bool PduConnection::take(const Moment& moment) {
    switch (static_cast<PduType>(pdu_.type)) {
        case PduType::keepalive:
            keeps_alive_ = true;
            acknowledgements_ += acknowledgement_of(pdu_);
            count(pdu_.broken_attribute ? PduOutcome::malformed : PduOutcome::keepalive);
            break;
        case PduType::keepalive_acknowledgement:
            count(PduOutcome::keepalive);
            break;
        case PduType::x2:
        case PduType::x3:
            if (!pass_on(moment)) {
                return false;
            }
            break;
        default:
            count(PduOutcome::skipped);
            parts_.log.warn_once("PDUs of an unknown type are passed over", pdu_.type);
            break;
    }
    begun_ = Clock::now();
    return true;
}

/// The tasks of the PDU that a warrant lists.
void PduConnection::find_known(const Moment& moment) {
    known_.clear();
    bool passed_over = false;
    const model::Instant at = pdu_.at.value_or(moment.received_at);
    const warrants::Receipt receipt{moment.received_at, moment.trusted_at};
    const warrants::Index& index = *moment.snapshot->index;
    if (index.knows(pdu_.xid, at, receipt)) {
        known_.push_back(pdu_.xid);
    }
    for (const model::Uuid& xid : pdu_.further_xids) {
        if (!index.knows(xid, at, receipt) || std::ranges::find(known_, xid) != known_.end()) {
            continue;
        }
        if (known_.size() < max_tasks) {
            known_.push_back(xid);
        } else {
            passed_over = true;
        }
    }
    if (passed_over) {
        parts_.log.warn_once("a PDU is of more tasks than are read, and those beyond get nothing of it", max_tasks);
    }
}

bool PduConnection::pass_on(const Moment& moment) {
    // One that waited for room counts as received when it came; and the room that was granted to it is always used.
    if (granted_ == 0) {
        find_known(moment);
        received_at_ = moment.received_at;
    }
    const bool wanted = !known_.empty() && is_read(pdu_);
    if (wanted) {
        std::shared_ptr<Piece> piece = granted_ > 0 ? std::exchange(granted_piece_, nullptr) : last_piece_.lock();
        if (!piece || piece->taken || piece->size >= piece_bytes) {
            piece = std::make_shared<Piece>(parts_.waiting, beyond_);
        }
        if (std::exchange(granted_, 0) < pdu_.octets && !piece->make_room(pdu_.octets, ReceiveMemory::usual)) {
            return false;
        }
        const bool is_new = piece->entries.empty();
        piece->append(received_.unread().substr(0, pdu_.octets), known_, received_at_);
        parts_.inbox.arrived(pdu_.octets);
        if (is_new) {
            last_piece_ = piece;
            parts_.inbox.add(std::move(piece));
        }
    } else if (pdu_.broken_attribute) {
        count(PduOutcome::malformed);
    } else if (known_.empty()) {
        count(PduOutcome::unknown_xid);
    } else {
        count(PduOutcome::skipped);
        parts_.log.warn_once("PDUs of a payload format that is not read are passed over", pdu_.format);
    }
    gaps_ += parts_.sequences.take(pdu_, !known_.empty(), number_, Clock::now());
    if (!known_.empty()) {
        if (pdu_.broken_attribute) {
            parts_.log.warn_once("an attribute of a PDU is longer than its header, or not as its type has to be");
        }
        unknown_attributes_ += pdu_.unknown_attributes.size();
        for (const std::uint16_t type : pdu_.unknown_attributes) {
            parts_.log.warn_once("attributes of an unknown type are passed over", type);
        }
    }
    return true;
}

void PduConnection::report() {
    // Before keepalives are acknowledged: whoever got an answer sees what was read before it.
    parts_.metrics.waiting_bytes.set(static_cast<double>(parts_.inbox.bytes()));
    for (std::size_t n = 0; n < counts_.size(); ++n) {
        if (counts_[n] > 0) {
            parts_.metrics.pdus_by[n].add(std::exchange(counts_[n], 0));
        }
    }
    if (gaps_ > 0) {
        parts_.gaps(std::exchange(gaps_, 0));
    }
    if (unknown_attributes_ > 0) {
        parts_.metrics.unknown_attributes.add(std::exchange(unknown_attributes_, 0));
    }
}

}  // namespace lihandover::intake
