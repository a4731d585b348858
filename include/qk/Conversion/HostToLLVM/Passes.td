//===- Passes.td - A tensor module to the LLVM dialect -----*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef QK_CONVERSION_HOSTTOLLVM_PASSES_TD
#define QK_CONVERSION_HOSTTOLLVM_PASSES_TD

include "mlir/Pass/PassBase.td"

def MarkEntryPoints : Pass<"quant-llm-mark-entry-points", "mlir::ModuleOp"> {
  let summary = "Keep the signature of each public function for its callers";
  let description = [{
    Gives every public function with a body the attribute
    `quant_llm.signature`, its type in tensors, and `llvm.emit_c_interface`.
    LLVM types say nothing of shapes; who calls the lowered function (qk-run,
    calibration) checks and builds arguments by this attribute. Names that the
    arguments' locations give them are kept in `quant_llm.argument_names`. Inputs
    are marked as not writable. Runs before bufferization.

    ```mlir
    func.func @main(%x: tensor<?x4xf32>) -> tensor<?x4xf32> {
      return %x : tensor<?x4xf32>
    }
    ```
    ==>
    ```mlir
    func.func @main(%x: tensor<?x4xf32> {bufferization.writable = false}) -> tensor<?x4xf32>
      attributes {llvm.emit_c_interface, quant_llm.signature = (tensor<?x4xf32>) -> tensor<?x4xf32>} {
      return %x : tensor<?x4xf32>
    }
    ```
  }];
}

def CheckKnownOps : Pass<"quant-llm-check-known-ops", "mlir::ModuleOp"> {
  let summary = "Name the ops of other compilers that can't be compiled here";
  let description = [{
    Modules of other compilers are read in generic form, with ops that MLIR 22
    does not know (`tm_tensor.scan`, `stablehlo.custom_call`, `torch.aten.mm`,
    `util.global.load`). Raising, quantising and writing such modules needs
    none of them understood; compiling and calibrating does. This pass runs
    first there and fails with one error for each such op's name: where it is,
    how often it occurs and what to do about it. Any other module stays as it
    is.

    ```mlir
    func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
      return %x : tensor<4xf32>
    }
    ```
  }];
}

def LowerObserve : Pass<"quant-llm-lower-observe", "mlir::ModuleOp"> {
  let summary = "Turn quant_llm.observe into calls of the runtime's observer";
  let description = [{
    The tensor is passed as it is (any rank and strides, read only), with the
    index of the op's layer in the module attribute `quant_llm.observed_layers`,
    which the pass writes. Ops with one layer share a number. Who runs the code
    (calibration) installs an observer and knows by the attribute what it is
    told; where none is installed (qk-run), the call returns at once.

    An `observe` in a loop that may run in parallel is an error: tokens would be
    counted by several threads at once.

    ```mlir
    func.func @main(%x: tensor<?x8xf32>) {
      quant_llm.observe %x of "fc" : tensor<?x8xf32>
      return
    }
    ```
    ==>
    ```mlir
    module attributes {quant_llm.observed_layers = ["fc"]} {
      func.func private @qk_observe_f32(tensor<*xf32> {bufferization.access = "read"}, i64)
        attributes {llvm.emit_c_interface}
      func.func @main(%x: tensor<?x8xf32>) {
        %0 = tensor.cast %x : tensor<?x8xf32> to tensor<*xf32>
        %site = arith.constant 0 : i64
        call @qk_observe_f32(%0, %site) : (tensor<*xf32>, i64) -> ()
        return
      }
    }
    ```
  }];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::func::FuncDialect",
                           "mlir::tensor::TensorDialect"];
}

