//===- QuantLLMAttributes.td - Attributes and enums --------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_IR_QUANTLLMATTRIBUTES_TD
#define QK_DIALECT_QUANTLLM_IR_QUANTLLMATTRIBUTES_TD

include "qk/Dialect/QuantLLM/IR/QuantLLMBase.td"

class QuantLLM_Attr<string name, string attrMnemonic>
    : AttrDef<QuantLLM_Dialect, name> {
  let mnemonic = attrMnemonic;
}

def QuantLLM_CodeType : I32Enum<"CodeType", "type of one code of a weight", [
    I32EnumCase<"U2", 0, "u2">, I32EnumCase<"U3", 1, "u3">,
    I32EnumCase<"U4", 2, "u4">, I32EnumCase<"U8", 3, "u8">,
    I32EnumCase<"S8", 4, "s8">, I32EnumCase<"E4M3", 5, "e4m3">]> {
  let cppNamespace = "::qk::quant_llm";
}

def QuantLLM_SchemeAttr : QuantLLM_Attr<"Scheme", "scheme"> {
  let summary = "code type, group size and scale type of a quantised weight";
  let description = [{
    `#quant_llm.scheme<u4, group = 64, scale = f16>`: codes of type u2, u3, u4,
    u8 or s8, or e4m3, the bits of a float of one byte (f8E4M3FN), whose value
    stands where others have an integer; `group` consecutive columns of a row share one scale and zero
    point (`-1`: the whole row; a group longer than the row is the row); scales
    are stored as f16, bf16 or f32.

    Constraints:
    - (C1) group is -1 or at least 1.
    - (C2) scale is f16, bf16 or f32.
  }];
  let parameters = (ins EnumParameter<QuantLLM_CodeType>:$codeType,
                        "int64_t":$group, "::mlir::Type":$scaleType);
  let assemblyFormat = [{
    `<` $codeType `,` `group` `=` $group `,` `scale` `=` $scaleType `>`
  }];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// The same as the numerical core's plain struct.
    ::qk::numerics::Scheme getScheme() const;
    static SchemeAttr get(::mlir::MLIRContext *context,
                          const ::qk::numerics::Scheme &scheme);
    /// The signless integer type of one code, i8 for e4m3.
    ::mlir::IntegerType getStorageType() const;
    /// The integer type of a zero point: i8 up to 4 bits and for s8, i16 for u8;
    /// e4m3 has none.
    ::mlir::IntegerType getZeroPointType() const;
  }];
}

def QuantLLM_PartAttr : QuantLLM_Attr<"Part", "part"> {
  let summary = "some elements of a tensor, or all of them in another order";
  let description = [{
    `#quant_llm.part<offset = 16, sizes = [2, 8], strides = [32, 1]>`: element
    number i of the part, counted row-major over `sizes` as (i0, i1, ...), is
    element number `offset + i0 * strides[0] + i1 * strides[1] + ...` of the
    tensor as it is stored, row-major. A slice of a stack of weights is one, and
    so is a weight stored as heads by K by head size, read as [N,K].

    Constraints:
    - (C1) there is at least one size and as many strides as sizes.
    - (C2) sizes are at least 1, the offset and strides at least 0, and the
      number of the last element fits 63 bits.
  }];
  let parameters = (ins "int64_t":$offset,
                        ArrayRefParameter<"int64_t">:$sizes,
                        ArrayRefParameter<"int64_t">:$strides);
  let assemblyFormat = [{
    `<` `offset` `=` $offset `,` `sizes` `=` `[` $sizes `]` `,`
        `strides` `=` `[` $strides `]` `>`
  }];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// How many elements it has.
    int64_t getNumElements() const;
    /// The largest number of an element of the tensor that is in it.
    int64_t getLast() const;
  }];
}

def QuantLLM_Granularity
    : I32Enum<"Granularity", "what shares one scale of an activation", [
    I32EnumCase<"PerTensor", 0, "per_tensor">,
    I32EnumCase<"PerToken", 1, "per_token">,
    I32EnumCase<"PerTokenGroup", 2, "per_token_group">]> {
  let cppNamespace = "::qk::quant_llm";
}

