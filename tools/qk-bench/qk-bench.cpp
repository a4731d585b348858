//===- qk-bench.cpp - Kernels and layers against the machine ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "GpuBench.h"
#include "KernelBench.h"
#include "KernelSuite.h"
#include "SolveBench.h"

#include "llvm/Support/InitLLVM.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

static int usage() {
  std::fprintf(stderr, "usage: qk-bench solve [N K [ROUNDS]]\n"
                       "  solve  time of statistics, round-to-nearest and GPTQ "
                       "(default N = K = 2048, 5 rounds;\n"
                       "         threads: OMP_NUM_THREADS)\n"
                       "       qk-bench suite [options]: all kernels beside "
                       "their goals, see qk-bench suite --help\n"
                       "       qk-bench --gpu [options]: GPU kernels, see "
                       "qk-bench --gpu --help\n"
                       "       qk-bench [options]: a kernel, see --help\n");
  return 1;
}

int main(int argc, char **argv) {
  llvm::InitLLVM initialise(argc, argv);
  if (argc >= 2 && std::strcmp(argv[1], "suite") == 0)
    return benchSuite(argc - 1, argv + 1);
  if (argc >= 2 && std::strcmp(argv[1], "--gpu") == 0)
    return benchGpu(argc, argv);
  if (argc < 2 || std::strcmp(argv[1], "solve") != 0)
    return benchKernel(argc, argv);
  if (argc != 2 && argc != 4 && argc != 5)
    return usage();
  int64_t n = argc >= 4 ? std::atoll(argv[2]) : 2048;
  int64_t k = argc >= 4 ? std::atoll(argv[3]) : 2048;
  int rounds = argc == 5 ? std::atoi(argv[4]) : 5;
  if (n < 1 || k < 1 || rounds < 1)
    return usage();
  benchSolve(n, k, rounds);
  return 0;
}