def SimplifyShapes : Pass<"quant-llm-simplify-shapes", "mlir::func::FuncOp"> {
  let summary = "Undo how exporters write dynamic shapes";
  let description = [{
    torch-mlir writes what it doesn't know at export in forms that later passes
    can't look through. Where the sizes are provably right, this pass rewrites

    - `tensor.reshape` to a computed shape into `expand_shape`/`collapse_shape`;
    - a generic whose body reads `tensor.extract %t[linalg.index ...]` into one
      with %t as an operand, which can be fused;
    - a generic of several results into one without those that nobody uses
      (the index of a maximum).

    What can't be proven stays. Run `int-range-optimizations` and
    `canonicalize` before: they resolve most of the conditions.
  }];
  let dependentDialects = ["mlir::linalg::LinalgDialect",
                           "mlir::tensor::TensorDialect"];
}

def CheckBounds : Pass<"quant-llm-check-bounds", "mlir::func::FuncOp"> {
  let summary = "Assert what a module takes for granted of sizes and indices";
  let description = [{
    A mask that is shorter than its tokens, or a token beyond the vocabulary,
    would make a compiled module read memory that isn't its own: exporters
    assert some of it, TOSA and ONNX nothing. Where it isn't provable, and the
    module doesn't assert it itself, this pass asserts

    - that dimensions which one loop of a linalg op runs over, and those beside
      the joined one of `tensor.concat`, have one size;
    - that an index of `tensor.extract` or `tensor.insert` that comes from data
      is in range. Of a linalg op a loop before it finds one that is not, so that
      the op itself stays as it was; an element that is only ever selected
      (`arith.select`) is read at a clamped index instead;
    - that `extract_slice` and `insert_slice` stay inside their tensor, and that
      what is inserted has the slice's sizes;
    - that the dimensions `tensor.expand_shape` makes of one have its elements.

    Sizes are value-numbered in one walk; what was asserted once at the
    function's top is known from there on. Not checked: indices of linalg ops
    that are not dimensions themselves (a convolution's windows), what is read
    under a condition inside a linalg op's body, in parallel loops, and by an op
    with the attribute `quant_llm.in_range`.

    ```mlir
    func.func @main(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
      %0 = linalg.add ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%a : tensor<?xf32>) -> tensor<?xf32>
      return %0 : tensor<?xf32>
    }
    ```
    ==>
    ```mlir
    func.func @main(%a: tensor<?xf32>, %b: tensor<?xf32>) -> tensor<?xf32> {
      %c0 = arith.constant 0 : index
      %m = tensor.dim %b, %c0 : tensor<?xf32>
      %c0_0 = arith.constant 0 : index
      %n = tensor.dim %a, %c0_0 : tensor<?xf32>
      %equal = arith.cmpi eq, %m, %n : index
      cf.assert %equal, "dimension 0 of argument 1 must have the size of dimension 0 of argument 0 in linalg.add"
      %0 = linalg.add ins(%a, %b : tensor<?xf32>, tensor<?xf32>) outs(%a : tensor<?xf32>) -> tensor<?xf32>
      return %0 : tensor<?xf32>
    }
    ```
  }];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::cf::ControlFlowDialect",
                           "mlir::tensor::TensorDialect"];
}

def NormalizeContractions
    : Pass<"quant-llm-normalize-contractions", "mlir::func::FuncOp"> {
  let summary = "Bring float contractions to one form: f32, nothing transposed";
  let description = [{
    Every contraction (by linalg's ContractionOpInterface) whose operands are
    f16, bf16 or f32 becomes a `linalg.generic` on f32 tensors:

    - transposes and broadcasts that an operand went through become part of
      its indexing map, so that a transposed weight is never copied;
    - f16 and bf16 operands are extended by elementwise generics of their own,
      products are summed in f32 and the result is rounded once.

    f64 and integer contractions stay as they are. `linalg.softmax`, which is
    none, becomes the generics that it stands for.

    ```mlir
    %t = linalg.transpose ins(%w : tensor<8x4xf32>) outs(%e : tensor<4x8xf32>) permutation = [1, 0]
    %y = linalg.matmul ins(%x, %t : ...) outs(%z : ...) -> tensor<?x8xf32>
    ```
    ==>
    ```mlir
    %y = linalg.generic {indexing_maps = [(m, n, k) -> (m, k), (m, n, k) -> (n, k), (m, n, k) -> (m, n)], ...}
           ins(%x, %w : ...) outs(%z : ...)
    ```
  }];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::linalg::LinalgDialect",
                           "mlir::tensor::TensorDialect"];
}