def QuantLLM_ActivationSchemeAttr
    : QuantLLM_Attr<"ActivationScheme", "activation_scheme"> {
  let summary = "how an activation is quantised";
  let description = [{
    `#quant_llm.activation_scheme<16, per_token_group, group = 64>`: signed
    codes of 8 or 16 bits, symmetric, or of `e4m3`, the bits of a float of one
    byte (f8E4M3FN) in an i8; one scale for the tensor, for a token (the last
    dimension), or for `group` consecutive elements of a token. The largest code
    is 127 for 8 bits and 32639 for 16 bits (so that a code splits into two
    signed bytes, high = (c + 128) >> 8 <= 127), 448 for e4m3.

    Constraints:
    - (C1) bits is 8 or 16, and 8 for e4m3.
    - (C2) group is at least 1 for per_token_group and -1 otherwise.
  }];
  let parameters = (ins "int64_t":$bits,
                        EnumParameter<QuantLLM_Granularity>:$granularity,
                        DefaultValuedParameter<"int64_t", "-1">:$group,
                        DefaultValuedParameter<"bool", "false">:$isFloat);
  let builders = [
    AttrBuilder<(ins "int64_t":$bits, "Granularity":$granularity,
                     "int64_t":$group), [{
      return $_get($_ctxt, bits, granularity, group, /*isFloat=*/false);
    }]>];
  let assemblyFormat = [{
    `<` custom<ActivationCodes>($bits, $isFloat) `,` $granularity
    (`,` `group` `=` $group^)? `>`
  }];
  let genVerifyDecl = 1;
  let extraClassDeclaration = [{
    /// Largest value of a code; they are in [-maxCode, maxCode].
    int64_t getMaxCode() const {
      return getIsFloat() ? 448 : getBits() == 8 ? 127 : 32639;
    }
    /// Scales of a token of `k` elements (1 but for per_token_group).
    int64_t getGroups(int64_t k) const {
      return getGranularity() == Granularity::PerTokenGroup
                 ? (k + getGroup() - 1) / getGroup()
                 : 1;
    }
  }];
}

def QuantLLM_StatisticKind : I32Enum<"StatisticKind", "kind of statistic", [
    I32EnumCase<"Hessian", 0, "hessian">, I32EnumCase<"AbsMax", 1, "absmax">,
    I32EnumCase<"AbsMean", 2, "absmean">, I32EnumCase<"Cross", 3, "cross">,
    I32EnumCase<"Residual", 4, "residual">]> {
  let cppNamespace = "::qk::quant_llm";
}
def QuantLLM_StatisticKindAttr
    : EnumAttr<QuantLLM_Dialect, QuantLLM_StatisticKind, "statistic"> {
  let assemblyFormat = "$value";
}

def QuantLLM_Order : I32Enum<"Order", "order in which columns are rounded", [
    I32EnumCase<"None", 0, "none">,
    I32EnumCase<"Activation", 1, "activation">,
    I32EnumCase<"GroupAware", 2, "group_aware">]> {
  let cppNamespace = "::qk::quant_llm";
}
def QuantLLM_OrderAttr
    : EnumAttr<QuantLLM_Dialect, QuantLLM_Order, "order"> {
  let assemblyFormat = "$value";
}

def QuantLLM_ScaleSearch : I32Enum<"ScaleSearch", "how scales are found", [
    I32EnumCase<"None", 0, "none">, I32EnumCase<"MSE", 1, "mse">,
    I32EnumCase<"Weighted", 2, "weighted">]> {
  let cppNamespace = "::qk::quant_llm";
}
def QuantLLM_ScaleSearchAttr
    : EnumAttr<QuantLLM_Dialect, QuantLLM_ScaleSearch, "scale_search"> {
  let assemblyFormat = "$value";
}

#endif // QK_DIALECT_QUANTLLM_IR_QUANTLLMATTRIBUTES_TD
