// Compiled modules by content key.

#include "compile_json.h"
#include "sqlite_store.h"

namespace kw::store {

std::optional<CompileResult> SqliteStore::get(const std::string& key) {
  auto found = read([&](Database& db) -> Result<std::optional<CompileResult>> {
    KW_ASSIGN(Statement row,
              db.query("SELECT document, ptx, cubin FROM compile WHERE key = ?1", key));
    KW_ASSIGN(const bool hit, row.step());
    if (!hit) return std::nullopt;
    KW_ASSIGN(CompileResult result, compile_result_from(row.text(0)));
    if (auto* module = std::get_if<CompiledModule>(&result)) {
      module->ptx = row.text(1);
      module->cubin = row.text(2);
      module->from_cache = true;
    }
    return result;
  });
  // An entry that cannot be read is a miss: the module is compiled again.
  return found ? std::move(*found) : std::nullopt;
}

void SqliteStore::put(const std::string& key, const CompileResult& result) {
  const auto* module = std::get_if<CompiledModule>(&result);
  const std::string_view ptx = module != nullptr ? std::string_view(module->ptx) : "";
  const std::string_view cubin = module != nullptr ? std::string_view(module->cubin) : "";
  if (ptx.size() > kMaxBlobBytes || cubin.size() > kMaxBlobBytes) return;
  // Not being able to remember costs time later, nothing now.
  (void)write(Sync::Normal, [&](Database& db) -> Status {
    KW_RETURN_IF_ERROR(
        db.run("INSERT INTO compile(key, ptx, cubin, document, time_us) VALUES(?1, ?2, ?3, ?4, ?5) "
               "ON CONFLICT(key) DO NOTHING",
               key, Blob{ptx}, Blob{cubin}, compile_result_text(result), now_us()));
    return {};
  });
}

}  // namespace kw::store
