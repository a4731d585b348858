//===- BindConstants.cpp - Which parameters constants are -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Binding.h"

#include "../Raising/Functions.h"

#include "qk/Dialect/QuantLLM/IR/ParameterData.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tosa/IR/TosaOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/DenseMap.h"

using namespace mlir;
using namespace qk;
using namespace qk::quant_llm;

/// Literals below this stay what they are, unless a checkpoint has them: small
/// tables, not weights.
static constexpr int64_t kLiteralBytes = 1024;

namespace {

/// A constant in a function.
struct FoundConstant {
  Operation *op;
  ConstantTensor constant;
  Function function;
  /// Positions in the module.
  int64_t position, firstUse;
};

class ConstantBinder {
public:
  explicit ConstantBinder(BindingContext &context) : context(context) {}
  LogicalResult run();

private:
  std::vector<FoundConstant> collect();
  FailureOr<std::optional<ParameterBinding>>
  resolve(const FoundConstant &found);
  FailureOr<std::optional<ParameterBinding>>
  resolveByBytes(const FoundConstant &found);
  FailureOr<std::optional<ParameterBinding>>
  resolveByName(const FoundConstant &found);
  LogicalResult replace(const FoundConstant &found);
  void annotate(const FoundConstant &found, const ParameterBinding &binding);

  BindingContext &context;
  /// Constants of one name or value are one.
  llvm::DenseMap<Attribute, std::optional<ParameterBinding>> resolved;
  /// One value a function and constant, at the function's entry, so that a
  /// weight used twice is one value.
  llvm::DenseMap<std::pair<Block *, Attribute>, Value> values;
  int64_t literals = 0;
};

} // namespace

static bool hasData(ElementsAttr value) {
  auto resource = dyn_cast_or_null<DenseResourceElementsAttr>(value);
  return value && (!resource || resource.getRawHandle().getBlob());
}

/// Whether a constant is made a parameter wherever its bytes are.
static bool isWeight(const ConstantTensor &constant) {
  if (isa_and_present<DenseResourceElementsAttr>(constant.value))
    return true;
  auto dense = dyn_cast_or_null<DenseElementsAttr>(constant.value);
  return dense && !dense.isSplat() && isa<FloatType>(dense.getElementType()) &&
         static_cast<int64_t>(dense.getRawData().size()) >= kLiteralBytes;
}

/// Whether it's worth asking which tensor of the checkpoint holds the same: two
/// equal floats are no accident, two equal integers may be.
static bool isSearchable(const ConstantTensor &constant) {
  if (!hasData(constant.value) || !constant.type.hasStaticShape())
    return false;
  if (isa<DenseResourceElementsAttr>(constant.value))
    return constant.type.getNumElements() > 1;
  auto dense = dyn_cast<DenseElementsAttr>(constant.value);
  return dense && !dense.isSplat() && isa<FloatType>(dense.getElementType());
}

std::vector<FoundConstant> ConstantBinder::collect() {
  std::vector<FoundConstant> constants;
  llvm::DenseMap<Operation *, int64_t> positions;
  for (const Function &function : findFunctions(context.module)) {
    int64_t next = positions.size();
    function.body->walk<WalkOrder::PreOrder>(
        [&](Operation *op) { positions[op] = next++; });
    function.body->walk([&](Operation *op) {
      if (op->getNumResults() != 1)
        return;
      std::optional<ConstantTensor> constant = getConstant(op->getResult(0));
      if (!constant)
        return;
      // Without data or name there is nothing to find out, and codes, scales
      // and zero points are qk's own.
      bool isParameter = isa<ParameterOp>(op);
      if (isParameter && constant->scope != kModelScope &&
          !constant->scope.empty())
        return;
      // As long as nobody names a checkpoint, a parameter is what it says.
      bool named = !hasData(constant->value) &&
                   (!isParameter || context.search || context.names);
      if (!named && !(context.search && isSearchable(*constant)) &&
          !(context.names && !constant->name.empty()) &&
          !(isa<arith::ConstantOp, tosa::ConstOp>(op) && isWeight(*constant)))
        return;
      int64_t firstUse = next;
      for (Operation *user : op->getUsers())
        firstUse = std::min(firstUse, positions.lookup(user));
      constants.push_back(
          {op, std::move(*constant), function, positions[op], firstUse});
    });
  }
  return constants;
}

