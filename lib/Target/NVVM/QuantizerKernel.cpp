//===- QuantizerKernel.cpp - Activations to 8 bits on the GPU ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// A block has a row. Its threads read the row twice, 16 bytes at a time: for
/// the largest magnitude, which the warps and then the block share, and for the
/// codes. The second time it lies in the L1 cache (a row of 16384 halves is 32
/// KiB), so that global memory is read once and no K needs registers or shared
/// memory of its size.
///
//===----------------------------------------------------------------------===//

#include "qk/Target/NVVM/Quantizer.h"

#include "Kernels.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>

using namespace mlir;

namespace qk::nvvm {

static constexpr int64_t kWarp = 32, kMaxThreads = 256, kMaxBytes = 16;
static constexpr float kMaxCode = 127;

int64_t QuantizerProblem::vector() const {
  int64_t elements = kMaxBytes / elementTypeBytes(type);
  while (k % elements)
    elements /= 2;
  return elements;
}

int64_t QuantizerProblem::threads() const {
  int64_t vectors = k / vector();
  return std::min((vectors + kWarp - 1) / kWarp * kWarp, kMaxThreads);
}

int64_t QuantizerProblem::sharedBytes() const {
  return threads() > kWarp ? threads() / kWarp * 4 : 0;
}

std::string QuantizerProblem::name() const {
  return "qk_quantize_s8_k" + std::to_string(k) + "_x" +
         std::string(elementTypeName(type)) + (hasFactors ? "_divided" : "");
}

namespace {

class QuantizerEmitter {
public:
  QuantizerEmitter(Emitter &e, gpu::GPUFuncOp kernel,
                   const QuantizerProblem &problem)
      : e(e), kernel(kernel), problem(problem), vector(problem.vector()),
        f32(e.getF32Type()) {
    auto arguments = kernel.getBody().getArguments();
    x = arguments[0];
    factors = problem.hasFactors ? arguments[1] : Value();
    codes = arguments[problem.hasFactors ? 2 : 1];
    scales = arguments[problem.hasFactors ? 3 : 2];
  }

  void emit();

private:
  template <typename Body>
  SmallVector<Value> forVectors(ValueRange state, Body body);
  SmallVector<Value> load(Type type, Value pointer, Value index,
                          int64_t elementBytes);
  SmallVector<Value> read(Value index);
  /// |value| (the conversion to NVVM would call libdevice for math.absf).
  Value magnitude(Value value) {
    Value bits = e.bitcast(e.getI32Type(), value);
    return e.bitcast(f32, e.bitAnd(bits, e.i32(0x7fffffff)));
  }
  Value greater(Value a, Value b) {
    return arith::CmpFOp::create(e, arith::CmpFPredicate::OGT, a, b);
  }
  Value larger(Value a, Value b) {
    // Of a number and a NaN, the NaN.
    return arith::MaximumFOp::create(e, a, b);
  }
  Value largestOfBlock(Value largest);
  void writeCodes(Value index, Value scale);

