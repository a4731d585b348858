// RUN: qk-opt %s | qk-opt | FileCheck %s
// RUN: qk-opt %s --qk-kernel-lower | FileCheck %s --check-prefix=LOWER
// Assembly and lowering of kernel ops.

// CHECK-LABEL: func.func @unpack4
// CHECK: qk_kernel.unpack 4 %{{.*}} : vector<64xi8> -> 2
// The mask alone; and shifted as words, which is what vector units have.
// LOWER-LABEL: func.func @unpack4
// LOWER-SAME: %[[W:.*]]: vector<64xi8>
// LOWER: %[[LO:.*]] = arith.andi %[[W]], %{{.*}} : vector<64xi8>
// LOWER: %[[WORDS:.*]] = vector.bitcast %[[W]] : vector<64xi8> to vector<32xi16>
// LOWER: %[[S:.*]] = arith.shrui %[[WORDS]], %{{.*}} : vector<32xi16>
// LOWER: %[[B:.*]] = vector.bitcast %[[S]]
// LOWER: %[[HI:.*]] = arith.andi %[[B]], %{{.*}} : vector<64xi8>
// LOWER-NEXT: return %[[LO]], %[[HI]]
func.func @unpack4(%w: vector<64xi8>) -> (vector<64xi8>, vector<64xi8>) {
  %0:2 = qk_kernel.unpack 4 %w : vector<64xi8> -> 2
  return %0#0, %0#1 : vector<64xi8>, vector<64xi8>
}

// CHECK-LABEL: func.func @unpack4_in_place
// CHECK: qk_kernel.unpack in_place 4 %{{.*}} : vector<64xi8> -> 2
// LOWER-LABEL: func.func @unpack4_in_place
// LOWER-NOT: arith.sh
// LOWER: dense<-16>
// LOWER-NOT: arith.sh
// LOWER: return
func.func @unpack4_in_place(%w: vector<64xi8>) -> (vector<64xi8>, vector<64xi8>) {
  %0:2 = qk_kernel.unpack in_place 4 %w : vector<64xi8> -> 2
  return %0#0, %0#1 : vector<64xi8>, vector<64xi8>
}

// CHECK-LABEL: func.func @unpack3
// CHECK: qk_kernel.unpack 3 %{{.*}}, %{{.*}}, %{{.*}} : vector<32xi8> -> 8
// LOWER-LABEL: func.func @unpack3
// Two bits of one plane and one of another are selected by a mask, then the rest
// is cleared.
// LOWER-COUNT-8: dense<7> : vector<32xi8>
func.func @unpack3(%a: vector<32xi8>, %b: vector<32xi8>, %h: vector<32xi8>) -> vector<32xi8> {
  %0:8 = qk_kernel.unpack 3 %a, %b, %h : vector<32xi8> -> 8
  return %0#7 : vector<32xi8>
}

// 8 bits need nothing.
// LOWER-LABEL: func.func @unpack8
// LOWER-NEXT: return %{{.*}} : vector<32xi8>
func.func @unpack8(%w: vector<32xi8>) -> vector<32xi8> {
  %0 = qk_kernel.unpack 8 %w : vector<32xi8> -> 1
  return %0 : vector<32xi8>
}

// CHECK-LABEL: func.func @dot512
// CHECK: qk_kernel.dot %{{.*}}, %{{.*}}, %{{.*}} : vector<16xi32>, vector<64xi8>
// LOWER-LABEL: func.func @dot512
// LOWER: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
func.func @dot512(%a: vector<16xi32>, %u: vector<64xi8>, %s: vector<64xi8>) -> vector<16xi32> attributes {qk_kernel.level = "avx512-vnni"} {
  %0 = qk_kernel.dot %a, %u, %s : vector<16xi32>, vector<64xi8>
  return %0 : vector<16xi32>
}

// LOWER-LABEL: func.func @dot256
// LOWER: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"
func.func @dot256(%a: vector<8xi32>, %u: vector<32xi8>, %s: vector<32xi8>) -> vector<8xi32> attributes {qk_kernel.level = "avx-vnni"} {
  %0 = qk_kernel.dot %a, %u, %s : vector<8xi32>, vector<32xi8>
  return %0 : vector<8xi32>
}

