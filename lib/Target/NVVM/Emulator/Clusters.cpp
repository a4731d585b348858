//===- Clusters.cpp - Blocks of a launch and of clusters --------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Clusters run block by block until all threads of each have ended or wait at
/// the cluster's barrier. What blocks store to each other's shared memory
/// arrives there, as late as it may. It is in order where the block itself has
/// not touched those bytes since the barrier before.
///
//===----------------------------------------------------------------------===//

#include "BlockRun.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace qk::nvvm {

//===----------------------------------------------------------------------===//
// The launch
//===----------------------------------------------------------------------===//

LaunchRun::LaunchRun(const LaunchShape &shape, std::vector<GlobalBuffer> global,
                     std::vector<SharedBuffer> shared, uint64_t seed,
                     bool byClock)
    : shape(shape), global(std::move(global)), shared(std::move(shared)),
      random(seed), randomOrder(seed != 0) {
  for (int64_t i = 0; i < shape.cluster; ++i) {
    members.push_back(std::make_unique<BlockRun>(
        shape, this->global, this->shared, random, randomOrder, byClock));
    saved.emplace_back();
    for (const SharedBuffer &buffer : this->shared)
      saved.back().emplace_back(shape.cluster > 1 ? buffer.bytes : 0);
  }
}

std::string LaunchRun::run(const std::function<void()> &body) {
  BlockRun *outer = BlockRun::current;
  for (GlobalBuffer &buffer : global)
    if (buffer.writable)
      buffer.stores.resize((buffer.bytes + 3) / 4);
  int64_t x = shape.grid[0], y = shape.grid[1];
  int64_t count = x * y * shape.grid[2] / shape.cluster;
  std::vector<int64_t> order(std::max<int64_t>(count, 0));
  std::iota(order.begin(), order.end(), 0);
  if (randomOrder)
    std::shuffle(order.begin(), order.end(), random);
  std::string error;
  for (int64_t linear : order) {
    error = runCluster(linear % x, linear / x % y,
                       linear / (x * y) * shape.cluster, body);
    if (!error.empty())
      break;
  }
  BlockRun::current = outer;
  return error;
}

/// Gives `member` the shared memory; -1: nobody has it.
void LaunchRun::load(int member) {
  if (shape.cluster == 1 || loaded == member)
    return;
  for (size_t b = 0; b < shared.size(); ++b) {
    if (loaded >= 0)
      std::memcpy(saved[loaded][b].data(), shared[b].data, shared[b].bytes);
    if (member >= 0)
      std::memcpy(shared[b].data, saved[member][b].data(), shared[b].bytes);
  }
  loaded = member;
}

std::string LaunchRun::runCluster(int64_t x, int64_t y, int64_t z,
                                  const std::function<void()> &body) {
  for (size_t i = 0; i < members.size(); ++i) {
    load(int(i));
    members[i]->start({x, y, z + int64_t(i)}, ++blocks, body);
  }
  for (;;) {
    size_t ended = 0;
    for (size_t i = 0; i < members.size(); ++i) {
      load(int(i));
      BlockRun::current = members[i].get();
      members[i]->advance();
      if (!members[i]->whatWentWrong().empty())
        return members[i]->whatWentWrong();
      ended += members[i]->hasEnded();
    }
    load(-1);
    if (std::string error = meet(); !error.empty())
      return error;
    if (ended == members.size())
      return "";
  }
}

/// All blocks are at the cluster's barrier, or have ended.
std::string LaunchRun::meet() {
  int32_t site = -1;
  for (const auto &member : members) {
    if (member->hasEnded())
      continue;
    int32_t here = member->clusterSite();
    if (here < 0 || (site >= 0 && here != site))
      return "threads of a cluster wait at different barriers of the cluster";
    site = here;
  }
  for (const auto &member : members)
    for (const ClusterStore &store : member->clusterStores()) {
      if (member->hasEnded())
        return "a block ends after a store to block " +
               std::to_string(store.rank) +
               " of its cluster, with no barrier of the cluster after it";
      BlockRun &target = *members[store.rank];
      std::string error = target.receive(
          store, members.size() == 1 ? shared[store.buffer].data
                                     : saved[store.rank][store.buffer].data());
      if (!error.empty())
        return error;
    }
  for (const auto &member : members)
    member->releaseCluster();
  return "";
}