def FuseElementwise : Pass<"quant-llm-fuse-elementwise", "mlir::func::FuncOp"> {
  let summary = "Fuse elementwise operations, leaving contractions alone";
  let description = [{
    Upstream's elementwise fusion, with two differences: nothing is fused into
    a contraction (which is a library call later), and reshapes are folded
    into elementwise operations only.
  }];
  let dependentDialects = ["mlir::affine::AffineDialect",
                           "mlir::linalg::LinalgDialect",
                           "mlir::memref::MemRefDialect",
                           "mlir::tensor::TensorDialect"];
}

def SplitFills : Pass<"quant-llm-split-fills", "mlir::func::FuncOp"> {
  let summary = "Give each user of a fill a fill of its own";
  let description = [{
    CSE leaves one fill with zero for all contractions of a shape; bufferization
    would fill one buffer and copy it for each. Runs just before bufferization.
  }];
}

def ExternalizeConstants
    : Pass<"quant-llm-externalize-constants", "mlir::ModuleOp"> {
  let summary = "Take large constants out of the module's code";
  let description = [{
    A `memref.global` with an initial value of more than `threshold` bytes
    becomes external, and the module attribute `quant_llm.externals` says where
    its bytes are: `{symbol, path, offset, bytes}` in a file, or
    `{symbol, value}` in an attribute. Weights as LLVM constants take minutes and
    gigabytes to compile; who runs the module binds the symbols to mapped
    memory instead.

    A `dense_resource` without data is looked up by its name in `weights`, and
    without that in the module attribute `quant_llm.weights`; its type and
    shape are checked. Runs after bufferization.
  }];
  let options = [
    Option<"threshold", "threshold", "int64_t", "1024",
           "largest constant, in bytes, that stays in the code">,
    ListOption<"weights", "weights", "std::string",
               "safetensors files with the data of named resources">
  ];
  let dependentDialects = ["mlir::memref::MemRefDialect"];
}

