// RUN: qk-opt %s --qk-kernel-lower --split-input-file --verify-diagnostics
// One case for each constraint.

func.func @unpack_c1(%w: vector<64xi8>) {
  // expected-error@below {{expected 2, 3, 4 or 8 bits, got 5}}
  %0 = qk_kernel.unpack 5 %w : vector<64xi8> -> 1
  return
}

// -----

func.func @unpack_c2(%w: vector<64xi8>) {
  // expected-error@below {{expected 3 planes for 3 bits, got 1}}
  %0:8 = qk_kernel.unpack 3 %w : vector<64xi8> -> 8
  return
}

// -----

func.func @unpack_c3(%w: vector<64xi8>) {
  // expected-error@below {{expected 2 fields for 4 bits, got 3}}
  %0:3 = qk_kernel.unpack 4 %w : vector<64xi8> -> 3
  return
}

// -----

func.func @unpack_c4(%w: vector<64xi8>) {
  // expected-error@below {{in_place needs 2 or 4 bits, got 8}}
  %0 = qk_kernel.unpack in_place 8 %w : vector<64xi8> -> 1
  return
}

// -----

func.func @unpack_count(%w: vector<64xi8>) {
  // expected-error@below {{expected at most 64 fields, got 100}}
  %0:100 = qk_kernel.unpack 4 %w : vector<64xi8> -> 100
  return
}

// -----

func.func @dot_c1(%a: vector<16xi32>, %u: vector<32xi8>) {
  // expected-error@below {{expected 64 bytes for 16 lanes, got 32}}
  %0 = qk_kernel.dot %a, %u, %u : vector<16xi32>, vector<32xi8>
  return
}

// -----

// expected-error@below {{unknown ISA level 'sse', expected portable, avx2, avx-vnni, avx512-vnni, neon-dotprod or neon-i8mm}}
func.func @level() attributes {qk_kernel.level = "sse"} {
  return
}

// -----

func.func @dot_blocks_c1(%a: vector<4xi32>, %u: vector<32xi8>) {
  // expected-error@below {{expected 16 bytes for 4 lanes, got 32}}
  %0 = qk_kernel.dot_blocks %a, %u, %u : vector<4xi32>, vector<32xi8>
  return
}

// -----

func.func @dot_blocks_c1_lanes(%a: vector<2xi32>, %u: vector<8xi8>) {
  // expected-error@below {{expected blocks of 4 lanes, got 2 lanes}}
  %0 = qk_kernel.dot_blocks %a, %u, %u : vector<2xi32>, vector<8xi8>
  return
}

// -----

func.func @dot_pairs_c1(%a: vector<16xi16>, %u: vector<16xi8>) {
  // expected-error@below {{expected 32 bytes for 16 lanes, got 16}}
  %0 = qk_kernel.dot_pairs %a, %u, %u : vector<16xi16>, vector<16xi8>
  return
}

// -----

func.func @add_pairs_c1(%a: vector<8xi32>, %p: vector<8xi16>) {
  // expected-error@below {{expected 16 lanes of pairs for 8 lanes, got 8}}
  %0 = qk_kernel.add_pairs %a, %p : vector<8xi32>, vector<8xi16>
  return
}

// -----

func.func @dot_wide_c1(%a: vector<8xi32>, %u: vector<16xi8>, %x: vector<16xi16>) {
  // expected-error@below {{expected 32 bytes for 8 lanes, got 16}}
  %0 = qk_kernel.dot_wide %a, %u, %x, %x : vector<8xi32>, vector<16xi8>, vector<16xi16>
  return
}

// -----

func.func @dot_wide_c2(%a: vector<8xi32>, %u: vector<32xi8>, %x: vector<8xi16>) {
  // expected-error@below {{expected 16 even elements for 8 lanes, got 8}}
  %0 = qk_kernel.dot_wide %a, %u, %x, %x : vector<8xi32>, vector<32xi8>, vector<8xi16>
  return
}
