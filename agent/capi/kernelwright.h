/* Runs an exported kernel on a CUDA device: libkernelwright.so, C ABI, version 1.
 *
 * A bundle directory holds kernel.cubin and plan.json. Every function returns 0, or -1 with the
 * reason in kw_last_error(). A kw_kernel belongs to one thread at a time; its device's primary
 * context is made current on the calling thread. Needs a CUDA driver (libcuda.so.1), no toolkit.
 */
#ifndef KERNELWRIGHT_H
#define KERNELWRIGHT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KW_API_VERSION 1

typedef struct kw_kernel kw_kernel;

enum kw_role { KW_INPUT = 0, KW_WEIGHT = 1, KW_STATE = 2, KW_OUTPUT = 3 };

/* The reason of this thread's last failure; never NULL. */
const char* kw_last_error(void);

/* Loads a bundle onto device `ordinal`. */
int kw_open(const char* bundle_directory, int ordinal, kw_kernel** kernel);
/* The same from memory. */
int kw_open_memory(const void* cubin, size_t cubin_bytes, const char* plan_json, int ordinal,
                   kw_kernel** kernel);
void kw_close(kw_kernel* kernel);

/* Buffers that the caller provides, in the plan's order. `name` lives as long as the kernel. */
size_t kw_buffer_count(const kw_kernel* kernel);
int kw_buffer_info(const kw_kernel* kernel, size_t index, const char** name, enum kw_role* role,
                   uint64_t* bytes);

/* Gives a buffer a device address (16-byte aligned) ... */
int kw_buffer_bind(kw_kernel* kernel, size_t index, uint64_t device_address);
/* ... or memory that the kernel owns. */
int kw_buffer_allocate(kw_kernel* kernel, size_t index);
/* Copies to or from a bound buffer, `bytes` at most its size; waits for the copy. */
int kw_buffer_write(kw_kernel* kernel, size_t index, const void* from, uint64_t bytes);
int kw_buffer_read(kw_kernel* kernel, size_t index, void* to, uint64_t bytes);

/* Work on weights alone, once after binding and whenever a weight changed. `stream` is a CUstream or
 * cudaStream_t; NULL is the default stream. Asynchronous. */
int kw_setup(kw_kernel* kernel, void* stream);
/* One run, asynchronous. Every buffer must be bound. */
int kw_run(kw_kernel* kernel, void* stream);
/* Waits for a stream. */
int kw_synchronize(kw_kernel* kernel, void* stream);

#ifdef __cplusplus
}
#endif
#endif
