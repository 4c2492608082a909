#pragma once
// Host threads that stay between launches: a new thread may take a millisecond to run for the first
// time, one that waits takes microseconds.

#include <functional>

namespace kw::ptxvm {

/// work(t) for every t below `threads`: 0 in the caller's thread, the others at the same time in
/// threads of the process's pool, or after it where the process gets no more threads. `work` throws
/// nothing. May be called from several threads, and in a child of fork(), whose pool is another. At
/// the process's end the pool's threads are joined.
void run_together(unsigned threads, const std::function<void(unsigned)>& work);

}  // namespace kw::ptxvm