/// The tensor that a constant's own bytes are.
FailureOr<std::optional<ParameterBinding>>
ConstantBinder::resolveByBytes(const FoundConstant &found) {
  if (!context.search || !isSearchable(found.constant))
    return std::optional<ParameterBinding>();
  FailureOr<const TensorMatcher *> matcher =
      context.getMatcher(found.op->getLoc());
  if (failed(matcher))
    return failure();
  FailureOr<ParameterData> data =
      getElementsData(found.constant.value, [&]() -> InFlightDiagnostic {
        return found.op->emitError() << found.constant.name << ": ";
      });
  if (failed(data))
    return failure();
  SmallVector<TensorMatch> matches =
      (*matcher)->find(found.constant.type, data->bytes);
  if (matches.empty())
    return std::optional<ParameterBinding>();
  const TensorMatch *best = llvm::find_if(matches, [&](const auto &match) {
    return !context.claimed.contains(match.tensor->tensor.name);
  });
  if (best == matches.end())
    best = matches.begin();
  ParameterBinding binding;
  binding.name = best->tensor->tensor.name.str();
  context.claimed.insert(binding.name);
  // A conversion at every run would cost more than the copy does.
  binding.keepsValue = best->converted;
  binding.scope = best->converted ? "" : kModelScope.str();
  binding.transposed = best->transposed && !best->converted;
  return std::optional(binding);
}

/// The tensor called `name` but for components in front, which exporters that
/// wrap the model add (`m.model.norm.weight`), and checkpoints of the whole
/// model have where a part was exported.
static const storage::Parameter *
findByEnd(const storage::Checkpoint &checkpoint, StringRef name,
          RankedTensorType type) {
  for (StringRef rest = name.split('.').second; rest.contains('.');
       rest = rest.split('.').second)
    if (const storage::Parameter *found = checkpoint.find(rest))
      return hasShape(type, found->tensor, /*transposed=*/false) ? found
                                                                 : nullptr;
  if (!name.contains('.'))
    return nullptr;
  const storage::Parameter *only = nullptr;
  for (const storage::Parameter &parameter : checkpoint.tensors()) {
    StringRef candidate = parameter.tensor.name;
    if (!candidate.consume_back(name) || !candidate.ends_with(".") ||
        !hasShape(type, parameter.tensor, /*transposed=*/false))
      continue;
    if (only)
      return nullptr;
    only = &parameter;
  }
  return only;
}

/// The tensor that a constant without data names.
FailureOr<std::optional<ParameterBinding>>
ConstantBinder::resolveByName(const FoundConstant &found) {
  const ConstantTensor &constant = found.constant;
  Location location = found.op->getLoc();
  auto weights = context.module->getAttrOfType<DictionaryAttr>(
      QuantLLMDialect::kWeightsAttr);
  if (!weights)
    return std::optional<ParameterBinding>();
  bool isResource = static_cast<bool>(constant.value);
  for (NamedAttribute entry : weights) {
    if (!isResource && entry.getName() != constant.scope)
      continue;
    auto file = openScope(context.module, entry.getName(), location);
    if (failed(file))
      return failure();
    // As createParameter() will find it.
    if (*file && (*file)->find(constant.name))
      return std::optional<ParameterBinding>();
  }
  FailureOr<const storage::Checkpoint *> model = context.getModel(location);
  if (failed(model))
    return failure();
  const storage::Parameter *tensor =
      *model ? findByEnd(**model, constant.name, constant.type) : nullptr;
  if (!tensor)
    return std::optional<ParameterBinding>();
  ParameterBinding binding;
  binding.scope = kModelScope;
  binding.name = tensor->tensor.name.str();
  return std::optional(binding);
}

