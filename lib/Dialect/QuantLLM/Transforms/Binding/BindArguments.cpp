//===- BindArguments.cpp - Weights that are a function's arguments --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// JAX exports a model's weights as arguments. What they are is only in their
/// locations: `loc("params['layers'][0]['q_proj']['kernel']")`.
///
//===----------------------------------------------------------------------===//

#include "Binding.h"

#include "../Raising/Functions.h"
#include "LayerPaths.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/ADT/BitVector.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

/// What an argument's location calls it; empty for one that doesn't.
static StringRef getLocationName(BlockArgument argument) {
  auto name = argument.getLoc()->findInstanceOf<NameLoc>();
  return name ? name.getName().strref() : StringRef();
}

/// How the tensor of an argument lies to it.
enum class Orientation { AsIs, Transposed, Unknown };

/// Whether a tensor, known by a path that isn't the argument's own, can stand
/// for an argument of `type`, and how: by its shape and, where that is square,
/// by which of the two is flax's `kernel`, [K,N], and which PyTorch's `weight`,
/// [N,K].
static std::optional<Orientation>
getOrientation(RankedTensorType type, const LayerPath &path,
               const storage::TensorView &tensor, PathMatch match) {
  if (getDataType(type.getElementType()) != tensor.type)
    return std::nullopt;
  bool asIs = hasShape(type, tensor, false);
  bool transposed = hasShape(type, tensor, true);
  if (!asIs && !transposed)
    return std::nullopt;
  if (!asIs || !transposed)
    return asIs ? Orientation::AsIs : Orientation::Transposed;
  LayerPath other = parsePath(tensor.name);
  if (match == PathMatch::Equal || path.back() == other.back())
    return Orientation::AsIs;
  if ((path.back() == "kernel" && other.back() == "weight") ||
      (path.back() == "weight" && other.back() == "kernel"))
    return Orientation::Transposed;
  return Orientation::Unknown;
}

namespace {

/// The arguments of one function.
class ArgumentBinder {
public:
  ArgumentBinder(BindingContext &context, FunctionOpInterface function,
                 bool isOnlyPublic)
      : context(context), function(function), isOnlyPublic(isOnlyPublic) {}
  LogicalResult run();

private:
  /// A tensor for an argument, found by its path.
  struct Found {
    ParameterBinding binding;
    Orientation orientation = Orientation::AsIs;
  };
  FailureOr<std::optional<Found>> find(BlockArgument argument);
  FailureOr<std::optional<Found>> findByPath(BlockArgument argument,
                                             StringRef name);
  InFlightDiagnostic remark(BlockArgument argument);
  LogicalResult eraseArguments(const llvm::BitVector &bound);

  BindingContext &context;
  FunctionOpInterface function;
  bool isOnlyPublic;
  /// How tensors of another spelling lie to their arguments, of those whose
  /// shape says it.
  unsigned asIs = 0, transposed = 0;
};

} // namespace

InFlightDiagnostic ArgumentBinder::remark(BlockArgument argument) {
  // The argument's own location is no more than its name.
  return emitRemark(function.getLoc())
         << "argument " << argument.getArgNumber() << " of '"
         << function.getName() << "', " << getLocationName(argument)
         << " of type " << argument.getType() << ", stays an argument: ";
}

/// The end of each remark.
static constexpr StringLiteral kSayWhich =
    "; --weight-names=FILE.json can say which tensor it is";

FailureOr<std::optional<ArgumentBinder::Found>>
ArgumentBinder::findByPath(BlockArgument argument, StringRef name) {
  std::optional<Found> result;
  LayerPath path = parsePath(name);
  if (path.empty())
    return result;
  // The first component is what the function calls all its parameters; an
  // argument that is a tensor itself has only that.
  ArrayRef<std::string> inner = ArrayRef<std::string>(path).drop_front();
  bool isTree = !inner.empty();
  FailureOr<const storage::Checkpoint *> checkpoint =
      context.getModel(function.getLoc());
  if (failed(checkpoint))
    return failure();
  auto type = cast<RankedTensorType>(argument.getType());
  SmallVector<Found> best;
  const storage::Parameter *misfit = nullptr;
  PathMatch rank = PathMatch::None;
  for (const storage::Parameter &parameter : (*checkpoint)->tensors()) {
    LayerPath other = parsePath(parameter.tensor.name);
    // `p['w']` is the tensor `p.w` or `w`.
    PathMatch match =
        std::min(matchPaths(path, other),
                 isTree ? matchPaths(inner, other) : PathMatch::None);
    if (match == PathMatch::None || match > rank ||
        (!isTree && match != PathMatch::Equal))
      continue;
    std::optional<Orientation> orientation =
        getOrientation(type, path, parameter.tensor, match);
    if (!orientation) {
      misfit = &parameter;
      continue;
    }
    if (match < rank)
      best.clear();
    rank = match;
    Found found;
    found.binding.scope = kModelScope;
    found.binding.name = parameter.tensor.name.str();
    found.orientation = *orientation;
    best.push_back(found);
  }
  if (best.size() == 1) {
    bool isSquare =
        type.getRank() == 2 && type.getDimSize(0) == type.getDimSize(1);
    if (type.getRank() == 2 && !isSquare && rank != PathMatch::Equal)
      ++(best.front().orientation == Orientation::AsIs ? asIs : transposed);
    result = best.front();
    return result;
  }
  // A tree of arrays is most likely the model's parameters; anything else may
  // well be an input.
  if (!isTree)
    return result;
  InFlightDiagnostic diagnostic = remark(argument) << (*checkpoint)->path();
  if (!best.empty())
    diagnostic << " has " << best.size() << " such tensors, '"
               << best[0].binding.name << "' and '" << best[1].binding.name
               << "'";
  else if (misfit)
    diagnostic << " has '" << misfit->tensor.name << "' as "
               << storage::describe(misfit->tensor.type, misfit->tensor.shape);
  else
    diagnostic << " has no tensor of that name";
  diagnostic << kSayWhich;
  return result;
}

