//===- Memory.cpp - Accesses and copies of a block's threads --------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockRun.h"

#include <cstring>

namespace qk::nvvm {

//===----------------------------------------------------------------------===//
// Memory
//===----------------------------------------------------------------------===//

void BlockRun::access(const char *address, int64_t bytes, int64_t alignment,
                      bool isStore) {
  const char *what = isStore ? "stores " : "loads ";
  if (reinterpret_cast<uintptr_t>(address) % alignment)
    fail(what + std::to_string(bytes) + " bytes at an address not aligned to " +
         std::to_string(alignment));
  for (size_t b = 0; b < shared.size(); ++b) {
    int64_t offset = address - shared[b].data;
    if (offset < 0 || offset >= int64_t(shared[b].bytes))
      continue;
    if (offset + bytes > int64_t(shared[b].bytes))
      fail(what + std::to_string(bytes) + " bytes past the end of " +
           std::to_string(shared[b].bytes) + " bytes of shared memory");
    if (byClock)
      return accessByClock(b, offset, bytes, isStore);
    for (int64_t byte = offset & ~3; byte < offset + bytes; byte += 4) {
      Word &word = words[b][byte / 4];
      const Thread &self = threads[running];
      // Ordered: a block barrier lies in between, or both are in one warp
      // with a warp barrier in between.
      auto ordered = [&](int32_t other, int32_t otherWarp, uint32_t at,
                         uint32_t warpAt) {
        return at != epoch || other == running ||
               (otherWarp == running / kWarp && warpAt < self.warpEpoch);
      };
      if (!ordered(word.writer, word.writer < 0 ? -1 : word.writer / kWarp,
                   word.writeEpoch, word.writeWarpEpoch))
        fail(std::string(isStore ? "overwrites" : "reads") + " byte " +
             std::to_string(byte) + " of shared memory that thread " +
             std::to_string(word.writer) +
             " writes, with no barrier in between");
      if (word.copier >= 0)
        fail(std::string(isStore ? "overwrites" : "reads") + " byte " +
             std::to_string(byte) +
             " of shared memory that an asynchronous copy of thread " +
             std::to_string(word.copier) + " may still write");
      if (isStore) {
        if (!ordered(word.reader, word.readerWarp, word.readEpoch,
                     word.readWarpEpoch))
          fail("overwrites byte " + std::to_string(byte) +
               " of shared memory that " +
               (word.reader >= 0 ? "thread " + std::to_string(word.reader)
                                 : std::string("other threads")) +
               " still read, with no barrier in between");
        word.writer = running;
        word.writeEpoch = epoch;
        word.writeWarpEpoch = self.warpEpoch;
        continue;
      }
      if (word.writeEpoch == 0)
        fail("reads byte " + std::to_string(byte) +
             " of shared memory that nobody wrote");
      bool another = word.readEpoch == epoch && word.reader != running;
      bool anotherWarp = another && word.readerWarp != running / kWarp;
      word.reader = another ? kManyReaders : running;
      word.readerWarp = anotherWarp ? kManyWarps : running / kWarp;
      word.readEpoch = epoch;
      word.readWarpEpoch = self.warpEpoch;
    }
    return;
  }
  for (GlobalBuffer &buffer : global) {
    int64_t offset = address - buffer.data;
    if (offset < 0 || offset + bytes > int64_t(buffer.bytes))
      continue;
    if (isStore && !buffer.writable)
      fail("stores to an input, at byte " + std::to_string(offset));
    if (buffer.writable)
      checkGlobal(buffer, offset, bytes, isStore);
    return;
  }
  // Say how far off it is from the nearest buffer.
  std::string nearest;
  int64_t best = INT64_MAX;
  for (size_t b = 0; b < global.size(); ++b) {
    int64_t past = address + bytes - (global[b].data + global[b].bytes);
    int64_t before = global[b].data - address;
    int64_t distance = past > 0 ? past : before;
    if (distance < best) {
      best = distance;
      nearest = std::to_string(distance) +
                (past > 0 ? " bytes past the end of buffer "
                          : " bytes before the start of buffer ") +
                std::to_string(b);
    }
  }
  fail(what + std::to_string(bytes) + " bytes outside the arguments" +
       (nearest.empty() ? "" : ", " + nearest));
}

//===----------------------------------------------------------------------===//
// What blocks tell each other
//===----------------------------------------------------------------------===//

/// Blocks run one after the other here, so what one stored is there for the
/// next; on a GPU it is only where a fence comes before the atomic operation
/// that tells of it, and another after the one that hears of it.
void BlockRun::checkGlobal(GlobalBuffer &buffer, int64_t offset, int64_t bytes,
                           bool isStore) {
  auto index = size_t(&buffer - global.data());
  for (int64_t word = offset / 4; word * 4 < offset + bytes; ++word) {
    GlobalStore &store = buffer.stores[word];
    if (isStore) {
      store = {blockNumber, running, epoch, false};
      unfenced.push_back({index, size_t(word)});
      continue;
    }
    auto place = [&] {
      return "byte " + std::to_string(4 * word) + " of buffer " +
             std::to_string(index);
    };
    if (store.block == 0 || store.block == blockNumber)
      continue;
    if (!store.released)
      fail("reads " + place() +
           " that another block stored, with no fence and atomic operation "
           "after the store");
    if (acquired.thread < 0 ||
        (acquired.thread != running && acquired.epoch >= epoch))
      fail("reads " + place() +
           " that another block stored, with no atomic operation and fence "
           "before the read");
  }
}

void BlockRun::fence() {
  std::erase_if(unfenced, [&](std::pair<size_t, size_t> place) {
    const GlobalStore &store = global[place.first].stores[place.second];
    bool known = store.thread == running || store.epoch < epoch;
    if (known)
      fenced.push_back(place);
    return known;
  });
  if (acquired.byAtomic)
    acquired = {false, running, epoch};
}

void BlockRun::atomic(const char *address, int64_t bytes) {
  for (GlobalBuffer &buffer : global) {
    int64_t offset = address - buffer.data;
    if (offset < 0 || offset + bytes > int64_t(buffer.bytes) ||
        !buffer.writable || offset % bytes)
      continue;
    for (auto [index, word] : fenced)
      global[index].stores[word].released = true;
    fenced.clear();
    acquired.byAtomic = true;
    return;
  }
  fail("an atomic operation outside of what the kernel may write, or not "
       "aligned to " +
       std::to_string(bytes));
}

//===----------------------------------------------------------------------===//
// cp.async
//===----------------------------------------------------------------------===//

std::pair<size_t, int64_t> BlockRun::sharedPlace(const char *address) const {
  for (size_t b = 0; b < shared.size(); ++b) {
    int64_t offset = address - shared[b].data;
    if (offset >= 0 && offset < int64_t(shared[b].bytes))
      return {b, offset};
  }
  return {shared.size(), 0};
}

void BlockRun::copyAsync(char *to, const char *from, int64_t bytes,
                         int64_t sourceBytes) {
  if (sourceBytes < 0 || sourceBytes > bytes)
    fail("copies " + std::to_string(sourceBytes) + " of " +
         std::to_string(bytes) + " bytes asynchronously");
  auto [buffer, offset] = sharedPlace(to);
  if (buffer == shared.size())
    fail("an asynchronous copy's target is not in shared memory");
  if (sourceBytes)
    access(from, sourceBytes, bytes, /*isStore=*/false);
  access(to, bytes, bytes, /*isStore=*/true);
  // As late as it may happen: until somebody waits nothing useful is there.
  std::memset(to, 0xff, bytes);
  for (int64_t byte = offset; byte < offset + bytes; byte += 4)
    (byClock ? clockWords[buffer][byte / 4].copier
             : words[buffer][byte / 4].copier) = running;
  threads[running].open.push_back({to, from, bytes, sourceBytes});
}

void BlockRun::commitCopies() {
  Thread &self = threads[running];
  self.groups.push_back(std::move(self.open));
  self.open.clear();
}

/// As a store of thread `writer`, whose clock is `clock` where there are any.
void BlockRun::finishCopy(const Copy &copy, int32_t writer, uint32_t clock) {
  auto [buffer, offset] = sharedPlace(copy.to);
  for (int64_t byte = offset; byte < offset + copy.bytes; byte += 4) {
    if (byClock) {
      ClockWord &word = clockWords[buffer][byte / 4];
      word.copier = -1;
      word.writer = writer;
      word.writeClock = clock;
      continue;
    }
    Word &word = words[buffer][byte / 4];
    word.copier = -1;
    // Now, and by this thread, as others must know by a barrier.
    word.writer = writer;
    word.writeEpoch = epoch;
    word.writeWarpEpoch = threads[writer].warpEpoch;
  }
  std::memcpy(copy.to, copy.from, copy.sourceBytes);
  std::memset(copy.to + copy.sourceBytes, 0, copy.bytes - copy.sourceBytes);
}

void BlockRun::waitCopies(int32_t pending) {
  Thread &self = threads[running];
  while (int64_t(self.groups.size()) > pending) {
    for (const Copy &copy : self.groups.front())
      finishCopy(copy, running, byClock ? self.seen[running] : 0);
    self.groups.pop_front();
  }
}

} // namespace qk::nvvm