// CHECK-LABEL: func.func @dot_wide
// CHECK: qk_kernel.dot_wide %{{.*}}, %{{.*}}, %{{.*}}, %{{.*}} : vector<8xi32>, vector<32xi8>, vector<16xi16>
// LOWER-LABEL: func.func @dot_wide
// LOWER-SAME: %[[A:.*]]: vector<8xi32>, %[[U:.*]]: vector<32xi8>, %[[EVEN:.*]]: vector<16xi16>, %[[ODD:.*]]: vector<16xi16>
// LOWER: %[[W:.*]] = vector.bitcast %[[U]]
// LOWER: %[[LOW:.*]] = arith.andi %[[W]]
// LOWER: %[[P:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%[[LOW]], %[[EVEN]])
// LOWER: arith.addi %[[A]], %[[P]]
// LOWER: %[[HIGH:.*]] = arith.shrui %[[W]]
// LOWER: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%[[HIGH]], %[[ODD]])
func.func @dot_wide(%a: vector<8xi32>, %u: vector<32xi8>, %even: vector<16xi16>, %odd: vector<16xi16>) -> vector<8xi32> attributes {qk_kernel.level = "avx2"} {
  %0 = qk_kernel.dot_wide %a, %u, %even, %odd : vector<8xi32>, vector<32xi8>, vector<16xi16>
  return %0 : vector<8xi32>
}

// LOWER-LABEL: func.func @dot_wide_portable
// LOWER-NOT: llvm.
// LOWER-COUNT-4: arith.muli {{.*}} : vector<2xi32>
func.func @dot_wide_portable(%a: vector<2xi32>, %u: vector<8xi8>, %even: vector<4xi16>, %odd: vector<4xi16>) -> vector<2xi32> {
  %0 = qk_kernel.dot_wide %a, %u, %even, %odd : vector<2xi32>, vector<8xi8>, vector<4xi16>
  return %0 : vector<2xi32>
}

// Without a level, and for vectors that a level has no instruction for, the
// portable form.
// LOWER-LABEL: func.func @dot_portable
// LOWER-NOT: llvm.
// LOWER-COUNT-4: arith.muli
func.func @dot_portable(%a: vector<8xi32>, %u: vector<32xi8>, %s: vector<32xi8>) -> vector<8xi32> {
  %0 = qk_kernel.dot %a, %u, %s : vector<8xi32>, vector<32xi8>
  return %0 : vector<8xi32>
}
// LOWER-LABEL: func.func @dot_other_width
// LOWER-NOT: llvm.call
// LOWER-COUNT-4: arith.muli
func.func @dot_other_width(%a: vector<4xi32>, %u: vector<16xi8>, %s: vector<16xi8>) -> vector<4xi32> attributes {qk_kernel.level = "avx512-vnni"} {
  %0 = qk_kernel.dot %a, %u, %s : vector<4xi32>, vector<16xi8>
  return %0 : vector<4xi32>
}

// CHECK-LABEL: func.func @pairs
// CHECK: qk_kernel.dot_pairs %{{.*}}, %{{.*}}, %{{.*}} : vector<16xi16>, vector<32xi8>
// CHECK: qk_kernel.add_pairs %{{.*}}, %{{.*}} : vector<8xi32>, vector<16xi16>
// CHECK: qk_kernel.add_pairs %{{.*}}, %{{.*}} times 256 : vector<8xi32>, vector<16xi16>
// LOWER-LABEL: func.func @pairs
// LOWER: %[[P:.*]] = llvm.call_intrinsic "llvm.x86.avx2.pmadd.ub.sw"
// LOWER: %[[ACC:.*]] = llvm.inline_asm "", "=x,0"
// LOWER: %[[S:.*]] = arith.addi %[[ACC]], %[[P]] : vector<16xi16>
// LOWER: %[[ONE:.*]] = arith.constant dense<1> : vector<16xi16>
// LOWER: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%[[S]], %[[ONE]])
// LOWER: %[[FACTOR:.*]] = arith.constant dense<256> : vector<16xi16>
// LOWER: llvm.call_intrinsic "llvm.x86.avx2.pmadd.wd"(%[[S]], %[[FACTOR]])
func.func @pairs(%a: vector<16xi16>, %u: vector<32xi8>, %s: vector<32xi8>, %b: vector<8xi32>) -> vector<8xi32> attributes {qk_kernel.level = "avx2"} {
  %0 = qk_kernel.dot_pairs %a, %u, %s : vector<16xi16>, vector<32xi8>
  %1 = qk_kernel.add_pairs %b, %0 : vector<8xi32>, vector<16xi16>
  %2 = qk_kernel.add_pairs %1, %0 times 256 : vector<8xi32>, vector<16xi16>
  return %2 : vector<8xi32>
}