  Emitter &e;
  gpu::GPUFuncOp kernel;
  const QuantizerProblem &problem;
  int64_t vector;
  Type f32;
  Value x, factors, codes, scales;
  Value tid, row;
  /// Of the row: its first element's number.
  Value first;
};

/// body(number of the thread's vector, state) for each of the row.
template <typename Body>
SmallVector<Value> QuantizerEmitter::forVectors(ValueRange state, Body body) {
  return e.loop(tid, e.i32(problem.k / vector), e.i32(problem.threads()), state,
                body);
}

/// The `vector` elements behind `index`, a multiple of it in i64.
SmallVector<Value> QuantizerEmitter::load(Type type, Value pointer, Value index,
                                          int64_t elementBytes) {
  Value from = e.at(pointer, e.mul(index, e.i64(elementBytes)));
  int64_t alignment = std::min(vector * elementBytes, kMaxBytes);
  if (vector == 1)
    return {e.loadConst(type, from, alignment)};
  Value loaded = e.loadConst(VectorType::get({vector}, type), from, alignment);
  SmallVector<Value> elements;
  for (int64_t i = 0; i < vector; ++i)
    elements.push_back(vector::ExtractOp::create(e, loaded, i));
  return elements;
}

/// What is quantised, of the row's vector `index`.
SmallVector<Value> QuantizerEmitter::read(Value index) {
  Value column = e.mul(e.wide(index), e.i64(vector));
  SmallVector<Value> values =
      load(mlirType(e.getContext(), problem.type), x, e.add(first, column),
           elementTypeBytes(problem.type));
  for (Value &value : values)
    value = e.toF32(value);
  if (factors)
    for (auto [value, factor] :
         llvm::zip_equal(values, load(f32, factors, column, 4)))
      value = arith::DivFOp::create(e, value, factor);
  return values;
}

/// The largest of all threads' values, in all threads.
Value QuantizerEmitter::largestOfBlock(Value largest) {
  for (int64_t distance = kWarp / 2; distance; distance /= 2) {
    auto other = gpu::ShuffleOp::create(e, largest, e.i32(distance),
                                        e.i32(kWarp), gpu::ShuffleMode::XOR);
    largest = larger(largest, other.getShuffleResult());
  }
  int64_t warps = problem.threads() / kWarp;
  if (warps == 1)
    return largest;
  Value shared = kernel.getWorkgroupAttributions().front();
  auto asIndex = [&](Value value) {
    return arith::IndexCastOp::create(e, e.getIndexType(), value);
  };
  e.when(e.equal(e.bitAnd(tid, e.i32(kWarp - 1)), e.i32(0)), [&] {
    memref::StoreOp::create(e, largest, shared,
                            ValueRange{asIndex(e.shr(tid, 5))});
  });
  e.barrier();
  for (int64_t warp = 0; warp < warps; ++warp) {
    Value part =
        memref::LoadOp::create(e, shared, ValueRange{asIndex(e.i32(warp))});
    largest = warp ? larger(largest, part) : part;
  }
  return largest;
}

void QuantizerEmitter::writeCodes(Value index, Value scale) {
  SmallVector<Value> bytes;
  for (Value value : read(index)) {
    Value code = arith::DivFOp::create(e, value, scale);
    // Of a NaN, a bound. Bounds are integers: rounding can come after. (NVVM
    // has no form of arith.maxnumf without libdevice.)
    Value low = e.f32(-kMaxCode), high = e.f32(kMaxCode);
    code = e.select(greater(code, low), code, low);
    code = e.select(greater(high, code), code, high);
    // At 1.5 * 2^23 a mantissa bit is worth 1: the sum is rounded to an
    // integer, ties to even, and its lowest byte is the code.
    Value sum = e.addf(code, e.f32(12582912.0f));
    bytes.push_back(arith::TruncIOp::create(e, e.getI8Type(),
                                            e.bitcast(e.getI32Type(), sum)));
  }
  Value to = e.at(codes, e.add(first, e.mul(e.wide(index), e.i64(vector))));
  Value packed = bytes.front();
  if (vector > 1)
    packed = vector::FromElementsOp::create(
        e, VectorType::get({vector}, e.getI8Type()), bytes);
  e.storeGlobal(packed, to, vector);
}

void QuantizerEmitter::emit() {
  tid = e.threadId();
  row = e.blockId(gpu::Dimension::x);
  first = e.mul(e.wide(row), e.i64(problem.k));
  Value largest =
      forVectors(e.f32(0), [&](Value index, SmallVector<Value> state) {
        for (Value value : read(index))
          state[0] = larger(state[0], magnitude(value));
        return state;
      }).front();
  Value scale =
      arith::DivFOp::create(e, largestOfBlock(largest), e.f32(kMaxCode));
  Value none =
      arith::CmpFOp::create(e, arith::CmpFPredicate::OEQ, scale, e.f32(0));
  scale = e.select(none, e.f32(1), scale);
  e.when(e.equal(tid, e.i32(0)), [&] {
    e.storeGlobal(scale, e.at(scales, e.mul(e.wide(row), e.i64(4))), 4);
  });
  forVectors({}, [&](Value index, SmallVector<Value> state) {
    writeCodes(index, scale);
    return state;
  });
}

} // namespace

gpu::GPUFuncOp buildQuantizer(gpu::GPUModuleOp module, Location loc,
                              const QuantizerProblem &problem) {
  std::string name = problem.name();
  if (auto existing = module.lookupSymbol<gpu::GPUFuncOp>(name))
    return existing;
  OpBuilder outer = OpBuilder::atBlockEnd(module.getBody());
  Emitter e(loc, outer);
  Type pointer = LLVM::LLVMPointerType::get(
      e.getContext(), static_cast<unsigned>(NVVM::NVVMMemorySpace::Global));
  size_t read = problem.hasFactors ? 2 : 1;
  SmallVector<Type> inputs(read + 2, pointer);
  SmallVector<Type> shared;
  if (problem.sharedBytes())
    shared.push_back(
        MemRefType::get({problem.sharedBytes() / 4}, e.getF32Type(),
                        MemRefLayoutAttrInterface(),
                        gpu::AddressSpaceAttr::get(
                            e.getContext(), gpu::AddressSpace::Workgroup)));
  auto kernel =
      gpu::GPUFuncOp::create(e, name, e.getFunctionType(inputs, {}), shared);
  kernel->setAttr(gpu::GPUDialect::getKernelFuncAttrName(), e.getUnitAttr());
  kernel.setKnownBlockSizeAttr(
      e.getDenseI32ArrayAttr({static_cast<int32_t>(problem.threads()), 1, 1}));
  for (size_t i = 0; i < inputs.size(); ++i) {
    kernel.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                      e.getUnitAttr());
    if (i < read)
      kernel.setArgAttr(i, LLVM::LLVMDialect::getReadonlyAttrName(),
                        e.getUnitAttr());
  }
  e.setInsertionPointToStart(&kernel.getBody().front());
  QuantizerEmitter(e, kernel, problem).emit();
  gpu::ReturnOp::create(e);
  return kernel;
}

} // namespace qk::nvvm
