//===- QuantLLMBase.td - The quant_llm dialect -------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_DIALECT_QUANTLLM_IR_QUANTLLMBASE_TD
#define QK_DIALECT_QUANTLLM_IR_QUANTLLMBASE_TD

include "mlir/IR/OpBase.td"
include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/EnumAttr.td"
include "mlir/Interfaces/SideEffectInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"

def QuantLLM_Dialect : Dialect {
  let name = "quant_llm";
  let summary = "Quantisation of linear layers as a program";
  let description = [{
    A float linear layer (`quant_llm.linear`) is rewritten by a method
    (round-to-nearest, GPTQ, AWQ, SmoothQuant) into a *recipe*: a small program
    of pure ops over parameters and statistics that ends in `quant_llm.matmul`
    on codes, scales and zero points. Methods chain because each only writes or
    rewrites the recipe. One pass, `quant-llm-evaluate`, computes the constant
    part with the numerical core; folders and canonicalisation never do.

    Conventions, for all ops:
    - weights are [N,K] (output channels, input channels); x is [..., K];
    - codes are [N,K] in a signless iN whose signedness the scheme says;
      scales and zero points are [N,G] with G = ceil(K/g) groups of g columns,
      the last possibly shorter;
    - round() is half to even; sums of products are accumulated in f32;
    - zero points are integers in the code's domain; absent means 2^(b-1) for
      uN and 0 for sN;
    - statistics are over the tokens that the layer saw while a model ran on
      calibration samples.

    The module attribute `quant_llm.weights` is a dictionary from a parameter's
    scope to the safetensors file that holds it.
  }];
  let cppNamespace = "::qk::quant_llm";
  let useDefaultAttributePrinterParser = 1;
  let hasOperationAttrVerify = 1;
  let extraClassDeclaration = [{
    /// Weight files that modules of this context refer to, opened once.
    ::qk::storage::ParameterStore &getStore() { return *store; }

    void registerAttributes();
    void registerOps();

    /// Module attribute: dictionary scope -> path of a safetensors file,
    /// relative to the module's file, or absolute.
    static constexpr ::llvm::StringLiteral kWeightsAttr = "quant_llm.weights";
    /// Module attribute: which inputs to calibrate on, or a statistics file:
    /// a dictionary with `inputs` or `stats`.
    static constexpr ::llvm::StringLiteral kCalibrationAttr =
        "quant_llm.calibration";
    /// Module attribute (unit): the evaluate that qk-opt appends keeps the
    /// recipe as it is.
    static constexpr ::llvm::StringLiteral kRecipeOnlyAttr =
        "quant_llm.recipe_only";
    /// Module attribute of a lowered module: where each external symbol's
    /// bytes are.
    static constexpr ::llvm::StringLiteral kExternalsAttr =
        "quant_llm.externals";
    /// Module attribute: settings of evaluate that a method's options gave
    /// (where to write weights and the report, what to do without tokens).
    static constexpr ::llvm::StringLiteral kEvaluateAttr =
        "quant_llm.evaluate";
    /// On a `quantize`: the symbol of the kernel that computes it, once it has
    /// been chosen. The reference lowering leaves it alone.
    static constexpr ::llvm::StringLiteral kKernelAttr = "quant_llm.kernel";

  private:
    std::shared_ptr<::qk::storage::ParameterStore> store;

  public:
  }];
}

class QuantLLM_Op<string mnemonic, list<Trait> traits = []>
    : Op<QuantLLM_Dialect, mnemonic, traits>;

// A pure op; a method's recipe is made of these.
class QuantLLM_PureOp<string mnemonic, list<Trait> traits = []>
    : QuantLLM_Op<mnemonic, traits # [Pure]>;

def QuantLLM_Float : AnyTypeOf<[F32, F16, BF16], "f32, f16 or bf16">;
def QuantLLM_FloatTensor : RankedTensorOf<[F32, F16, BF16]>;
def QuantLLM_Weight : 2DTensorOf<[F32, F16, BF16]>;
def QuantLLM_Vector : 1DTensorOf<[F32, F16, BF16]>;
def QuantLLM_Factors : 1DTensorOf<[F32]>;
def QuantLLM_Hessian : 2DTensorOf<[F32]>;
def QuantLLM_Codes : 2DTensorOf<[I<2>, I<3>, I<4>, I<8>]>;
def QuantLLM_ZeroPoints : 2DTensorOf<[I8, I16]>;
def QuantLLM_Permutation : 1DTensorOf<[I32]>;

#endif // QK_DIALECT_QUANTLLM_IR_QUANTLLMBASE_TD
