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
/// memory of its size. A program's reductions are further such passes.
///
//===----------------------------------------------------------------------===//

#include "qk/Target/NVVM/Quantizer.h"

#include "Kernels.h"
#include "RowProgram.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>

using namespace mlir;

namespace qk::nvvm {

static constexpr int64_t kWarp = 32, kMaxThreads = 256, kMaxBytes = 16;
static constexpr float kMaxCode = 127, kMaxFloat8 = numerics::kLargestE4M3;

int64_t QuantizerProblem::vector() const {
  int64_t widest = elementTypeBytes(type);
  if (program) {
    widest = 2;
    for (const RowProgramInfo::Source &source : program->sources)
      if (source.where == RowSource::Row)
        widest = std::max(widest, elementTypeBytes(source.type));
  }
  int64_t elements = kMaxBytes / widest;
  while (k % elements)
    elements /= 2;
  return elements;
}

int64_t QuantizerProblem::threads() const {
  int64_t vectors = k / vector();
  return std::min((vectors + kWarp - 1) / kWarp * kWarp, kMaxThreads);
}

int64_t QuantizerProblem::sharedBytes() const {
  // A word a warp, for the largest magnitude and for each reduction.
  int64_t words = 1 + (program ? program->reductions : 0);
  return threads() > kWarp ? threads() / kWarp * 4 * words : 0;
}

std::string QuantizerProblem::name() const {
  return std::string(isFloat ? "qk_quantize_e4m3_k" : "qk_quantize_s8_k") +
         std::to_string(k) + "_x" + std::string(elementTypeName(type)) +
         (hasFactors ? "_divided" : "") +
         (program ? "_of_" + program->name : "");
}

namespace {

class QuantizerEmitter {
public:
  QuantizerEmitter(Emitter &e, gpu::GPUFuncOp kernel,
                   const QuantizerProblem &problem, func::FuncOp function)
      : e(e), kernel(kernel), problem(problem), vector(problem.vector()),
        f32(e.getF32Type()) {
    ValueRange arguments = kernel.getBody().getArguments();
    size_t read = problem.program ? problem.program->sources.size() : 1;
    if (problem.program)
      program.emplace(e, function, *problem.program, arguments.take_front(read),
                      problem.k, vector);
    else
      x = arguments.front();
    arguments = arguments.drop_front(read);
    if (problem.hasFactors) {
      factors = arguments.front();
      arguments = arguments.drop_front();
    }
    codes = arguments[0];
    scales = arguments[1];
  }

  void emit();

private:
  template <typename Body>
  SmallVector<Value> forVectors(ValueRange state, Body body);
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
  SmallVector<Value> reduceInBlock(ArrayRef<Value> values,
                                   ArrayRef<Combine> combine);
  void runProgram();
  float maxCode() const { return problem.isFloat ? kMaxFloat8 : kMaxCode; }
  SmallVector<Value> bytesOf(ArrayRef<Value> codes);
  void writeCodes(Value index, Value scale);

