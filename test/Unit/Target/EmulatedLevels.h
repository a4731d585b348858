//===- EmulatedLevels.h - x86 levels on any machine with AVX2 ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Kernels of a level that the machine at hand lacks: their tiles, layouts and
/// remainders as they are, at their vector width, with the level's one
/// instruction of its own (`vpdpbusd`) computed by others. What remains to be
/// seen on a machine that has the level is LLVM's choice of instructions.
///
//===----------------------------------------------------------------------===//

#ifndef QK_TEST_UNIT_TARGET_EMULATEDLEVELS_H
#define QK_TEST_UNIT_TARGET_EMULATEDLEVELS_H

#include "qk/Execution/CPUKernel.h"

#include <vector>

namespace qk::test {

/// A level, and whether it has to be emulated here.
struct TestLevel {
  cpu::Level level;
  bool emulated = false;
};

/// x86: all levels, on a machine with AVX2; elsewhere those that it has.
std::vector<TestLevel> testLevels();

/// "avx2", "avx_vnni_emulated".
std::string testName(const TestLevel &level);

/// `CPUKernel::compile` for one level.
llvm::Expected<std::unique_ptr<cpu::CPUKernel>>
compileFor(const cpu::KernelSpec &spec, const TestLevel &level);

} // namespace qk::test

#endif // QK_TEST_UNIT_TARGET_EMULATEDLEVELS_H
