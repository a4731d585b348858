// A whole model with a dynamic length through the host pipeline: numbers as
// PyTorch computes them, for two lengths.
// RUN: qk-run %data/stories260K-f32-dynseq.linalg.ext.mlir --weights=%data/stories260K-f32-dynseq.safetensors \
// RUN:   --input=%data/stories260K-f32-dynseq.in0.npy --input=%data/stories260K-f32-dynseq.in1.npy \
// RUN:   --expect=%data/stories260K-f32-dynseq.out.npy --atol=2.6e-5 | FileCheck %s
// RUN: qk-run %data/stories260K-f32-dynseq.linalg.ext.mlir --weights=%data/stories260K-f32-dynseq.safetensors \
// RUN:   --input=%data/stories260K-f32-dynseq.alt.in0.npy --input=%data/stories260K-f32-dynseq.alt.in1.npy \
// RUN:   --expect=%data/stories260K-f32-dynseq.alt.out.npy --atol=2.6e-5 | FileCheck %s

// Lowered by qk-opt, read from stdin: the same.
// RUN: qk-opt %data/linear-f32-2d.linalg.ext.mlir --quant-llm-host-to-llvm="weights=%data/linear-f32-2d.safetensors" \
// RUN:   | qk-run - --input=%data/linear-f32-2d.in0.npy --expect=%data/linear-f32-2d.out.npy | FileCheck %s

// CHECK: out0: largest difference {{.*}}e-0{{[5-7]}} at [{{.*}}] (got {{.*}}, expected {{.*}}), relative error {{[0-9.]+}}e-07
// CHECK-NOT: beyond

// The same bytes for any number of threads.
// RUN: env OMP_NUM_THREADS=1 qk-run %data/stories260K-f32-dynseq.linalg.ext.mlir --weights=%data/stories260K-f32-dynseq.safetensors \
// RUN:   --input=%data/stories260K-f32-dynseq.in0.npy --input=%data/stories260K-f32-dynseq.in1.npy --output=%t.1.npy
// RUN: env OMP_NUM_THREADS=3 qk-run %data/stories260K-f32-dynseq.linalg.ext.mlir --weights=%data/stories260K-f32-dynseq.safetensors \
// RUN:   --input=%data/stories260K-f32-dynseq.in0.npy --input=%data/stories260K-f32-dynseq.in1.npy --output=%t.3.npy --profile \
// RUN:   | FileCheck %s --check-prefix=PROFILE
// RUN: cmp %t.1.npy %t.3.npy
// PROFILE: forward: {{[0-9.]+}} ms
// PROFILE-NEXT: contractions: {{[0-9.]+}} ms in 46 calls, {{[0-9.]+}} GFLOP/s; a forward takes {{[0-9.]+}}x the time of its contractions
// PROFILE-NEXT: {{[0-9.]+}} ms {{ *[0-9.]+}}%  products in float
// PROFILE-NEXT: {{[0-9.]+}} ms {{ *[0-9.]+}}%  qk_sgemm_batch (46 calls)
// PROFILE-NEXT: {{[0-9.]+}} ms {{ *[0-9.]+}}%  other operations
// PROFILE-DAG: {{[0-9.]+}} ms {{ *[0-9.]+}}%  divf exp maximumf (5 calls)
// PROFILE: {{[0-9.]+}} ms {{ *[0-9.]+}}%  memory
// PROFILE-NEXT: {{[0-9.]+}} ms {{ *[0-9.]+}}%  allocation
// PROFILE: ms {{ *[0-9.]+}}%  overhead
