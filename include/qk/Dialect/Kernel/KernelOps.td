//===- KernelOps.td - Kernel ops ---------------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_KERNEL_KERNELOPS_TD
#define QK_DIALECT_KERNEL_KERNELOPS_TD

include "mlir/IR/OpBase.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

def QKKernel_Dialect : Dialect {
  let name = "qk_kernel";
  let cppNamespace = "::qk::kernel";
  let summary = "What a generated kernel needs and upstream dialects lack";
  let description = [{
    The kernel builders emit `vector`, `arith`, `scf` and `memref` ops and the
    few ops here, each of which has one lowering per target. The level that an
    op is lowered for is the string attribute `qk_kernel.level` of the function
    around it (`portable`, `avx2`, `avx-vnni`, `avx512-vnni`, `neon-dotprod`,
    `neon-i8mm`; absent means `portable`). The pass `qk-kernel-lower` applies the lowerings.
  }];
}

class QKKernel_Op<string mnemonic, list<Trait> traits = []>
    : Op<QKKernel_Dialect, mnemonic, traits>;

def QKKernel_CodeVector : FixedVectorOfRankAndType<[1], [I8]>;
def QKKernel_WordVector : FixedVectorOfRankAndType<[1], [I32]>;

def QKKernel_UnpackOp : QKKernel_Op<"unpack", [Pure]> {
  let summary = "sub-byte codes of a packed unit, one byte a code";
  let description = [{
    Takes the planes of one unit and gives its fields in the order of K; field
    `f` holds the codes `4*f … 4*f+3` of every channel, as unsigned bytes:

    | bits | planes | fields | field f |
    |------|--------|--------|---------|
    | 2    | 1      | 4      | `(p0 >> 2f) & 3` |
    | 3    | 3      | 8      | `(p(f/4) >> 2(f%4)) & 3 \| ((p2 >> f) & 1) << 2` |
    | 4    | 1      | 2      | `(p0 >> 4f) & 15` |
    | 8    | 1      | 1      | `p0` |

    With `in_place` (bits = 2 or 4) field f is not shifted down: it is its code
    times `2^(bits*f)`, which saves the shift where the user corrects the sum.

    ```mlir
    func.func @unpack(%w: vector<64xi8>) -> (vector<64xi8>, vector<64xi8>) {
      %lo, %hi = qk_kernel.unpack 4 %w : vector<64xi8> -> 2
      return %lo, %hi : vector<64xi8>, vector<64xi8>
    }
    ```

    Constraints:
    - (C1) `bits` is 2, 3, 4 or 8.
    - (C2) there are as many operands as the width has planes.
    - (C3) there are as many results as the width has fields, of the operands'
      type.
    - (C4) `in_place` goes with 2 or 4 bits.
  }];
  let arguments = (ins I64Attr:$bits, Variadic<QKKernel_CodeVector>:$planes,
                   UnitAttr:$in_place);
  let results = (outs Variadic<QKKernel_CodeVector>:$fields);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let builders = [OpBuilder<(ins "int64_t":$bits, "::mlir::ValueRange":$planes,
                                 CArg<"bool", "false">:$inPlace)>];
  let extraClassDeclaration = [{
    /// Planes and fields of a unit of codes of `bits` bits; 0: no such width.
    static int64_t planesOf(int64_t bits);
    static int64_t fieldsOf(int64_t bits);
  }];
}

def QKKernel_PairVector : FixedVectorOfRankAndType<[1], [I16]>;

def QKKernel_DotOp : QKKernel_Op<"dot", [
    Pure, AllTypesMatch<["acc", "result"]>,
    AllTypesMatch<["lhs", "rhs"]>]> {
  let summary = "four-way dot product of u8 and s8, added to i32 lanes";
  let description = [{
    `result[i] = acc[i] + sum_j zext(lhs[4i+j]) * sext(rhs[4i+j])`, j = 0 … 3,
    modulo 2^32; nothing saturates. `vpdpbusd` or `usdot` where there is one.
    With `lhs_signed` both are signed (`sdot`); bytes below 128 are the same
    either way.

    ```mlir
    func.func @dot(%acc: vector<16xi32>, %u8: vector<64xi8>, %s8: vector<64xi8>) -> vector<16xi32> {
      %r = qk_kernel.dot %acc, %u8, %s8 : vector<16xi32>, vector<64xi8>
      return %r : vector<16xi32>
    }
    ```

    Constraints:
    - (C1) the operands of the product have four times as many lanes as the
      accumulator.
  }];
  let arguments = (ins QKKernel_WordVector:$acc, QKKernel_CodeVector:$lhs,
                   QKKernel_CodeVector:$rhs, UnitAttr:$lhs_signed);
  let results = (outs QKKernel_WordVector:$result);
  let assemblyFormat = "$acc `,` $lhs (`signed` $lhs_signed^)? `,` $rhs "
                       "attr-dict `:` type($acc) `,` type($lhs)";
  let hasVerifier = 1;
}