  Emitter &e;
  gpu::GPUFuncOp kernel;
  const QuantizerProblem &problem;
  int64_t vector;
  Type f32;
  Value x, factors, codes, scales;
  std::optional<RowProgram> program;
  Value tid, row;
  /// Of the row: its first element's number.
  Value first;
  /// Words of shared memory that reductions have taken.
  int64_t wordsTaken = 0;
};

/// body(number of the thread's vector, state) for each of the row.
template <typename Body>
SmallVector<Value> QuantizerEmitter::forVectors(ValueRange state, Body body) {
  return e.loop(tid, e.i32(problem.k / vector), e.i32(problem.threads()), state,
                body);
}

/// What is quantised, of the row's vector `index`.
SmallVector<Value> QuantizerEmitter::read(Value index) {
  Value column = e.mul(e.wide(index), e.i64(vector));
  SmallVector<Value> values =
      program ? program->result(column)
              : loadVector(e, mlirType(e.getContext(), problem.type), x,
                           e.add(first, column), vector);
  for (Value &value : values)
    value = e.toF32(value);
  if (factors)
    for (auto [value, factor] :
         llvm::zip_equal(values, loadVector(e, f32, factors, column, vector)))
      value = arith::DivFOp::create(e, value, factor);
  return values;
}

/// `values` of all threads combined, in all threads. Every call has words of
/// shared memory of its own, so that one barrier is enough.
SmallVector<Value> QuantizerEmitter::reduceInBlock(ArrayRef<Value> values,
                                                   ArrayRef<Combine> combine) {
  SmallVector<Value> results(values);
  for (auto [result, both] : llvm::zip_equal(results, combine))
    for (int64_t distance = kWarp / 2; distance; distance /= 2) {
      auto other = gpu::ShuffleOp::create(e, asWord(e, result), e.i32(distance),
                                          e.i32(kWarp), gpu::ShuffleMode::XOR);
      result =
          both(result, fromWord(e, result.getType(), other.getShuffleResult()));
    }
  int64_t warps = problem.threads() / kWarp;
  if (warps == 1)
    return results;
  Value shared = kernel.getWorkgroupAttributions().front();
  auto asIndex = [&](Value value) {
    return arith::IndexCastOp::create(e, e.getIndexType(), value);
  };
  int64_t from = wordsTaken;
  wordsTaken += warps * int64_t(values.size());
  e.when(e.equal(e.bitAnd(tid, e.i32(kWarp - 1)), e.i32(0)), [&] {
    for (auto [i, result] : llvm::enumerate(results))
      memref::StoreOp::create(
          e, asWord(e, result), shared,
          ValueRange{
              asIndex(e.add(e.shr(tid, 5), e.i32(from + int64_t(i) * warps)))});
  });
  e.barrier();
  for (auto [i, result] : llvm::enumerate(results)) {
    Type type = result.getType();
    for (int64_t warp = 0; warp < warps; ++warp) {
      Value word = memref::LoadOp::create(
          e, shared,
          ValueRange{asIndex(e.i32(from + int64_t(i) * warps + warp))});
      Value part = fromWord(e, type, word);
      result = warp ? combine[i](result, part) : part;
    }
  }
  return results;
}

/// Its reductions, pass by pass.
void QuantizerEmitter::runProgram() {
  program->start(row);
  for (unsigned pass = 0; pass < program->passes(); ++pass) {
    SmallVector<Combine> combine = program->combiners(pass);
    SmallVector<Value> sums = forVectors(
        program->neutral(pass), [&](Value index, SmallVector<Value> state) {
          Value column = e.mul(e.wide(index), e.i64(vector));
          for (auto [i, values] :
               llvm::enumerate(program->terms(pass, column))) {
            // By halves: in a chain each would wait for the one before.
            for (size_t count = values.size(); count > 1; count /= 2)
              for (size_t j = 0; j < count / 2; ++j)
                values[j] = combine[i](values[j], values[j + count / 2]);
            state[i] = combine[i](state[i], values.front());
          }
          return state;
        });
    program->finish(pass, reduceInBlock(sums, combine));
  }
}

/// Codes within bounds, rounded.
SmallVector<Value> QuantizerEmitter::bytesOf(ArrayRef<Value> codes) {
  SmallVector<Value> bytes;
  auto add = [&](Value bits) {
    bytes.push_back(arith::TruncIOp::create(e, e.getI8Type(), bits));
  };
  if (problem.isFloat) {
    // Two at a time, the second to the high byte.
    for (size_t i = 0; i < codes.size(); i += 2) {
      Value next = i + 1 < codes.size() ? codes[i + 1] : e.f32(0);
      Value both = e.inlineAsm(kConvertE4M3Asm, "=h,f,f", e.getI16Type(),
                               {next, codes[i]});
      add(both);
      if (i + 1 < codes.size())
        add(arith::ShRUIOp::create(
            e, both, arith::ConstantOp::create(e, e.getI16IntegerAttr(8))));
    }
    return bytes;
  }
  // At 1.5 * 2^23 a mantissa bit is worth 1: the sum is rounded to an integer,
  // ties to even, and its lowest byte is the code.
  for (Value code : codes)
    add(e.bitcast(e.getI32Type(), e.addf(code, e.f32(12582912.0f))));
  return bytes;
}

void QuantizerEmitter::writeCodes(Value index, Value scale) {
  SmallVector<Value> values;
  for (Value value : read(index)) {
    Value code = arith::DivFOp::create(e, value, scale);
    // Of a NaN, a bound. Bounds are codes: rounding can come after. (NVVM has
    // no form of arith.maxnumf without libdevice.)
    Value low = e.f32(-maxCode()), high = e.f32(maxCode());
    code = e.select(greater(code, low), code, low);
    values.push_back(e.select(greater(high, code), code, high));
  }
  SmallVector<Value> bytes = bytesOf(values);
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
  if (program)
    runProgram();
  Value largest =
      forVectors(e.f32(0), [&](Value index, SmallVector<Value> state) {
        for (Value value : read(index))
          state[0] = larger(state[0], magnitude(value));
        return state;
      }).front();
  largest =
      reduceInBlock(largest,
                    Combine([this](Value a, Value b) { return larger(a, b); }))
          .front();
  Value scale = arith::DivFOp::create(e, largest, e.f32(maxCode()));
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
                              const QuantizerProblem &problem,
                              func::FuncOp program) {
  std::string name = problem.name();
  if (auto existing = module.lookupSymbol<gpu::GPUFuncOp>(name))
    return existing;
  OpBuilder outer = OpBuilder::atBlockEnd(module.getBody());
  Emitter e(loc, outer);
  Type pointer = LLVM::LLVMPointerType::get(
      e.getContext(), static_cast<unsigned>(NVVM::NVVMMemorySpace::Global));
  size_t read = (problem.program ? problem.program->sources.size() : 1) +
                (problem.hasFactors ? 1 : 0);
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
  kernel->setAttr(NVVM::NVVMDialect::getMaxnregAttrName(),
                  e.getI32IntegerAttr(QuantizerProblem::kMaxRegisters));
  for (size_t i = 0; i < inputs.size(); ++i) {
    kernel.setArgAttr(i, LLVM::LLVMDialect::getNoAliasAttrName(),
                      e.getUnitAttr());
    if (i < read)
      kernel.setArgAttr(i, LLVM::LLVMDialect::getReadonlyAttrName(),
                        e.getUnitAttr());
  }
  e.setInsertionPointToStart(&kernel.getBody().front());
  QuantizerEmitter(e, kernel, problem, program).emit();
  gpu::ReturnOp::create(e);
  return kernel;
}

} // namespace qk::nvvm
