#include "read_connection.hpp"

#include <utility>

#include "outbox_reads.hpp"
#include "schema.hpp"

namespace lihandover::store::sqlite {

void ReadConnection::connect() {
    if (connection_) {
        return;
    }
    Connection fresh(setup_.database);
    set_up_reader(fresh);
    setup_.keys->keyring().add_functions(fresh);
    statements_ = prepare_statements(fresh);
    connection_ = std::move(fresh);
}

}  // namespace lihandover::store::sqlite
