// The SQLite store passes the contract.

#include "contract/store_contract.h"

namespace kw::store {

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreContract,
                         ::testing::Values(Backend{
                             "sqlite",
                             [](const std::filesystem::path& directory, const Options& options) {
                               return Store::open(directory / "store.db", options);
                             }}),
                         [](const auto& backend) { return backend.param.name; });

}  // namespace kw::store
