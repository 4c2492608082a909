#pragma once
// The tables, as numbered steps.

#include "sqlite.h"

namespace kw::store {

/// The number of the newest step this release knows.
std::int64_t schema_version();

/// Brings the schema up to date in one IMMEDIATE transaction. Corrupt when a newer release wrote
/// it.
Status migrate(Database& db);

/// For stores that may not be written: the schema must be exactly ours.
Status require_current_schema(Database& db);

}  // namespace kw::store
