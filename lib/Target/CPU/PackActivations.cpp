//===- PackActivations.cpp - x as the register tiles read it ----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Copies the rows of x into register tiles (K by rows), pads every group to
/// whole units with zeros, so that no kernel has a tail in K, splits int16
/// codes into two s8 halves (c = 256*high + low), or codes of either width into
/// even and odd ones of 16 bits, and sums the codes of every segment.
///
//===----------------------------------------------------------------------===//

#include "Emitter.h"

using namespace mlir;

namespace qk::cpu {

int64_t segmentsOfGroup(const KernelSpec &spec, const KernelChoice &choice,
                        int64_t group) {
  Layout layout = spec.layout();
  int64_t length = layout.groupUnits(group) * layout.unitK();
  return (length + choice.segment - 1) / choice.segment;
}

int64_t segmentsOfRow(const KernelSpec &spec, const KernelChoice &choice) {
  int64_t last = spec.layout().groups() - 1;
  return last * segmentsOfGroup(spec, choice, 0) +
         segmentsOfGroup(spec, choice, last);
}

int64_t activationPlanes(const KernelSpec &spec, const KernelChoice &choice) {
  return spec.activation == Activation::Int16 || choice.wideActivations ? 2 : 1;
}

llvm::SmallVector<Type> packedActivationTypes(OpBuilder &b,
                                              const KernelSpec &spec,
                                              const KernelChoice &choice) {
  auto dynamic = [](Type element) -> Type {
    return MemRefType::get({ShapedType::kDynamic}, element);
  };
  if (spec.activation == Activation::Float)
    return {dynamic(b.getF32Type())};
  SmallVector<Type> types(activationPlanes(spec, choice),
                          dynamic(b.getI32Type()));
  types.push_back(dynamic(b.getI32Type()));
  return types;
}

namespace {

constexpr int64_t kLanes = 16;

class Packer {
public:
  Packer(Emitter &e, const KernelSpec &spec, const KernelChoice &choice,
         Value x, const PackedActivations &packed)
      : e(e), spec(spec), choice(choice), layout(spec.layout()), x(x),
        out(packed) {}

  void run(Value lower, Value upper) {
    forRowTiles(e, choice, lower, upper,
                [&](const RegisterTile &tile, Value m) {
                  shape = tile;
                  tileRows = tile.rows;
                  e.forEach(e.index(0), e.index(tile.rows), 1,
                            [&](Value r) { packRow(m, r); });
                });
  }

private:
  void packRow(Value m, Value r) {
    row = e.add(m, r);
    firstRow = m;
    inTile = r;
    forEachGroup([&](Value group, int64_t length) {
      if (spec.activation == Activation::Float)
        packFloatGroup(group, length);
      else
        packIntegerGroup(group, length);
    });
  }

  void forEachGroup(llvm::function_ref<void(Value, int64_t)> body) {
    int64_t length = layout.groupLength(0), full = spec.k / length;
    e.forEach(e.index(0), e.index(full), 1,
              [&](Value group) { body(group, length); });
    if (int64_t tail = spec.k % length)
      body(e.index(full), tail);
  }

  /// Index of element `k` (of `perRow` a row) of the current row in its tile.
  Value slot(Value k, int64_t perRow) {
    return e.add(e.add(e.mul(firstRow, perRow), e.mul(k, tileRows)), inTile);
  }

  void packFloatGroup(Value group, int64_t length) {
    int64_t padded =
        (length + layout.unitK() - 1) / layout.unitK() * layout.unitK();
    Value source = e.mul(group, layout.groupLength(0));
    Value target = e.mul(group, layout.paddedGroupLength());
    int64_t perRow = layout.paddedK();
    auto store = [&](Value value, Value k) {
      memref::StoreOp::create(e.b, e.loc, value, out.planes[0],
                              slot(e.add(target, k), perRow));
    };
    int64_t vectors = tileRows == 1 ? length / kLanes * kLanes : 0;
    e.forEach(e.index(0), e.index(vectors), kLanes, [&](Value k) {
      Value value = e.toFloat(e.load(x, {row, e.add(source, k)}, kLanes));
      vector::StoreOp::create(e.b, e.loc, value, out.planes[0],
                              slot(e.add(target, k), perRow));
    });
    e.forEach(e.index(vectors), e.index(length), 1, [&](Value k) {
      Value value = memref::LoadOp::create(e.b, e.loc, x,
                                           ValueRange{row, e.add(source, k)});
      store(e.toFloat(value), k);
    });
    Value zero = e.zero(e.f32());
    e.forEach(e.index(length), e.index(padded), 1,
              [&](Value k) { store(zero, k); });
  }

  /// Where words of a segment go: its first word in the row, a word's index in
  /// the segment (a multiple of four) and, in a blocked tile, the order.
  struct Target {
    Value segment, word;
    const BlockOrder *order = nullptr;
    /// Whether the word and the next three are in pairs over two units.
    bool paired = false;
    /// Of the next four the one that has no other in its pair; -1: none.
    int64_t single = -1;
  };