def QKKernel_DotBlocksOp : QKKernel_Op<"dot_blocks", [
    Pure, AllTypesMatch<["acc", "result"]>,
    AllTypesMatch<["lhs", "rhs"]>]> {
  let summary = "dots of eight u8 and eight s8, two by two, added to i32 blocks";
  let description = [{
    Every 16 bytes of `lhs` and `rhs` are two rows of eight, every four lanes of
    the accumulator a block of 2x2:
    `result[i][j] = acc[i][j] + sum_k zext(lhs[i][k]) * sext(rhs[j][k])`, k = 0
    … 7, modulo 2^32; nothing saturates. `usmmla` where there is one.

    ```mlir
    func.func @blocks(%acc: vector<4xi32>, %u8: vector<16xi8>, %s8: vector<16xi8>) -> vector<4xi32> {
      %r = qk_kernel.dot_blocks %acc, %u8, %s8 : vector<4xi32>, vector<16xi8>
      return %r : vector<4xi32>
    }
    ```

    Constraints:
    - (C1) the operands of the product have four times as many lanes as the
      accumulator, which has whole blocks.
  }];
  let arguments = (ins QKKernel_WordVector:$acc, QKKernel_CodeVector:$lhs,
                   QKKernel_CodeVector:$rhs);
  let results = (outs QKKernel_WordVector:$result);
  let assemblyFormat =
      "$acc `,` $lhs `,` $rhs attr-dict `:` type($acc) `,` type($lhs)";
  let hasVerifier = 1;
}

def QKKernel_DotWideOp : QKKernel_Op<"dot_wide", [
    Pure, AllTypesMatch<["acc", "result"]>,
    AllTypesMatch<["even", "odd"]>]> {
  let summary = "four-way dot product of u8 and s16, added to i32 lanes";
  let description = [{
    `result[i] = acc[i] + zext(codes[4i]) * sext(even[2i]) + zext(codes[4i+1]) *
    sext(odd[2i]) + zext(codes[4i+2]) * sext(even[2i+1]) + zext(codes[4i+3]) *
    sext(odd[2i+1])`, modulo 2^32: the even and the odd bytes of a lane are
    apart as one mask and one shift leave them. Two `vpmaddwd` with AVX2, which
    take s16 whole, where dots of bytes would take its halves one by one.

    ```mlir
    func.func @dot_wide(%acc: vector<8xi32>, %codes: vector<32xi8>, %even: vector<16xi16>, %odd: vector<16xi16>) -> vector<8xi32> {
      %r = qk_kernel.dot_wide %acc, %codes, %even, %odd : vector<8xi32>, vector<32xi8>, vector<16xi16>
      return %r : vector<8xi32>
    }
    ```

    Constraints:
    - (C1) there are four times as many codes as lanes of the accumulator.
    - (C2) there are twice as many even (and odd) elements as lanes of the
      accumulator.
  }];
  let arguments = (ins QKKernel_WordVector:$acc, QKKernel_CodeVector:$codes,
                   QKKernel_PairVector:$even, QKKernel_PairVector:$odd);
  let results = (outs QKKernel_WordVector:$result);
  let assemblyFormat = [{
    $acc `,` $codes `,` $even `,` $odd attr-dict `:` type($acc) `,`
    type($codes) `,` type($even)
  }];
  let hasVerifier = 1;
}

def QKKernel_DotPairsOp : QKKernel_Op<"dot_pairs", [
    Pure, AllTypesMatch<["acc", "result"]>,
    AllTypesMatch<["lhs", "rhs"]>]> {
  let summary = "two-way dot product of u7 and s8, added to i16 lanes";
  let description = [{
    `result[i] = acc[i] + zext(lhs[2i]) * sext(rhs[2i]) + zext(lhs[2i+1]) *
    sext(rhs[2i+1])`, modulo 2^16, for bytes of lhs of at most 127: with those a
    pair of products fits 16 bits, and nothing saturates. `vpmaddubsw` where
    there is one. Codes of up to 4 bits are far below 127, and several products
    fit before `add_pairs` must take the sums to 32 bits.

    ```mlir
    func.func @dot_pairs(%acc: vector<16xi16>, %u7: vector<32xi8>, %s8: vector<32xi8>) -> vector<16xi16> {
      %r = qk_kernel.dot_pairs %acc, %u7, %s8 : vector<16xi16>, vector<32xi8>
      return %r : vector<16xi16>
    }
    ```

    Constraints:
    - (C1) the operands of the product have twice as many lanes as the
      accumulator.
  }];
  let arguments = (ins QKKernel_PairVector:$acc, QKKernel_CodeVector:$lhs,
                   QKKernel_CodeVector:$rhs);
  let results = (outs QKKernel_PairVector:$result);
  let assemblyFormat =
      "$acc `,` $lhs `,` $rhs attr-dict `:` type($acc) `,` type($lhs)";
  let hasVerifier = 1;
}

def QKKernel_AddPairsOp : QKKernel_Op<"add_pairs", [
    Pure, AllTypesMatch<["acc", "result"]>]> {
  let summary = "neighbouring i16 lanes, added to i32 lanes";
  let description = [{
    `result[i] = acc[i] + factor * (sext(pairs[2i]) + sext(pairs[2i+1]))`,
    modulo 2^32. The factor is one of 16 bits, which costs nothing:
    `vpmaddwd` multiplies by one that has to be there anyway.

    ```mlir
    func.func @add_pairs(%acc: vector<8xi32>, %pairs: vector<16xi16>) -> vector<8xi32> {
      %r = qk_kernel.add_pairs %acc, %pairs : vector<8xi32>, vector<16xi16>
      return %r : vector<8xi32>
    }
    ```

    Constraints:
    - (C1) there are twice as many lanes of pairs as of the accumulator.
  }];
  let arguments = (ins QKKernel_WordVector:$acc, QKKernel_PairVector:$pairs,
                       DefaultValuedAttr<I16Attr, "1">:$factor);
  let results = (outs QKKernel_WordVector:$result);
  let assemblyFormat =
      "$acc `,` $pairs (`times` $factor^)? attr-dict `:` type($acc) `,` type($pairs)";
  let hasVerifier = 1;
}

#endif // QK_DIALECT_KERNEL_KERNELOPS_TD
