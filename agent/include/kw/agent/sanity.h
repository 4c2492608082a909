#pragma once
// V14 before any candidate: what a task's trivial answers would pass, asked once for each task and
// judge version.

#include "kw/core/task.h"
#include "kw/store/store.h"
#include "kw/verify/degeneracy.h"

namespace kw::agent {

/// What is remembered of the task; asked, and remembered, where nothing is. Errors are the store's.
Result<verify::TaskSanity> ask_sanity(store::Store& store, const Task& task);

/// Remembers what the judge recorded with an accept where that tells more: the task was too large
/// to be asked before, or a trivial answer passes at the shapes that were judged. What is known
/// then.
Result<verify::TaskSanity> learn_sanity(store::Store& store, const Task& task,
                                        const Evidence& evidence);

}  // namespace kw::agent