  /// The slot of word `i` behind the target's.
  Value wordSlot(const Target &target, int64_t i) {
    const int64_t perRow = layout.paddedK() / 4;
    if (!target.order || i == target.single)
      return slot(e.add(target.segment, e.add(target.word, i)), perRow);
    // In pairs over units a word's bits are moved: the unit's lowest is which
    // of the pair it is.
    Value position = e.add(target.word, i);
    const int64_t words = target.order->unitWords;
    if (target.paired && words > 1) {
      Value first = bits(position, ~(2 * words - 1)),
            field = bits(position, words - 1),
            unit = arith::DivUIOp::create(e.b, e.loc, bits(position, words),
                                          e.index(words));
      position = e.add(e.add(first, e.mul(field, 2)), unit);
    }
    // 2R words a pair, two a row.
    Value pair = bits(position, ~int64_t(1)), which = bits(position, 1);
    Value at = e.add(e.add(e.mul(pair, tileRows), e.mul(inTile, 2)), which);
    return e.add(
        e.add(e.mul(firstRow, perRow), e.mul(target.segment, tileRows)), at);
  }

  Value bits(Value value, int64_t mask) {
    return arith::AndIOp::create(e.b, e.loc, value, e.index(mask));
  }

  /// Sixteen codes (the first `valid` of them there) from `source`; stores
  /// `words` words and gives the codes as i32.
  Value packCodes(Value source, const Target &target, int64_t valid,
                  int64_t words) {
    Type code = codeType(e.b, spec.activation);
    Value codes;
    if (valid == kLanes) {
      codes = e.load(x, {row, source}, kLanes);
    } else {
      Value mask = vector::ConstantMaskOp::create(
          e.b, e.loc, e.vec(kLanes, e.b.getI1Type()), ArrayRef<int64_t>{valid});
      codes = vector::MaskedLoadOp::create(e.b, e.loc, e.vec(kLanes, code), x,
                                           ValueRange{row, source}, mask,
                                           e.zero(e.vec(kLanes, code)));
    }
    Value wide =
        arith::ExtSIOp::create(e.b, e.loc, e.vec(kLanes, e.i32()), codes);
    if (choice.wideActivations) {
      Value both = arith::TruncIOp::create(
          e.b, e.loc, e.vec(kLanes, e.b.getI16Type()), wide);
      for (int64_t odd : {0, 1}) {
        SmallVector<int64_t> order;
        for (int64_t i = odd; i < kLanes; i += 2)
          order.push_back(i);
        storeWords(vector::ShuffleOp::create(e.b, e.loc, both, both, order),
                   out.planes[odd], target, words);
      }
      return wide;
    }
    auto bytes = e.vec(kLanes, e.i8());
    if (spec.activation == Activation::Int8) {
      storeWords(codes, out.planes[0], target, words);
      return wide;
    }
    // high = (c + 128) >> 8, low = c - 256*high: both fit s8 for |c| <= 32639.
    auto type = cast<VectorType>(codes.getType());
    Value up =
        arith::AddIOp::create(e.b, e.loc, codes, e.splat(type, int64_t(128)));
    Value high =
        arith::ShRSIOp::create(e.b, e.loc, up, e.splat(type, int64_t(8)));
    storeWords(arith::TruncIOp::create(e.b, e.loc, bytes, high), out.planes[0],
               target, words);
    storeWords(arith::TruncIOp::create(e.b, e.loc, bytes, codes), out.planes[1],
               target, words);
    return wide;
  }

  /// Four words, as bytes or pairs.
  void storeWords(Value values, Value plane, const Target &target,
                  int64_t words) {
    Value four = e.bitcast(values, kLanes / 4, e.i32());
    if (tileRows == 1 && words == 4) {
      vector::StoreOp::create(e.b, e.loc, four, plane, wordSlot(target, 0));
      return;
    }
    for (int64_t i = 0; i < words; ++i) {
      Value value = vector::ExtractOp::create(e.b, e.loc, four, i);
      memref::StoreOp::create(e.b, e.loc, value, plane, wordSlot(target, i));
    }
  }

  void packIntegerGroup(Value group, int64_t length) {
    int64_t full = length / choice.segment, tail = length % choice.segment;
    Value segments = e.mul(group, segmentsOfGroup(spec, choice, 0));
    Value source = e.mul(group, layout.groupLength(0));
    Value word = e.mul(group, layout.paddedGroupLength() / 4);
    auto at = [&](Value s, int64_t length) {
      packSegment(e.add(source, e.mul(s, choice.segment)),
                  e.add(word, e.mul(s, choice.segment / 4)), length,
                  e.add(segments, s));
    };
    e.forEach(e.index(0), e.index(full), 1,
              [&](Value s) { at(s, choice.segment); });
    if (tail)
      at(e.index(full), tail);
  }