//===----------------------------------------------------------------------===//
// A block
//===----------------------------------------------------------------------===//

bool BlockRun::hasEnded() const {
  return std::all_of(threads.begin(), threads.end(), [](const Thread &thread) {
    return thread.state == State::Done;
  });
}

void BlockRun::clusterBarrier(int32_t site) {
  threads[running].state = State::AtCluster;
  threads[running].site = site;
  yield();
}

int32_t BlockRun::clusterSite() const {
  int32_t site = -1;
  for (const Thread &thread : threads) {
    if (thread.state != State::AtCluster)
      continue;
    if (site >= 0 && thread.site != site)
      return -1;
    site = thread.site;
  }
  return site;
}

void BlockRun::releaseCluster() {
  std::vector<int> waiting;
  for (size_t i = 0; i < threads.size(); ++i)
    if (threads[i].state == State::AtCluster) {
      waiting.push_back(int(i));
      threads[i].state = State::Ready;
    }
  toBlocks.clear();
  received.clear();
  if (!byClock || waiting.empty())
    return;
  synchronize(waiting);
  knownAtCluster = threads[waiting.front()].seen;
  // Not what they do from now on.
  for (int member : waiting)
    knownAtCluster[member] = threads[member].seen[member] - 1;
}

/// A name is a rank, a variable and a byte of it.
constexpr int kRankShift = 28, kBufferShift = 24;

uint32_t BlockRun::mapShared(const char *address, int32_t rank) {
  auto [buffer, offset] = sharedPlace(address);
  if (buffer == shared.size())
    fail("maps an address that is not in shared memory");
  if (rank < 0 || rank >= shape.cluster)
    fail("names block " + std::to_string(rank) + " of a cluster of " +
         std::to_string(shape.cluster));
  return uint32_t(rank) << kRankShift | uint32_t(buffer) << kBufferShift |
         uint32_t(offset);
}

void BlockRun::storeToBlock(uint32_t name,
                            const std::array<uint32_t, 4> &words) {
  ClusterStore store{running, int32_t(name >> kRankShift),
                     name >> kBufferShift & 15,
                     int64_t(name & ((1 << kBufferShift) - 1)), words};
  if (!byClock)
    fail("stores to a block of its cluster in a kernel without mbarriers, "
         "which is not emulated");
  if (knownAtCluster.empty())
    fail("stores to block " + std::to_string(store.rank) +
         " of its cluster, which may not have started: no barrier of the "
         "cluster before");
  if (store.offset % 16 || store.offset + 16 > int64_t(shared[0].bytes))
    fail("stores to a block of its cluster past the end of shared memory or "
         "not aligned to 16 bytes");
  toBlocks.push_back(store);
}

std::string BlockRun::receive(const ClusterStore &store, char *memory) {
  std::string what =
      "thread " + std::to_string(store.thread) + " of a block stores to byte " +
      std::to_string(store.offset) + " of shared memory of block " +
      std::to_string(store.rank) + " of its cluster, ";
  if (hasEnded())
    return what + "which has ended";
  auto isKnown = [&](int32_t thread, uint32_t clock) {
    return thread < 0 || clock <= knownAtCluster[thread];
  };
  for (int64_t byte = store.offset; byte < store.offset + 16; byte += 4) {
    ClockWord &word = clockWords[store.buffer][byte / 4];
    bool isFree = word.copier < 0 && !word.multiplications &&
                  isKnown(word.writer, word.writeClock);
    for (const ClockWord::Reader &reader : word.readers)
      isFree = isFree && isKnown(reader.thread, reader.clock);
    if (!isFree)
      return what + "which uses it, with no barrier of the cluster in between";
    if (!received.insert({store.buffer, byte}).second)
      return what + "as another thread does";
    // Known to all that the barrier releases.
    word.writer = 0;
    word.writeClock = 0;
    word.readers.clear();
  }
  std::memcpy(memory + store.offset, store.words.data(), 16);
  return "";
}

} // namespace qk::nvvm