def ContractionsToBLAS
    : Pass<"quant-llm-contractions-to-blas", "mlir::ModuleOp"> {
  let summary = "Turn f32 contractions on buffers into calls of qk_sgemm_batch";
  let description = [{
    Dimensions are found by linalg's `inferContractionDims`; operands are passed
    with their strides, so no layout is copied. Dimensions that neither merge
    with a neighbour nor fit the call's batch become loops around the call. A
    fill with zero just before becomes `beta = 0`. Contractions whose output has
    no unit stride stay loops. In a module with the attribute
    `quant_llm.plain_arithmetic` it is `qk_sgemm_ordered_batch`, which sums in
    order.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::func::FuncDialect",
                           "mlir::LLVM::LLVMDialect",
                           "mlir::memref::MemRefDialect",
                           "mlir::scf::SCFDialect"];
}

def LinalgToParallelLoops
    : Pass<"quant-llm-linalg-to-parallel-loops", "mlir::func::FuncOp"> {
  let summary = "Lower linalg on buffers to parallel loops over rows";
  let description = [{
    The outer parallel dimensions of an operation become one `scf.parallel`,
    the innermost dimension and all reductions sequential `scf.for` inside, so
    that the loop vectorizer sees plain loops and no reduction depends on the
    number of threads. Neighbours that work on the same rows share one
    parallel loop: an attention row's softmax stays in the first-level cache.

    Sequential as a whole: operations below `min-work` elements, and bodies that
    can fail (`cf.assert`), whose failure must not happen in a thread team.

    Float sums may be reordered within a row (`reassoc`), as the vectorizer
    needs; the order depends on the machine's vector width only. Not in a module
    with the attribute `quant_llm.plain_arithmetic`.
  }];
  let options = [
    Option<"minWork", "min-work", "int64_t", "4096",
           "elements below which an operation is not worth a thread team">
  ];
  let dependentDialects = ["mlir::affine::AffineDialect",
                           "mlir::arith::ArithDialect",
                           "mlir::linalg::LinalgDialect",
                           "mlir::memref::MemRefDialect",
                           "mlir::scf::SCFDialect"];
}

def OutlineLoops : Pass<"quant-llm-outline-loops", "mlir::ModuleOp"> {
  let summary = "Make equal loops one function";
  let description = [{
    Every loop at a function's top becomes a private function of what it uses,
    and functions that are equal become one: the layers of a model differ in
    their weights only, so that a model of thirty layers is compiled in about
    the time of one. Constants are part of the function. Kernels (functions with
    an attribute `qk_kernel.…`) stay as they are. `quant_llm.loop_kind` says what a
    loop is for, by the math in it, for profiles.

    ```mlir
    func.func @main(%x: memref<8xf32>, %y: memref<8xf32>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c8 = arith.constant 8 : index
      scf.for %i = %c0 to %c8 step %c1 {
        %v = memref.load %x[%i] : memref<8xf32>
        memref.store %v, %y[%i] : memref<8xf32>
      }
      return
    }
    ```
    ==>
    ```mlir
    func.func @main(%x: memref<8xf32>, %y: memref<8xf32>) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c8 = arith.constant 8 : index
      call @main.loop(%x, %y) : (memref<8xf32>, memref<8xf32>) -> ()
      return
    }
    func.func private @main.loop(%x: memref<8xf32>, %y: memref<8xf32>) attributes {llvm.linkage = #llvm.linkage<internal>, passthrough = ["noinline"], quant_llm.loop_kind = "copy"} {
      %c0 = arith.constant 0 : index
      %c8 = arith.constant 8 : index
      %c1 = arith.constant 1 : index
      scf.for %i = %c0 to %c8 step %c1 {
        %v = memref.load %x[%i] : memref<8xf32>
        memref.store %v, %y[%i] : memref<8xf32>
      }
      return
    }
    ```
  }];
  let dependentDialects = ["mlir::func::FuncDialect",
                           "mlir::LLVM::LLVMDialect"];
}

def LowerAsserts : Pass<"quant-llm-lower-asserts", "mlir::ModuleOp"> {
  let summary = "Turn cf.assert into a call of the runtime's qk_assert_fail";
  let description = [{
    Upstream's lowering aborts the process. The runtime's hook lets who runs the
    model report the message, with the location of the assertion where the
    module has one, and go on. Where the condition compares two integers, they
    are told as well (`qk_assert_compare_fail`).
  }];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::func::FuncDialect",
                           "mlir::LLVM::LLVMDialect",
                           "mlir::scf::SCFDialect"];
}

def ExpandMath : Pass<"quant-llm-expand-math", "mlir::func::FuncOp"> {
  let summary = "Write vectorizable math as arithmetic";
  let description = [{
    `exp` of f32 becomes a polynomial in f64, whose result is the nearest f32 as often
    as the C library's is; `log1p` and `expm1` become arithmetic of f64, too (the
    conversion to LLVM would make log(1 + x) and exp(x) - 1 of them, without a
    right place next to 0); powers with small constant exponents become products;
    these functions of f16 and bf16 are computed in f32. (Neither of the first
    two in a module with the attribute `quant_llm.plain_arithmetic`.) All other functions are left to the C library. Conversions between
    f32 and bf16, and divisions that round up or down, become integer arithmetic.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect",
                           "mlir::math::MathDialect",
                           "mlir::vector::VectorDialect"];
}

#endif // QK_CONVERSION_HOSTTOLLVM_PASSES_TD
