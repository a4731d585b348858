// REQUIRES: plugins
// RUN: qk-opt --load-pass-plugin=%qk_build/lib/qk_test_plugin.so --pass-pipeline='builtin.module(test-mark-module)' %s | FileCheck %s
// RUN: qk-opt --help | FileCheck %s --check-prefix=UPSTREAM
// qk-opt runs other people's passes, and has all of mlir-opt's.

// CHECK: module attributes {test.marked}
module {}

// UPSTREAM-DAG: --linalg-fuse-elementwise-ops
// UPSTREAM-DAG: --convert-scf-to-openmp
// UPSTREAM-DAG: --quant-llm-raise-linear
