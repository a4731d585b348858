//===- BlockRun.h - One thread block on fibres ------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// The runtime under an emulated kernel: schedules a block's threads as fibres
/// and answers the calls that Retarget.cpp puts in place of NVVM intrinsics
/// and around memory accesses.
///
//===----------------------------------------------------------------------===//

#ifndef QK_LIB_TARGET_NVVM_EMULATOR_BLOCKRUN_H
#define QK_LIB_TARGET_NVVM_EMULATOR_BLOCKRUN_H

#include "qk/Target/NVVM/KernelTable.h"

#include <array>
#include <deque>
#include <functional>
#include <random>
#include <string>
#include <ucontext.h>
#include <utility>
#include <vector>

namespace qk::nvvm {

/// A block's store that other blocks may not know of yet.
struct GlobalStore {
  /// The block's number, from 1; 0: nobody's.
  uint32_t block = 0;
  int32_t thread = 0;
  /// Barriers that the block had passed.
  uint32_t epoch = 0;
  /// A fence of the thread, or of another one past a barrier, came after it,
  /// and then an atomic operation.
  bool released = false;
};

/// Global memory that a kernel may touch.
struct GlobalBuffer {
  char *data;
  size_t bytes;
  bool writable;
  /// Of writable ones: who stored each four bytes.
  std::vector<GlobalStore> stores = {};
};

/// A kernel's shared memory, one variable of the module.
struct SharedBuffer {
  char *data;
  size_t bytes;
};

/// Special registers, in the order of `qk_emu_special`'s argument.
enum class Special : int32_t {
  TidX,
  TidY,
  TidZ,
  NTidX,
  NTidY,
  NTidZ,
  CTAIdX,
  CTAIdY,
  CTAIdZ,
  NCTAIdX,
  NCTAIdY,
  NCTAIdZ,
  LaneId,
  WarpSize,
};

enum class ShuffleMode : int32_t { Idx, Bfly, Up, Down };

/// Element types of `mma.sync`: f16 and bf16 are m16n8k16 with sums in f32, s8
/// is m16n8k32 with sums in s32.
enum class MmaKind : int32_t { F16, BF16, S8 };

/// One lane's registers of an `mma.sync`, and where its result goes.
struct MmaOperands {
  uint32_t a[4], b[2], c[4];
  uint32_t *d;
};

/// Runs the blocks of one launch, one after the other.
class BlockRun {
public:
  static constexpr int kWarp = 32;

  BlockRun(const LaunchShape &shape, std::vector<GlobalBuffer> global,
           std::vector<SharedBuffer> shared, uint64_t seed);
  ~BlockRun();

  /// Runs `body` once a thread in every block. Empty, or what went wrong.
  std::string run(const std::function<void()> &body);

  /// The launch whose thread is running.
  static BlockRun *current;

  // What a running thread asks for.
  int32_t special(Special which) const;
  void barrier(int32_t id, int32_t site);
  void warpBarrier(uint32_t mask, int32_t site);
  uint32_t shuffle(ShuffleMode mode, uint32_t mask, uint32_t value,
                   int32_t lane, int32_t clamp, int32_t site);
  void mma(MmaKind kind, const MmaOperands &operands, int32_t site);
  /// ldmatrix of four matrices of 8 rows of 16 bytes; `words` gets four.
  void loadMatrices(const char *row, uint32_t *words, int32_t site);
  /// cp.async: `bytes` to shared memory, `sourceBytes` from memory and then
  /// zeros, at any time until waitCopies says that it must have happened.
  void copyAsync(char *to, const char *from, int64_t bytes,
                 int64_t sourceBytes);
  void commitCopies();
  /// Waits until at most `pending` of the thread's groups are left.
  void waitCopies(int32_t pending);
  void access(const char *address, int64_t bytes, int64_t alignment,
              bool isStore);
  /// A fence for the whole GPU, and an atomic operation on global memory.
  void fence();
  void atomic(const char *address, int64_t bytes);
  /// Ends the launch with an error. Does not return.
  [[noreturn]] void fail(std::string message);

private:
  enum class State { Ready, AtBarrier, AtWarp, Done };
  struct Copy {
    char *to;
    const char *from;
    int64_t bytes, sourceBytes;
  };
  struct Thread {
    ucontext_t context;
    State state = State::Ready;
    int32_t site = 0;
    uint32_t mask = 0;
    uint32_t value = 0;
    /// Warp barriers passed since the last block barrier.
    uint32_t warpEpoch = 0;
    const MmaOperands *mma = nullptr;
    /// ldmatrix: the row that this lane names, and where its words go.
    const char *matrixRow = nullptr;
    uint32_t *matrixWords = nullptr;
    /// Asynchronous copies: not committed yet, and by group, oldest first.
    std::vector<Copy> open;
    std::deque<std::vector<Copy>> groups;
  };
  /// Who last touched four bytes of shared memory, since when.
  struct Word {
    uint32_t writeEpoch = 0, readEpoch = 0;
    uint32_t writeWarpEpoch = 0, readWarpEpoch = 0;
    /// Readers: one, several of a warp, or several.
    int32_t writer = -1, reader = -1, readerWarp = -1;
    /// Whose asynchronous copy may write it any time, or -1.
    int32_t copier = -1;
  };
  static constexpr int32_t kManyReaders = -2, kManyWarps = -3;

  void runBlock(const std::function<void()> &body);
  static void enterThread();
  int pickReady();
  void releaseBarrier();
  void releaseWarp(int warp);
  void arriveAtWarp(uint32_t mask, int32_t site,
                    const std::function<void(int)> &together = nullptr);
  /// Which shared variable, and the byte in it; past the last: none.
  std::pair<size_t, int64_t> sharedPlace(const char *address) const;
  void yield();
  void checkGlobal(GlobalBuffer &buffer, int64_t offset, int64_t bytes,
                   bool isStore);
  void runBlocks(const std::function<void()> &body);
  std::string where() const;

  LaunchShape shape;
  std::vector<GlobalBuffer> global;
  std::vector<SharedBuffer> shared;
  std::vector<std::vector<Word>> words;
  std::mt19937_64 random;
  bool randomOrder;

  std::vector<Thread> threads;
  char *stacks = nullptr;
  size_t stackBytes = 0;
  ucontext_t scheduler;
  const std::function<void()> *body = nullptr;
  int running = -1;
  std::array<int64_t, 3> block{};
  /// Blocks started. Stores of the running one (buffer and word) without a
  /// fence after them, and with a fence but no atomic operation after that.
  uint32_t blockNumber = 0;
  std::vector<std::pair<size_t, size_t>> unfenced, fenced;
  /// What a thread may read of other blocks: nothing, or what was there at its
  /// block's last fence after an atomic operation, once a barrier has passed.
  struct Acquired {
    bool byAtomic = false;
    int32_t thread = -1;
    uint32_t epoch = 0;
  } acquired;
  /// Block barriers passed, from 1: 0 in a Word is "never".
  uint32_t epoch = 1;
  std::string error;
};

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_EMULATOR_BLOCKRUN_H
