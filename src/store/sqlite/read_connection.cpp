#include "read_connection.hpp"

#include <utility>

#include "outbox_reads.hpp"
#include "schema.hpp"
#include "sealing_functions.hpp"

namespace lihandover::store::sqlite {

void ReadConnection::connect() {
    if (connection_) {
        return;
    }
    Connection fresh(setup_.database);
    set_up_reader(fresh);
    add_sealing_functions(fresh, setup_.keys->keyring());
    statements_ = prepare_statements(fresh);
    connection_ = std::move(fresh);
}

}  // namespace lihandover::store::sqlite
