#include <gtest/gtest.h>

#include "kw/compile/service.h"
#include "kw/verify/reference_role.h"
#include "kw/verify/roles.h"

int main(int argc, char** argv) {
  const kw::process::Role roles[] = {kw::compile::compile_role(), kw::verify::vm_role(),
                                     kw::verify::cuda_role(), kw::verify::reference_role()};
  if (const auto code = kw::process::run_role_if_asked(argc, argv, roles)) return *code;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
