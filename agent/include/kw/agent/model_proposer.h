#pragma once
// The model as a proposer: builds the prompt, keeps the ledger, retries, reads the answer strictly.

#include <memory>

#include "kw/agent/model_client.h"
#include "kw/agent/proposer.h"
#include "kw/store/store.h"

namespace kw::agent {

/// Every request is in the ledger before it is sent, its answer before it is used; an answered
/// request is never sent again.
std::unique_ptr<Proposer> make_model_proposer(store::Store& store, ModelClient& client);

}  // namespace kw::agent