// Elsewhere each half of a lane is widened where it is.
// LOWER-LABEL: func.func @pairs_portable
// LOWER-NOT: llvm.
// LOWER-COUNT-2: arith.muli {{.*}} : vector<4xi16>
// LOWER-COUNT-2: arith.addi {{.*}} : vector<2xi32>
// LOWER: %[[THREE:.*]] = arith.constant dense<3> : vector<2xi32>
// LOWER-NEXT: arith.muli %{{.*}}, %[[THREE]]
func.func @pairs_portable(%a: vector<4xi16>, %u: vector<8xi8>, %s: vector<8xi8>, %b: vector<2xi32>) -> vector<2xi32> {
  %0 = qk_kernel.dot_pairs %a, %u, %s : vector<4xi16>, vector<8xi8>
  %1 = qk_kernel.add_pairs %b, %0 : vector<2xi32>, vector<4xi16>
  %2 = qk_kernel.add_pairs %1, %0 times 3 : vector<2xi32>, vector<4xi16>
  return %2 : vector<2xi32>
}

// NEON shifts bytes: a high nibble is alone.
// LOWER-LABEL: func.func @unpack4_neon
// LOWER-SAME: %[[W:.*]]: vector<16xi8>
// LOWER: %[[LO:.*]] = arith.andi %[[W]], %{{.*}} : vector<16xi8>
// LOWER: %[[HI:.*]] = arith.shrui %[[W]], %{{.*}} : vector<16xi8>
// LOWER-NEXT: return %[[LO]], %[[HI]]
func.func @unpack4_neon(%w: vector<16xi8>) -> (vector<16xi8>, vector<16xi8>) attributes {qk_kernel.level = "neon-dotprod"} {
  %0:2 = qk_kernel.unpack 4 %w : vector<16xi8> -> 2
  return %0#0, %0#1 : vector<16xi8>, vector<16xi8>
}

// The third bit is inserted above two; what is above it is masked, but for the
// last field, where nothing is.
// LOWER-LABEL: func.func @unpack3_neon
// LOWER: llvm.call_intrinsic "llvm.aarch64.neon.vsli"
// LOWER-NEXT: dense<7>
// LOWER-NEXT: arith.andi
// LOWER-COUNT-7: llvm.call_intrinsic "llvm.aarch64.neon.vsli"
// LOWER-NEXT: return
func.func @unpack3_neon(%a: vector<16xi8>, %b: vector<16xi8>, %h: vector<16xi8>) -> (vector<16xi8>, vector<16xi8>) attributes {qk_kernel.level = "neon-i8mm"} {
  %0:8 = qk_kernel.unpack 3 %a, %b, %h : vector<16xi8> -> 8
  return %0#0, %0#7 : vector<16xi8>, vector<16xi8>
}

// CHECK-LABEL: func.func @dot_signed
// CHECK: qk_kernel.dot %{{.*}}, %{{.*}} signed, %{{.*}} : vector<4xi32>, vector<16xi8>
// LOWER-LABEL: func.func @dot_signed
// LOWER: llvm.call_intrinsic "llvm.aarch64.neon.sdot"
func.func @dot_signed(%a: vector<4xi32>, %u: vector<16xi8>, %s: vector<16xi8>) -> vector<4xi32> attributes {qk_kernel.level = "neon-dotprod"} {
  %0 = qk_kernel.dot %a, %u signed, %s : vector<4xi32>, vector<16xi8>
  return %0 : vector<4xi32>
}

