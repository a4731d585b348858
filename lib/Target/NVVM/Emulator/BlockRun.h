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
#include <map>
#include <memory>
#include <random>
#include <set>
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
enum class MmaKind : int32_t { F16, BF16, S8, E4M3 };

/// One lane's registers of an `mma.sync`, and where its result goes.
struct MmaOperands {
  uint32_t a[4], b[2], c[4];
  uint32_t *d;
};

/// One thread's part of a `wgmma.mma_async` with A in registers: m64nNk16, or
/// m64nNk32 of bytes.
struct WgmmaPart {
  MmaKind kind;
  /// N, and whether sums start at 0.
  int32_t columns;
  bool zero;
  const uint32_t *a;
  uint64_t descriptor;
  /// N / 2 sums, in and out; what comes out stands for sums until they are
  /// waited for.
  uint32_t *sums;
};

/// Four floats on their way to the shared memory of a block of the cluster.
struct ClusterStore {
  int32_t thread;
  int32_t rank;
  size_t buffer;
  int64_t offset;
  std::array<uint32_t, 4> words;
};

/// Runs a block of a launch; a launch's blocks, one after the other (LaunchRun
/// says which). Those of a cluster take turns, and each has the shared memory
/// while it runs.
class BlockRun {
public:
  static constexpr int kWarp = 32;

  /// `global`, `shared` and `random` are those of the launch.
  BlockRun(const LaunchShape &shape, std::vector<GlobalBuffer> &global,
           const std::vector<SharedBuffer> &shared, std::mt19937_64 &random,
           bool randomOrder, bool byClock);
  ~BlockRun();

  /// Starts the block, the launch's `number`th from 1; `body` is a thread.
  void start(std::array<int64_t, 3> block, uint32_t number,
             const std::function<void()> &body);
  /// Runs until all threads have ended or wait at the cluster's barrier, or
  /// something has gone wrong.
  void advance();
  bool hasEnded() const;
  const std::string &whatWentWrong() const { return error; }

  // The cluster's barrier, once all its blocks are there.
  const std::vector<ClusterStore> &clusterStores() const { return toBlocks; }
  /// Whether `store` may write to this block now, and that it has: to `memory`,
  /// which is its shared memory. Empty, or why not.
  std::string receive(const ClusterStore &store, char *memory);
  /// The site of the barrier; -1: threads are at different ones.
  int32_t clusterSite() const;
  void releaseCluster();

  /// The block whose thread is running.
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

  // Kernels with mbarriers.
  void initMbarrier(const char *barrier, int32_t arrivals);
  void fenceMbarrierInit();
  /// Arrives; the phase also waits for `bytes` of bulk copies.
  void arriveAtMbarrier(const char *barrier, int64_t bytes);
  /// Arrives when the thread's asynchronous copies so far have happened.
  void arriveAfterCopies(const char *barrier);
  void waitForMbarrier(const char *barrier, uint32_t parity);
  void copyBulk(char *to, const char *from, int64_t bytes, const char *barrier);
  void fenceProxy();
  void namedBarrier(int32_t number, int32_t count, int32_t site);
  void setRegisters(int32_t count);
  void clusterBarrier(int32_t site);
  /// A name of shared memory in block `rank` of the cluster.
  uint32_t mapShared(const char *address, int32_t rank);
  void storeToBlock(uint32_t name, const std::array<uint32_t, 4> &words);

  void wgmmaFence();
  void wgmma(const WgmmaPart &part, int32_t site);
  void wgmmaCommit();
  /// Waits until at most `pending` groups are left, and puts what sums have
  /// become in the place of what stands for them.
  void wgmmaWait(int32_t pending, uint32_t *sums, int32_t count);

  /// Ends the launch with an error. Does not return.
  [[noreturn]] void fail(std::string message);

private:
  enum class State {
    Ready,
    AtBarrier,
    AtNamedBarrier,
    AtMbarrier,
    AtWarp,
    AtGroup,
    AtCluster,
    Done
  };
  /// How far a thread knows each thread's work and, last, that of bulk copies.
  using Clocks = std::vector<uint32_t>;
  struct Wgmma;
  struct WgmmaSums;
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

    Clocks seen;
    /// When it fenced its writes for other proxies.
    std::vector<uint32_t> proxyFences;
    /// What it knew at the last of them.
    Clocks proxyFenced;
    /// What it waits for at an mbarrier.
    const char *mbarrier = nullptr;
    uint32_t parity = 0;
    const WgmmaPart *wgmma = nullptr;
    bool wgmmaFenced = false;
    std::vector<std::shared_ptr<Wgmma>> openWgmmas;
    std::deque<std::vector<std::shared_ptr<Wgmma>>> wgmmaGroups;
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
  /// The same of a kernel whose order is told by clocks (Order.cpp).
  struct ClockWord {
    /// The writer, a thread or the copy engine, and its clock then.
    int32_t writer = -1;
    uint32_t writeClock = 0;
    /// Whose asynchronous copy may write it any time, or -1.
    int32_t copier = -1;
    /// Multiplications under way that read it.
    int32_t multiplications = 0;
    struct Reader {
      int32_t thread;
      uint32_t clock;
    };
    std::vector<Reader> readers;
  };
  struct Mbarrier {
    int32_t arrivals, pending;
    int64_t bytes = 0;
    uint32_t phase = 0;
    /// What those that arrived know, and did when the last phase ended.
    Clocks arrived, completed;
  };
  struct BulkCopy {
    char *to;
    const char *from;
    int64_t bytes;
    const char *barrier;
  };

