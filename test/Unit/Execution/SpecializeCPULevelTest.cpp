//===- SpecializeCPULevelTest.cpp - Kernels of other levels go ------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "SpecializeCPULevel.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/IR/Verifier.h"
#include "llvm/Support/SourceMgr.h"

#include <gtest/gtest.h>

namespace {

constexpr const char *kModule = R"(
declare i32 @qk_choose_cpu_level(i32)
define void @kernel(ptr %y) {
  %level = call i32 @qk_choose_cpu_level(i32 9)
  %wide = icmp eq i32 %level, 3
  br i1 %wide, label %then, label %else
then:
  call void @kernel.wide(ptr %y)
  br label %end
else:
  call void @kernel.portable(ptr %y)
  br label %end
end:
  ret void
}
define internal void @kernel.wide(ptr %y) {
  call void @kernel.wide.tile(ptr %y)
  ret void
}
define internal void @kernel.wide.tile(ptr %y) {
  store i32 3, ptr %y
  ret void
}
define internal void @kernel.portable(ptr %y) {
  call void @kernel.portable.tile(ptr %y)
  ret void
}
define internal void @kernel.portable.tile(ptr %y) {
  store i32 0, ptr %y
  ret void
}
)";

/// Names of the functions that are left for `level`.
std::string left(int32_t level) {
  llvm::LLVMContext context;
  llvm::SMDiagnostic error;
  auto module = llvm::parseAssemblyString(kModule, error, context);
  if (!module)
    return error.getMessage().str();
  qk::specializeCPULevel(*module, [&](int32_t levels) {
    EXPECT_EQ(levels, 9);
    return level;
  });
  if (llvm::verifyModule(*module, &llvm::errs()))
    return "invalid";
  std::string names;
  for (const llvm::Function &function : *module)
    if (!function.isDeclaration())
      names += (names.empty() ? "" : " ") + function.getName().str();
  return names;
}

TEST(SpecializeCPULevel, KeepsTheLevelOnly) {
  EXPECT_EQ(left(3), "kernel kernel.wide kernel.wide.tile");
  EXPECT_EQ(left(0), "kernel kernel.portable kernel.portable.tile");
  // None: the run time says so.
  EXPECT_EQ(left(-1), "kernel kernel.wide kernel.wide.tile kernel.portable "
                      "kernel.portable.tile");
}

} // namespace