  void packSegment(Value source, Value word, int64_t length, Value segment) {
    int64_t padded =
        (length + layout.unitK() - 1) / layout.unitK() * layout.unitK();
    const BlockOrder order(layout, shape, padded / layout.unitK());
    const bool blocked = isBlocked(choice, shape);
    // Code k of the segment; sixteen are all in pairs over units or none is.
    auto target = [&](Value quarter, int64_t k) {
      Target result{word, quarter};
      if (blocked) {
        result.order = &order;
        result.paired = k / 4 < order.pairedWords;
        if (order.singleWord >= 0)
          result.single = order.singleWord - k / 4;
      }
      return result;
    };
    Value sum = e.zero(e.vec(kLanes, e.i32()));
    // Whole vectors: in pairs over units, then the others.
    const int64_t whole = length / kLanes * kLanes,
                  paired =
                      std::min(whole, blocked ? order.pairedWords * 4 : whole);
    for (auto [from, to] :
         {std::pair(int64_t(0), paired), std::pair(paired, whole)}) {
      if (from == to)
        continue;
      sum = e.forEach(
          e.index(from), e.index(to), kLanes, ValueRange{sum},
          [&, first = from](Value k, ValueRange carried) -> Values {
            Value quarter = arith::DivUIOp::create(e.b, e.loc, k, e.index(4));
            Value codes =
                packCodes(e.add(source, k), target(quarter, first), kLanes, 4);
            return {arith::AddIOp::create(e.b, e.loc, carried[0], codes)};
          })[0];
    }
    for (int64_t k = whole; k < padded; k += kLanes) {
      int64_t words = std::min(kLanes, padded - k) / 4;
      int64_t valid = std::max<int64_t>(0, std::min(kLanes, length - k));
      Target to = target(e.index(k / 4), k);
      if (valid == 0) {
        Value zero = e.zero(e.i32());
        for (Value plane : out.planes)
          for (int64_t i = 0; i < words; ++i)
            memref::StoreOp::create(e.b, e.loc, zero, plane, wordSlot(to, i));
        continue;
      }
      Value codes = packCodes(e.add(source, k), to, valid, words);
      sum = arith::AddIOp::create(e.b, e.loc, sum, codes);
    }
    Value total = vector::ReductionOp::create(e.b, e.loc,
                                              vector::CombiningKind::ADD, sum);
    if (!spec.zeroPoints) {
      int64_t zero =
          spec.scheme.defaultZeroPoint() + layout.bias() - choice.codeShift;
      total = arith::MulIOp::create(
          e.b, e.loc, total,
          arith::ConstantIntOp::create(e.b, e.loc, -zero, 32));
    }
    memref::StoreOp::create(e.b, e.loc, total, out.sums,
                            slot(segment, segmentsOfRow(spec, choice)));
  }

  Emitter &e;
  const KernelSpec &spec;
  const KernelChoice &choice;
  Layout layout;
  Value x;
  const PackedActivations &out;
  // The row that is being packed: row = firstRow + inTile.
  Value row, firstRow, inTile;
  RegisterTile shape;
  int64_t tileRows = 1;
};

} // namespace

llvm::SmallVector<int64_t> workspaceBytesPerRow(const KernelSpec &spec,
                                                Level level) {
  const int64_t row = spec.layout().paddedK();
  if (spec.activation == Activation::Float)
    return {4 * row};
  const KernelChoice choice = chooseKernel(spec, level);
  SmallVector<int64_t> bytes(activationPlanes(spec, choice), row);
  bytes.push_back(4 * segmentsOfRow(spec, choice));
  return bytes;
}

PackedActivations allocateActivations(Emitter &e, const KernelSpec &spec,
                                      const KernelChoice &choice, Value rows,
                                      Value workspace) {
  const bool integer = spec.activation != Activation::Float;
  const int64_t rowLength = spec.layout().paddedK() / (integer ? 4 : 1);
  auto types = packedActivationTypes(e.b, spec, choice);
  Value offset = e.index(0);
  auto alloc = [&](Type type, int64_t perRow) -> Value {
    auto memref = cast<MemRefType>(type);
    Value size = e.mul(rows, perRow);
    if (!workspace)
      return memref::AllocOp::create(e.b, e.loc, memref, ValueRange{size},
                                     e.b.getI64IntegerAttr(64));
    Value buffer = memref::ViewOp::create(e.b, e.loc, memref, workspace, offset,
                                          ValueRange{size});
    // Four bytes an element, rounded up to whole cache lines.
    offset = e.add(offset, e.mul(e.ceilDiv(size, 16), 64));
    return buffer;
  };
  PackedActivations packed;
  for (Type type : integer ? ArrayRef(types).drop_back() : ArrayRef(types))
    packed.planes.push_back(alloc(type, rowLength));
  if (integer)
    packed.sums = alloc(types.back(), segmentsOfRow(spec, choice));
  return packed;
}

void packActivations(Emitter &e, const KernelSpec &spec,
                     const KernelChoice &choice, Value x,
                     const PackedActivations &packed, Value lower,
                     Value upper) {
  Packer(e, spec, choice, x, packed).run(lower, upper);
}

} // namespace qk::cpu