  /// Copies of a thread, and where it arrives after them.
  struct CopyArrival {
    int32_t thread;
    uint32_t clock;
    std::vector<Copy> copies;
    const char *barrier;
  };

  static void enterThread();
  int pickReady();
  void releaseBarrier();
  void releaseWarp(int warp);
  void arriveAtWarp(uint32_t mask, int32_t site,
                    const std::function<void(int)> &together = nullptr);
  /// Which shared variable, and the byte in it; past the last: none.
  std::pair<size_t, int64_t> sharedPlace(const char *address) const;
  void yield();

  // Order by clocks.
  void startClocks();
  int32_t copyEngine() const { return int32_t(threads.size()); }
  /// All that one of them knows the others know afterwards.
  void synchronize(const std::vector<int> &members);
  bool knows(int thread, int32_t other, uint32_t clock) const;
  void readWord(ClockWord &word, int64_t byte, int reader);
  /// For tensor cores and the copy engine: what threads wrote needs a fence.
  void checkProxy(const ClockWord &word, int64_t byte, int reader);
  void checkWrite(const ClockWord &word, int64_t byte);
  void accessByClock(size_t buffer, int64_t offset, int64_t bytes,
                     bool isStore);
  Mbarrier &findMbarrier(const char *barrier, bool byCopyEngine);
  void tryEndPhase(const char *address, Mbarrier &barrier);
  void finishBulkCopy(size_t index);
  void finishArrival(size_t index);
  /// One of those of the copy engine or of threads' copies, any one.
  bool anyCopyUnderWay() const {
    return !bulkCopies.empty() || !copyArrivals.empty();
  }
  void finishAnyCopy();
  void finishCopy(const Copy &copy, int32_t writer, uint32_t clock);
  void arriveAtGroup(int32_t site, const std::function<void(int)> &together);
  std::pair<size_t, int64_t> descriptorPlace(uint64_t descriptor) const;
  void startWgmma(int first);
  void execute(Wgmma &wgmma);

  void checkGlobal(GlobalBuffer &buffer, int64_t offset, int64_t bytes,
                   bool isStore);
  std::string where() const;

  LaunchShape shape;
  std::vector<GlobalBuffer> &global;
  const std::vector<SharedBuffer> &shared;
  std::vector<std::vector<Word>> words;
  std::mt19937_64 &random;
  bool randomOrder;

  std::vector<Thread> threads;
  char *stacks = nullptr;
  size_t stackBytes = 0;
  ucontext_t scheduler;
  const std::function<void()> *body = nullptr;
  int running = -1;
  std::array<int64_t, 3> block{};
  /// The block's. Its stores (buffer and word) without a fence after them, and
  /// with a fence but no atomic operation after that.
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

  bool byClock;
  std::vector<std::vector<ClockWord>> clockWords;
  std::map<const char *, Mbarrier> mbarriers;
  std::vector<BulkCopy> bulkCopies;
  std::vector<CopyArrival> copyArrivals;
  uint32_t engineClock = 0;
  std::map<int32_t, std::vector<int>> atNamedBarrier;
  std::map<uint32_t, std::shared_ptr<WgmmaSums>> wgmmaSums;
  uint32_t nextSums = 0;
  /// Registers a thread by warpgroup, which of them have set theirs, and what
  /// all have together.
  std::vector<int32_t> groupRegisters;
  std::set<int32_t> setRegistersOf;
  int32_t allRegisters = 0;
  /// Stores to blocks of the cluster since its last barrier; what this block's
  /// threads knew of each other then, empty before the first; and what others
  /// stored here since.
  std::vector<ClusterStore> toBlocks;
  Clocks knownAtCluster;
  std::set<std::pair<size_t, int64_t>> received;
  std::string error;
};

/// Runs the blocks of one launch, a cluster at a time.
class LaunchRun {
public:
  LaunchRun(const LaunchShape &shape, std::vector<GlobalBuffer> global,
            std::vector<SharedBuffer> shared, uint64_t seed, bool byClock);

  /// Runs `body` once a thread in every block. Empty, or what went wrong.
  std::string run(const std::function<void()> &body);

private:
  std::string runCluster(int64_t x, int64_t y, int64_t z,
                         const std::function<void()> &body);
  std::string meet();
  void load(int member);

  LaunchShape shape;
  std::vector<GlobalBuffer> global;
  std::vector<SharedBuffer> shared;
  std::mt19937_64 random;
  bool randomOrder;
  /// One block of a cluster each, whose shared memory is `saved` while another
  /// has it.
  std::vector<std::unique_ptr<BlockRun>> members;
  std::vector<std::vector<std::vector<char>>> saved;
  int loaded = -1;
  uint32_t blocks = 0;
};

} // namespace qk::nvvm

#endif // QK_LIB_TARGET_NVVM_EMULATOR_BLOCKRUN_H
