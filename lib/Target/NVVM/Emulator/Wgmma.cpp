//===- Wgmma.cpp - Multiplications of a warpgroup ---------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// wgmma.mma_async with A in registers and B in shared memory. It happens when
/// somebody waits for it, as late as it may: until then B must stay, and the
/// sums are NaN. The NaN says in its low bits which sum it stands for; the wait
/// puts the sum there.
///
//===----------------------------------------------------------------------===//

#include "BlockRun.h"

#include "qk/Numerics/Float8.h"

#include <bit>

namespace qk::nvvm {

namespace {
constexpr int kGroup = 128;
/// Words of K: 16 numbers of 16 bits, 32 of 8.
constexpr int kDepthWords = 8;
/// A quiet NaN with its sign, and what it stands for: 15 bits say which sums, 7
/// which one of a thread's. Of i32 sums a number that they do not reach below
/// 130000 codes, and wrong by far.
constexpr uint32_t kStandsForMask = 0xffc00000;
uint32_t standsFor(MmaKind kind) {
  return kind == MmaKind::S8 ? 0x80000000 : 0xffc00000;
}
constexpr int kIndexBits = 7;
constexpr uint32_t kSumsCount = (1 << 15) - 1;

uint32_t idOf(uint32_t value) { return value >> kIndexBits & ((1 << 15) - 1); }
} // namespace

/// The sums of a warpgroup, through all the multiplications that add to them.
struct BlockRun::WgmmaSums {
  uint32_t id;
  MmaKind kind;
  int perThread;
  /// [thread][sum], as bits.
  std::vector<uint32_t> values;
  /// Threads that have them.
  int taken = 0;
};

struct BlockRun::Wgmma {
  int first;
  MmaKind kind;
  int columns;
  uint32_t a[kGroup][4];
  /// Byte offsets of B's words, [column][word].
  size_t buffer;
  std::vector<int64_t> places;
  std::shared_ptr<WgmmaSums> sums;
  bool done = false;
  /// Threads that have waited for it.
  int waited = 0;
};

void BlockRun::wgmmaFence() { threads[running].wgmmaFenced = true; }

/// As arriveAtWarp, for the four warps of the warpgroup.
void BlockRun::arriveAtGroup(int32_t site,
                             const std::function<void(int)> &together) {
  int first = running / kGroup * kGroup;
  if (size_t(first + kGroup) > threads.size())
    fail("a warpgroup's operation with fewer than 128 threads");
  threads[running].state = State::AtGroup;
  threads[running].site = site;
  bool all = true;
  for (int i = first; i < first + kGroup; ++i) {
    if (threads[i].state == State::Done)
      fail("a warpgroup's operation waits for thread " + std::to_string(i) +
           ", which has ended");
    if (threads[i].state != State::AtGroup)
      all = false;
    else if (threads[i].site != site)
      fail("thread " + std::to_string(i) +
           " is at another operation of the warpgroup");
  }
  if (!all)
    return yield();
  together(first);
  for (int i = first; i < first + kGroup; ++i)
    threads[i].state = State::Ready;
}

/// PTX ISA, "Matrix descriptor": where the operand starts.
std::pair<size_t, int64_t>
BlockRun::descriptorPlace(uint64_t descriptor) const {
  constexpr int64_t window = 1 << 18;
  for (size_t b = 0; b < shared.size(); ++b) {
    auto base = reinterpret_cast<uintptr_t>(shared[b].data);
    int64_t offset =
        (int64_t(descriptor & 0x3fff) * 16 - int64_t(base % window) + window) %
        window;
    if (offset < int64_t(shared[b].bytes))
      return {b, offset};
  }
  return {shared.size(), 0};
}

void BlockRun::wgmma(const WgmmaPart &part, int32_t site) {
  Thread &self = threads[running];
  if (!self.wgmmaFenced)
    fail("multiplies registers with no wgmma.fence after they were written");
  self.wgmma = &part;
  arriveAtGroup(site, [&](int first) { startWgmma(first); });
}

/// All threads of the warpgroup have arrived.
void BlockRun::startWgmma(int first) {
  const WgmmaPart &leader = *threads[first].wgmma;
  int columns = leader.columns;
  for (int i = 1; i < kGroup; ++i)
    if (threads[first + i].wgmma->descriptor != leader.descriptor)
      fail("the descriptor is another one than that of thread " +
           std::to_string(first));
  uint64_t descriptor = leader.descriptor;
  if (descriptor >> 62 != 1 || descriptor >> 49 & 7)
    fail("a descriptor without the swizzle of 128 bytes");
  auto [buffer, start] = descriptorPlace(descriptor);
  if (buffer == shared.size())
    fail("a descriptor of an address outside of shared memory");
  int64_t stride = int64_t(descriptor >> 32 & 0x3fff) * 16;

  auto op = std::make_shared<Wgmma>();
  op->first = first;
  op->kind = leader.kind;
  op->columns = columns;
  op->buffer = buffer;
  auto base = reinterpret_cast<uintptr_t>(shared[buffer].data);
  for (int column = 0; column < columns; ++column)
    for (int word = 0; word < kDepthWords; ++word) {
      uintptr_t address =
          base + start + column / 8 * stride + column % 8 * 128 + 4 * word;
      // Bits 4-6 of the address are exclusive-or-ed with bits 7-9.
      address ^= address >> 3 & 0x70;
      int64_t place = int64_t(address - base);
      if (place < 0 || place + 4 > int64_t(shared[buffer].bytes))
        fail("an operand reaches out of shared memory");
      op->places.push_back(place);
      ClockWord &known = clockWords[buffer][place / 4];
      for (int warp = 0; warp < kGroup / kWarp; ++warp) {
        int reader = first + warp * kWarp;
        readWord(known, place, reader);
        checkProxy(known, place, reader);
      }
      ++known.multiplications;
    }

  // The sums: new ones, or those that an earlier one adds to.
  uint32_t value = leader.sums[0];
  auto found = (value & kStandsForMask) == standsFor(leader.kind)
                   ? wgmmaSums.find(idOf(value))
                   : wgmmaSums.end();
  if (!leader.zero && found != wgmmaSums.end()) {
    op->sums = found->second;
    if (op->sums->perThread != columns / 2 || op->sums->kind != leader.kind)
      fail("adds to sums under way of another shape");
  } else {
    op->sums = std::make_shared<WgmmaSums>();
    do
      op->sums->id = nextSums++ % kSumsCount;
    while (wgmmaSums.count(op->sums->id));
    wgmmaSums[op->sums->id] = op->sums;
    op->sums->kind = leader.kind;
    op->sums->perThread = columns / 2;
    op->sums->values.assign(size_t(kGroup) * columns / 2, 0);
    if (!leader.zero)
      for (int i = 0; i < kGroup; ++i)
        for (int p = 0; p < columns / 2; ++p)
          op->sums->values[i * columns / 2 + p] =
              threads[first + i].wgmma->sums[p];
  }
  for (int i = 0; i < kGroup; ++i) {
    const WgmmaPart &part = *threads[first + i].wgmma;
    std::copy_n(part.a, 4, op->a[i]);
    for (int p = 0; p < columns / 2; ++p) {
      uint32_t value = standsFor(leader.kind) | op->sums->id << kIndexBits | p;
      // A thread's registers must all be the same sums'.
      if (!part.zero && found != wgmmaSums.end() && part.sums[p] != value)
        fail("adds to sums of which some are not under way");
      part.sums[p] = value;
    }
    threads[first + i].openWgmmas.push_back(op);
  }
}

void BlockRun::wgmmaCommit() {
  Thread &self = threads[running];
  self.wgmmaGroups.push_back(std::move(self.openWgmmas));
  self.openWgmmas.clear();
  // What is written to registers from here on needs another fence.
  self.wgmmaFenced = false;
}

/// How many numbers a word has: two of 16 bits, or four of 8.
static int numbersPerWord(MmaKind kind) {
  return kind == MmaKind::S8 || kind == MmaKind::E4M3 ? 4 : 2;
}

/// The numbers of a word.
static void numbersOf(uint32_t word, MmaKind kind, double *numbers) {
  if (numbersPerWord(kind) == 4) {
    for (int i = 0; i < 4; ++i) {
      auto byte = uint8_t(word >> 8 * i);
      numbers[i] = kind == MmaKind::S8 ? double(int8_t(byte))
                                       : numerics::decodeE4M3(byte);
    }
    return;
  }
  for (int i = 0; i < 2; ++i) {
    auto bits = uint16_t(word >> 16 * i);
    numbers[i] = kind == MmaKind::BF16
                     ? std::bit_cast<float>(uint32_t(bits) << 16)
                     : float(std::bit_cast<_Float16>(bits));
  }
}

/// sum + Σ a · b, of one step.
static uint32_t addProducts(uint32_t sum, const double *a, const double *b,
                            int depth, MmaKind kind) {
  if (kind == MmaKind::S8) {
    for (int k = 0; k < depth; ++k)
      sum += uint32_t(int32_t(a[k]) * int32_t(b[k]));
    return sum;
  }
  auto value = std::bit_cast<float>(sum);
  for (int k = 0; k < depth; ++k)
    value += float(a[k]) * float(b[k]);
  return std::bit_cast<uint32_t>(value);
}

/// PTX ISA, "Register fragments for wgmma.mma_async.m64nNk16" and ".m64nNk32":
/// a warp has 16 rows, its lanes those of mma.m16n8k16 and mma.m16n8k32: of a
/// step's 8 words lane 4g + t has words t and t + 4 of rows g and g + 8.
void BlockRun::execute(Wgmma &op) {
  op.done = true;
  int perWord = numbersPerWord(op.kind), depth = perWord * kDepthWords;
  std::vector<double> b(op.places.size() * perWord);
  for (size_t i = 0; i < op.places.size(); ++i)
    numbersOf(*reinterpret_cast<const uint32_t *>(shared[op.buffer].data +
                                                  op.places[i]),
              op.kind, &b[i * perWord]);
  constexpr int maxDepth = 4 * kDepthWords;
  for (int warp = 0; warp < kGroup / kWarp; ++warp) {
    double a[16][maxDepth];
    for (int lane = 0; lane < kWarp; ++lane)
      for (int r = 0; r < 4; ++r)
        numbersOf(
            op.a[warp * kWarp + lane][r], op.kind,
            &a[lane / 4 + 8 * (r & 1)][perWord * (lane % 4 + 4 * (r >> 1))]);
    for (int lane = 0; lane < kWarp; ++lane)
      for (int p = 0; p < op.columns / 2; ++p) {
        const double *row = a[lane / 4 + 8 * (p >> 1 & 1)];
        const double *column =
            &b[size_t(p / 4 * 8 + lane % 4 * 2 + (p & 1)) * depth];
        uint32_t &sum =
            op.sums
                ->values[size_t(warp * kWarp + lane) * op.sums->perThread + p];
        sum = addProducts(sum, row, column, depth, op.kind);
      }
  }
}

void BlockRun::wgmmaWait(int32_t pending, uint32_t *sums, int32_t count) {
  Thread &self = threads[running];
  while (int64_t(self.wgmmaGroups.size()) > pending) {
    for (const std::shared_ptr<Wgmma> &op : self.wgmmaGroups.front()) {
      if (!op->done)
        execute(*op);
      // The reads of this thread's warp are over now.
      bool speaksForWarp = running % kWarp == 0;
      bool last = ++op->waited == kGroup;
      if (speaksForWarp || last)
        for (int64_t place : op->places) {
          ClockWord &word = clockWords[op->buffer][place / 4];
          if (speaksForWarp)
            word.readers.push_back({running, self.seen[running]});
          word.multiplications -= last;
        }
    }
    self.wgmmaGroups.pop_front();
  }
  // One wait may take the sums of several row tiles.
  std::set<std::shared_ptr<WgmmaSums>> complete;
  for (int i = 0; i < count; ++i) {
    auto found = wgmmaSums.find(idOf(sums[i]));
    if (found == wgmmaSums.end() ||
        (sums[i] & kStandsForMask) != standsFor(found->second->kind))
      continue;
    // Not if the thread has not waited for all that add to it.
    bool underWay = false;
    for (const auto &group : self.wgmmaGroups)
      for (const auto &op : group)
        underWay |= op->sums == found->second;
    for (const auto &op : self.openWgmmas)
      underWay |= op->sums == found->second;
    if (underWay)
      continue;
    const std::shared_ptr<WgmmaSums> &taken = found->second;
    sums[i] = taken->values[size_t(running % kGroup) * taken->perThread +
                            (sums[i] & ((1 << kIndexBits) - 1))];
    complete.insert(taken);
  }
  for (const std::shared_ptr<WgmmaSums> &each : complete)
    if (++each->taken == kGroup)
      wgmmaSums.erase(each->id);
}

} // namespace qk::nvvm