FailureOr<std::optional<ParameterBinding>>
ConstantBinder::resolve(const FoundConstant &found) {
  const ConstantTensor &constant = found.constant;
  const WeightNames::Entry *entry = context.names && !constant.name.empty()
                                        ? context.names->find(constant.name)
                                        : nullptr;
  if (!entry || entry->tensor.empty())
    return hasData(constant.value) ? resolveByBytes(found)
                                   : resolveByName(found);
  FailureOr<ParameterBinding> binding = context.getNamed(
      *entry, constant.name, constant.type, found.op->getLoc());
  if (failed(binding))
    return failure();
  if (hasData(constant.value)) {
    // The module's own copy says whether the map is right.
    FailureOr<ParameterData> data =
        getElementsData(constant.value, [&] { return found.op->emitError(); });
    FailureOr<const storage::Checkpoint *> model =
        context.getModel(found.op->getLoc());
    if (failed(data) || failed(model))
      return failure();
    const storage::TensorView &tensor = (*model)->find(binding->name)->tensor;
    if (!TensorMatcher::equals(constant.type, data->bytes, tensor,
                               binding->transposed))
      return found.op->emitError()
             << context.names->path() << ": handle '" << constant.name
             << "' is said to be tensor '" << binding->name
             << (binding->transposed ? "' transposed" : "'")
             << ", but the module has other values for it than "
             << (*model)->path();
    binding->keepsValue =
        getDataType(constant.type.getElementType()) != tensor.type;
    if (binding->keepsValue) {
      binding->scope = "";
      binding->transposed = false;
    }
  }
  return std::optional(*binding);
}

/// Ops of dialects that aren't linked stay as they are until their layer is
/// raised; an attribute says which parameter they are.
void ConstantBinder::annotate(const FoundConstant &found,
                              const ParameterBinding &binding) {
  Operation *op = getConstantOp(found.op);
  op->setAttr(kBindingAttr, binding.toAttr(op->getContext()));
}

LogicalResult ConstantBinder::replace(const FoundConstant &found) {
  Block *entry = &found.function.entry();
  Value value = found.op->getResult(0);
  Attribute key = getConstantKey(value);
  Value &parameter = values[{entry, key}];
  if (!parameter) {
    ConstantTensor constant = found.constant;
    std::optional<ParameterBinding> binding = resolved.lookup(key);
    if (binding)
      constant.bind(*binding);
    std::string literal;
    if (constant.name.empty())
      literal = (found.function.name + ".constant" + Twine(literals++)).str();
    OpBuilder builder(context.module.getContext());
    builder.setInsertionPointToStart(entry);
    FailureOr<Value> made =
        createParameter(builder, found.op->getLoc(), constant, literal);
    if (failed(made))
      return failure();
    parameter = *made;
  }
  value.replaceAllUsesWith(parameter);
  found.op->erase();
  return success();
}

LogicalResult ConstantBinder::run() {
  std::vector<FoundConstant> constants = collect();
  // Of equal tensors in the checkpoint the first used is the first named.
  llvm::sort(constants, [](const auto &a, const auto &b) {
    return std::pair(a.firstUse, a.position) <
           std::pair(b.firstUse, b.position);
  });
  for (const FoundConstant &found : constants) {
    Attribute key = getConstantKey(found.op->getResult(0));
    if (resolved.contains(key))
      continue;
    FailureOr<std::optional<ParameterBinding>> binding = resolve(found);
    if (failed(binding))
      return failure();
    resolved[key] = std::move(*binding);
  }
  // Numbers of what has no name do not depend on uses.
  llvm::sort(constants, [](const auto &a, const auto &b) {
    return a.position < b.position;
  });
  for (const FoundConstant &found : constants) {
    std::optional<ParameterBinding> binding =
        resolved.lookup(getConstantKey(found.op->getResult(0)));
    if (!found.op->isRegistered()) {
      if (binding)
        annotate(found, *binding);
      continue;
    }
    bool isParameter = isa<ParameterOp>(found.op);
    // Bound by an earlier run.
    if (isParameter && binding && binding->scope == found.constant.scope &&
        binding->name == found.constant.name)
      continue;
    // A parameter without data, or a constant with its own, may stay.
    bool must =
        !isParameter && (!hasData(found.constant.value) ||
                         (isa<arith::ConstantOp, tosa::ConstOp>(found.op) &&
                          isWeight(found.constant)));
    bool fits = found.op->getResult(0).getType() == found.constant.type;
    if ((binding || must) && fits && failed(replace(found)))
      return failure();
  }
  return success();
}

LogicalResult qk::quant_llm::bindConstants(BindingContext &context) {
  return ConstantBinder(context).run();
}
