#pragma once
// How a handler goes on. With tail calls it jumps straight to the next handler; without (builds
// with sanitizers or without optimisation) it returns to the loop in Block::turn(). A handler that
// hands out the address of a local variable cannot jump: it returns `ins + 1`.

#ifdef KW_PTXVM_TAIL_CALLS
#define KW_GO_TO(to)                 \
  do {                               \
    const Ins* const kw_next = to;   \
    return kw_next->run(w, kw_next); \
  } while (false)
#else
#define KW_GO_TO(to) return to
#endif
#define KW_NEXT KW_GO_TO(ins + 1)
