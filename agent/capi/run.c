/* Runs the kernel of this directory once on made-up inputs and prints the first output bytes.
 *   cc run.c -I. -L. -lkernelwright -Wl,-rpath,'$ORIGIN' -o run && ./run
 */
#include <stdio.h>
#include <stdlib.h>

#include "kernelwright.h"

static void check(int failed, const char* what) {
  if (!failed) return;
  fprintf(stderr, "%s: %s\n", what, kw_last_error());
  exit(1);
}

int main(int argc, char** argv) {
  kw_kernel* kernel = NULL;
  check(kw_open(argc > 1 ? argv[1] : ".", 0, &kernel), "kw_open");
  for (size_t i = 0; i < kw_buffer_count(kernel); ++i) {
    const char* name = NULL;
    enum kw_role role = KW_INPUT;
    uint64_t bytes = 0;
    check(kw_buffer_info(kernel, i, &name, &role, &bytes), "kw_buffer_info");
    check(kw_buffer_allocate(kernel, i), name);
    if (role == KW_OUTPUT) continue;
    float* values = calloc(1, bytes + sizeof(float));
    for (uint64_t j = 0; j < bytes / sizeof(float); ++j) values[j] = (float)(j % 7) * 0.25f;
    check(kw_buffer_write(kernel, i, values, bytes), name);
    free(values);
  }
  check(kw_setup(kernel, NULL), "kw_setup");
  check(kw_run(kernel, NULL), "kw_run");
  check(kw_synchronize(kernel, NULL), "kw_synchronize");
  for (size_t i = 0; i < kw_buffer_count(kernel); ++i) {
    const char* name = NULL;
    enum kw_role role = KW_INPUT;
    uint64_t bytes = 0;
    check(kw_buffer_info(kernel, i, &name, &role, &bytes), "kw_buffer_info");
    if (role != KW_OUTPUT) continue;
    float first[4] = {0};
    const uint64_t some = bytes < sizeof first ? bytes : sizeof first;
    check(kw_buffer_read(kernel, i, first, some), name);
    printf("%s (%llu bytes): %g %g %g %g\n", name, (unsigned long long)bytes, first[0], first[1],
           first[2], first[3]);
  }
  kw_close(kernel);
  return 0;
}