FailureOr<std::optional<ArgumentBinder::Found>>
ArgumentBinder::find(BlockArgument argument) {
  std::optional<Found> result;
  auto type = dyn_cast<RankedTensorType>(argument.getType());
  if (!type || !type.hasStaticShape())
    return result;
  StringRef name = getLocationName(argument);
  std::string number = "arg" + std::to_string(argument.getArgNumber());
  std::string qualified = (function.getName() + "." + number).str();
  if (context.names) {
    SmallVector<StringRef> handles = {qualified};
    if (isOnlyPublic)
      handles.push_back(number);
    if (!name.empty())
      handles.push_back(name);
    for (StringRef handle : handles) {
      const WeightNames::Entry *entry = context.names->find(handle);
      if (!entry)
        continue;
      if (entry->tensor.empty())
        return result;
      FailureOr<ParameterBinding> binding =
          context.getNamed(*entry, handle, type, function.getLoc());
      if (failed(binding))
        return failure();
      result.emplace();
      result->binding = *binding;
      if (binding->transposed)
        result->orientation = Orientation::Transposed;
      return result;
    }
  }
  if (!context.search || name.empty())
    return result;
  return findByPath(argument, name);
}

/// Takes the arguments out of the function's type and of its calls.
LogicalResult ArgumentBinder::eraseArguments(const llvm::BitVector &bound) {
  auto calls = findCalls(context.module, function.getName());
  assert(calls && "checked by bindArguments");
  for (func::CallOp call : *calls)
    call->eraseOperands(bound);
  return function.eraseArguments(bound);
}

LogicalResult ArgumentBinder::run() {
  Block &entry = function.getFunctionBody().front();
  SmallVector<std::optional<Found>> found;
  for (BlockArgument argument : entry.getArguments()) {
    FailureOr<std::optional<Found>> tensor = find(argument);
    if (failed(tensor))
      return failure();
    found.push_back(std::move(*tensor));
  }
  llvm::BitVector bound(entry.getNumArguments());
  OpBuilder builder(function.getContext());
  for (BlockArgument argument : entry.getArguments()) {
    std::optional<Found> &tensor = found[argument.getArgNumber()];
    if (!tensor)
      continue;
    if (tensor->orientation == Orientation::Unknown) {
      // What the others are, it is too.
      if ((asIs == 0) == (transposed == 0)) {
        remark(argument) << "its shape doesn't say whether it is '"
                         << tensor->binding.name << "' or the transpose of it"
                         << kSayWhich;
        continue;
      }
      tensor->orientation =
          asIs == 0 ? Orientation::Transposed : Orientation::AsIs;
    }
    tensor->binding.transposed = tensor->orientation == Orientation::Transposed;
    ConstantTensor constant;
    constant.type = cast<RankedTensorType>(argument.getType());
    constant.bind(tensor->binding);
    builder.setInsertionPointToStart(&entry);
    FailureOr<Value> parameter =
        createParameter(builder, argument.getLoc(), constant, "");
    if (failed(parameter))
      return failure();
    argument.replaceAllUsesWith(*parameter);
    bound.set(argument.getArgNumber());
  }
  if (bound.none())
    return success();
  return eraseArguments(bound);
}

LogicalResult qk::quant_llm::bindArguments(BindingContext &context) {
  if (!context.search && !context.names)
    return success();
  SmallVector<FunctionOpInterface> functions;
  for (const Function &found : findFunctions(context.module)) {
    auto function = dyn_cast<FunctionOpInterface>(found.op);
    // A private function's arguments are what its callers say.
    if (!function || function.isPrivate())
      continue;
    // Something that isn't a call knows its type.
    if (findCalls(context.module, function.getName()))
      functions.push_back(function);
  }
  for (FunctionOpInterface function : functions)
    if (failed(ArgumentBinder(context, function, functions.size() == 1).run()))
      return failure();
  return sinkParameters(context.module);
}