// Where there is no such instruction both are shifted with their sign.
// LOWER-LABEL: func.func @dot_signed_portable
// LOWER-NOT: llvm.
// LOWER-NOT: arith.shrui
// LOWER-COUNT-4: arith.muli
func.func @dot_signed_portable(%a: vector<8xi32>, %u: vector<32xi8>, %s: vector<32xi8>) -> vector<8xi32> attributes {qk_kernel.level = "avx2"} {
  %0 = qk_kernel.dot %a, %u signed, %s : vector<8xi32>, vector<32xi8>
  return %0 : vector<8xi32>
}

// sdot has no unsigned operand, and usdot came later.
// LOWER-LABEL: func.func @dot_dotprod
// LOWER-NOT: llvm.
// LOWER-COUNT-4: arith.muli
func.func @dot_dotprod(%a: vector<4xi32>, %u: vector<16xi8>, %s: vector<16xi8>) -> vector<4xi32> attributes {qk_kernel.level = "neon-dotprod"} {
  %0 = qk_kernel.dot %a, %u, %s : vector<4xi32>, vector<16xi8>
  return %0 : vector<4xi32>
}
// LOWER-LABEL: func.func @dot_i8mm
// LOWER: llvm.call_intrinsic "llvm.aarch64.neon.usdot"
func.func @dot_i8mm(%a: vector<4xi32>, %u: vector<16xi8>, %s: vector<16xi8>) -> vector<4xi32> attributes {qk_kernel.level = "neon-i8mm"} {
  %0 = qk_kernel.dot %a, %u, %s : vector<4xi32>, vector<16xi8>
  return %0 : vector<4xi32>
}

// CHECK-LABEL: func.func @blocks
// CHECK: qk_kernel.dot_blocks %{{.*}}, %{{.*}}, %{{.*}} : vector<4xi32>, vector<16xi8>
// LOWER-LABEL: func.func @blocks
// LOWER: llvm.call_intrinsic "llvm.aarch64.neon.usmmla"
func.func @blocks(%a: vector<4xi32>, %u: vector<16xi8>, %s: vector<16xi8>) -> vector<4xi32> attributes {qk_kernel.level = "neon-i8mm"} {
  %0 = qk_kernel.dot_blocks %a, %u, %s : vector<4xi32>, vector<16xi8>
  return %0 : vector<4xi32>
}

// Elsewhere four bytes of each row at a time: lane [i][j] of a block takes row i
// of one and row j of the other.
// LOWER-LABEL: func.func @blocks_portable
// LOWER-SAME: vector<8xi32>, %[[U:.*]]: vector<32xi8>, %[[S:.*]]: vector<32xi8>
// LOWER: %[[L:.*]] = vector.bitcast %[[U]]
// LOWER: %[[R:.*]] = vector.bitcast %[[S]]
// LOWER: vector.shuffle %[[L]], %[[L]] [0, 0, 2, 2, 4, 4, 6, 6]
// LOWER: vector.shuffle %[[R]], %[[R]] [0, 2, 0, 2, 4, 6, 4, 6]
// LOWER-COUNT-4: arith.muli
// LOWER: vector.shuffle %[[L]], %[[L]] [1, 1, 3, 3, 5, 5, 7, 7]
// LOWER: vector.shuffle %[[R]], %[[R]] [1, 3, 1, 3, 5, 7, 5, 7]
// LOWER-COUNT-4: arith.muli
func.func @blocks_portable(%a: vector<8xi32>, %u: vector<32xi8>, %s: vector<32xi8>) -> vector<8xi32> {
  %0 = qk_kernel.dot_blocks %a, %u, %s : vector<8xi32>, vector<32xi8>
  return %0 : vector<8xi32>
}
