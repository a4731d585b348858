//===- LayerPaths.h - Names of weights as paths -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// One weight has many spellings: `model.layers.0.q_proj.weight` in a
/// checkpoint of PyTorch, `params/layers_0/q_proj/kernel` or
/// `['layers'][0]['q_proj']['kernel']` in one of JAX, and
/// `p['layers'][0]['q_proj']['kernel']` as the location of a function's
/// argument. All are paths.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_BINDING_LAYERPATHS_H
#define QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_BINDING_LAYERPATHS_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"

#include <string>

namespace qk::quant_llm {

using LayerPath = llvm::SmallVector<std::string, 8>;

/// The components of a name: separated by `.` or `/`, or written as subscripts;
/// with `splitNumbers`, `layers_0` is two, as `layers.0` is.
LayerPath parsePath(llvm::StringRef name, bool splitNumbers = true);

/// How near two paths are; a smaller rank is nearer.
enum class PathMatch {
  /// The same components.
  Equal,
  /// The same but for what the last one calls the weight itself (`weight`,
  /// `kernel`, `embedding`, `scale`, or nothing).
  SameLayer,
  /// One is the end of the other, the last component as above.
  Suffix,
  None
};
PathMatch matchPaths(llvm::ArrayRef<std::string> a,
                     llvm::ArrayRef<std::string> b);

/// What the layer of the weight called `name` is called: `name` as a dotted
/// path less `weight` or `kernel`. Empty for a dotted name that doesn't end in
/// one of these, which may be anything.
std::string layerName(llvm::StringRef name);

/// Whether an exporter made `name` up: `torch_tensor_64_64_torch.float32`,
/// `onnx::MatMul_123`, `const_0`, `val_12`.
bool isHandle(llvm::StringRef name);

/// Whether `name` is that of a language model's head or of its weight.
bool isHeadName(llvm::StringRef name);

} // namespace qk::quant_llm

#endif // QK_LIB_DIALECT_QUANTLLM_TRANSFORMS_BINDING_LAYERPATHS_H
