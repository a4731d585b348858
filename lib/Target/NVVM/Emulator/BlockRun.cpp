//===- BlockRun.cpp - One thread block on fibres ----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockRun.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <sys/mman.h>

namespace qk::nvvm {

BlockRun *BlockRun::current = nullptr;

BlockRun::BlockRun(const LaunchShape &shape, std::vector<GlobalBuffer> &global,
                   const std::vector<SharedBuffer> &shared,
                   std::mt19937_64 &random, bool randomOrder, bool byClock)
    : shape(shape), global(global), shared(shared), random(random),
      randomOrder(randomOrder), byClock(byClock) {
  threads.resize(shape.block[0] * shape.block[1] * shape.block[2]);
  // Touched pages only cost memory; kernels compiled without optimisation
  // keep much on the stack.
  stackBytes = 256 << 10;
  void *memory =
      mmap(nullptr, stackBytes * threads.size(), PROT_READ | PROT_WRITE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED)
    error = "no memory for the stacks of " + std::to_string(threads.size()) +
            " threads";
  else
    stacks = static_cast<char *>(memory);
}

BlockRun::~BlockRun() {
  if (stacks)
    munmap(stacks, stackBytes * threads.size());
}

//===----------------------------------------------------------------------===//
// Scheduling
//===----------------------------------------------------------------------===//

void BlockRun::enterThread() {
  BlockRun &self = *current;
  (*self.body)();
  self.threads[self.running].state = State::Done;
  setcontext(&self.scheduler);
}

void BlockRun::start(std::array<int64_t, 3> place, uint32_t number,
                     const std::function<void()> &threadBody) {
  body = &threadBody;
  block = place;
  epoch = 1;
  blockNumber = number;
  toBlocks.clear();
  knownAtCluster.clear();
  received.clear();
  unfenced.clear();
  fenced.clear();
  acquired = Acquired();
  words.clear();
  for (const SharedBuffer &buffer : shared) {
    // NaN in every float type: what is not written shows.
    std::memset(buffer.data, 0xff, buffer.bytes);
    words.emplace_back((buffer.bytes + 3) / 4);
  }
  for (size_t i = 0; i < threads.size(); ++i) {
    Thread &thread = threads[i];
    thread.state = State::Ready;
    thread.warpEpoch = 0;
    thread.open.clear();
    thread.groups.clear();
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = stacks + i * stackBytes;
    thread.context.uc_stack.ss_size = stackBytes;
    thread.context.uc_link = nullptr;
    makecontext(&thread.context, enterThread, 0);
  }
  if (byClock)
    startClocks();
}

void BlockRun::advance() {
  while (error.empty()) {
    // A copy may be done any time; in the order of threads as late as it can.
    if (randomOrder && anyCopyUnderWay() && random() % 64 == 0)
      finishAnyCopy();
    if (!error.empty())
      return;
    running = pickReady();
    if (running < 0 && anyCopyUnderWay()) {
      finishAnyCopy();
      continue;
    }
    if (running >= 0) {
      swapcontext(&scheduler, &threads[running].context);
      continue;
    }
    // Nobody can run: everybody is done, at a barrier, or stuck.
    size_t done = 0, waiting = 0, named = 0, atMbarriers = 0, atCluster = 0;
    int example = -1;
    for (size_t i = 0; i < threads.size(); ++i) {
      done += threads[i].state == State::Done;
      waiting += threads[i].state == State::AtBarrier;
      named += threads[i].state == State::AtNamedBarrier;
      atMbarriers += threads[i].state == State::AtMbarrier;
      atCluster += threads[i].state == State::AtCluster;
      if (threads[i].state != State::Done)
        example = int(i);
    }
    if (done + atCluster == threads.size())
      return;
    if (waiting == threads.size()) {
      releaseBarrier();
      continue;
    }
    running = example;
    size_t atWarp =
        threads.size() - done - waiting - named - atMbarriers - atCluster;
    error = where() + "waits for ever: " + std::to_string(waiting) + " of " +
            std::to_string(threads.size()) + " threads are at a barrier, " +
            std::to_string(atWarp) + " at a warp operation, ";
    if (byClock)
      error += std::to_string(named) + " at a named barrier, " +
               std::to_string(atMbarriers) + " at an mbarrier, ";
    if (shape.cluster > 1)
      error += std::to_string(atCluster) + " at the cluster's barrier, ";
    error += std::to_string(done) + " have ended";
  }
}

int BlockRun::pickReady() {
  size_t count = threads.size();
  size_t start = randomOrder ? random() % count : 0;
  for (size_t i = 0; i < count; ++i) {
    size_t candidate = (start + i) % count;
    if (threads[candidate].state == State::Ready)
      return int(candidate);
  }
  return -1;
}

void BlockRun::yield() { swapcontext(&threads[running].context, &scheduler); }

void BlockRun::releaseBarrier() {
  for (size_t i = 0; i < threads.size(); ++i)
    if (threads[i].site != threads[0].site) {
      running = int(i);
      error = where() + "waits at another barrier than thread 0";
      return;
    }
  ++epoch;
  if (byClock) {
    std::vector<int> all(threads.size());
    std::iota(all.begin(), all.end(), 0);
    synchronize(all);
  }
  for (Thread &thread : threads) {
    thread.state = State::Ready;
    thread.warpEpoch = 0;
  }
}

std::string BlockRun::where() const {
  return "block (" + std::to_string(block[0]) + ", " +
         std::to_string(block[1]) + ", " + std::to_string(block[2]) +
         "), thread " + std::to_string(running) + ": ";
}

void BlockRun::fail(std::string message) {
  error = where() + message;
  setcontext(&scheduler);
  __builtin_unreachable();
}

//===----------------------------------------------------------------------===//
// Registers and rendezvous
//===----------------------------------------------------------------------===//

int32_t BlockRun::special(Special which) const {
  int64_t x = shape.block[0], y = shape.block[1];
  switch (which) {
  case Special::TidX:
    return int32_t(running % x);
  case Special::TidY:
    return int32_t(running / x % y);
  case Special::TidZ:
    return int32_t(running / (x * y));
  case Special::NTidX:
  case Special::NTidY:
  case Special::NTidZ:
    return int32_t(shape.block[int(which) - int(Special::NTidX)]);
  case Special::CTAIdX:
  case Special::CTAIdY:
  case Special::CTAIdZ:
    return int32_t(block[int(which) - int(Special::CTAIdX)]);
  case Special::NCTAIdX:
  case Special::NCTAIdY:
  case Special::NCTAIdZ:
    return int32_t(shape.grid[int(which) - int(Special::NCTAIdX)]);
  case Special::LaneId:
    return running % kWarp;
  case Special::WarpSize:
    return kWarp;
  }
  return 0;
}

void BlockRun::barrier(int32_t id, int32_t site) {
  if (id != 0)
    fail("named barrier " + std::to_string(id) + " is not emulated");
  threads[running].state = State::AtBarrier;
  threads[running].site = site;
  yield();
}

/// Waits until all lanes of `mask` have arrived at `site`. The last one runs
/// `together` (with the warp's first thread) before any goes on.
void BlockRun::arriveAtWarp(uint32_t mask, int32_t site,
                            const std::function<void(int)> &together) {
  Thread &self = threads[running];
  int lane = running % kWarp, first = running - lane;
  if (!(mask >> lane & 1))
    fail("executes a warp operation whose mask leaves it out");
  self.state = State::AtWarp;
  self.mask = mask;
  self.site = site;
  bool all = true;
  for (int other = 0; other < kWarp; ++other) {
    if (!(mask >> other & 1))
      continue;
    if (size_t(first + other) >= threads.size() ||
        threads[first + other].state == State::Done)
      fail("a warp operation waits for lane " + std::to_string(other) +
           ", which has ended");
    const Thread &thread = threads[first + other];
    if (thread.state != State::AtWarp)
      all = false;
    else if (thread.site != site || thread.mask != mask)
      fail("lane " + std::to_string(other) + " is at another warp operation");
  }
  if (!all)
    return yield();
  if (together)
    together(first);
  for (int other = 0; other < kWarp; ++other)
    if (mask >> other & 1) {
      threads[first + other].state = State::Ready;
      ++threads[first + other].warpEpoch;
    }
}

void BlockRun::warpBarrier(uint32_t mask, int32_t site) {
  if (!byClock)
    return arriveAtWarp(mask, site);
  arriveAtWarp(mask, site, [&](int first) {
    std::vector<int> lanes;
    for (int lane = 0; lane < kWarp; ++lane)
      if (mask >> lane & 1)
        lanes.push_back(first + lane);
    synchronize(lanes);
  });
}

} // namespace qk::nvvm
