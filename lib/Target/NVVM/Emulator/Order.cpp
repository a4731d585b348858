//===- Order.cpp - Who knows of what, by clocks -----------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
///
/// \file
/// Kernels whose threads meet at mbarriers have no epochs in common. Each
/// thread has a clock, and knows how far it has heard of every other one's
/// (vector clocks: Lamport 1978, Mattern 1989): barriers and phases of
/// mbarriers pass that on. An access is in order if the one before it lies
/// within what the thread has heard of.
///
/// Tensor cores and the copy engine see what threads wrote only after a proxy
/// fence: of the writer, which the reader must have heard of too, or of the
/// reader, after it has heard of the write.
///
//===----------------------------------------------------------------------===//

#include "BlockRun.h"

#include <algorithm>

namespace qk::nvvm {

void BlockRun::startClocks() {
  for (size_t i = 0; i < threads.size(); ++i) {
    Thread &thread = threads[i];
    thread.seen.assign(threads.size() + 1, 0);
    thread.seen[i] = 1;
    thread.proxyFences.clear();
    thread.proxyFenced.assign(threads.size() + 1, 0);
    thread.wgmmaFenced = false;
    thread.openWgmmas.clear();
    thread.wgmmaGroups.clear();
  }
  clockWords.clear();
  for (const SharedBuffer &buffer : shared)
    clockWords.emplace_back((buffer.bytes + 3) / 4);
  mbarriers.clear();
  bulkCopies.clear();
  copyArrivals.clear();
  atNamedBarrier.clear();
  wgmmaSums.clear();
  engineClock = 0;
  groupRegisters.clear();
  setRegistersOf.clear();
}

void BlockRun::synchronize(const std::vector<int> &members) {
  Clocks all(threads.size() + 1, 0);
  for (int member : members)
    for (size_t i = 0; i < all.size(); ++i)
      all[i] = std::max(all[i], threads[member].seen[i]);
  for (int member : members) {
    threads[member].seen = all;
    ++threads[member].seen[member];
  }
}

bool BlockRun::knows(int thread, int32_t other, uint32_t clock) const {
  return other < 0 || other == thread || threads[thread].seen[other] >= clock;
}

void BlockRun::checkWrite(const ClockWord &word, int64_t byte) {
  std::string what =
      "overwrites byte " + std::to_string(byte) + " of shared memory that ";
  auto name = [&](int32_t writer) {
    return writer == copyEngine() ? std::string("a bulk copy")
                                  : "thread " + std::to_string(writer);
  };
  if (word.copier >= 0)
    fail(what + "an asynchronous copy of thread " +
         std::to_string(word.copier) + " may still write");
  if (!knows(running, word.writer, word.writeClock))
    fail(what + name(word.writer) + " writes, with no barrier in between");
  if (word.multiplications)
    fail(what + "a multiplication under way may still read");
  for (const ClockWord::Reader &reader : word.readers)
    if (!knows(running, reader.thread, reader.clock))
      fail(what + name(reader.thread) +
           " still reads, with no barrier in between");
}

void BlockRun::readWord(ClockWord &word, int64_t byte, int reader) {
  std::string what =
      "reads byte " + std::to_string(byte) + " of shared memory that ";
  if (word.copier >= 0)
    fail(what + "an asynchronous copy of thread " +
         std::to_string(word.copier) + " may still write");
  if (word.writer < 0)
    fail(what + "nobody wrote");
  if (!knows(reader, word.writer, word.writeClock))
    fail(what +
         (word.writer == copyEngine()
              ? std::string("a bulk copy")
              : "thread " + std::to_string(word.writer)) +
         " writes, with no barrier in between");
  uint32_t clock = threads[reader].seen[reader];
  for (ClockWord::Reader &known : word.readers)
    if (known.thread == reader) {
      known.clock = clock;
      return;
    }
  word.readers.push_back({reader, clock});
}

void BlockRun::checkProxy(const ClockWord &word, int64_t byte, int reader) {
  if (word.writer < 0 || word.writer == copyEngine())
    return;
  if (threads[reader].proxyFenced[word.writer] >= word.writeClock)
    return;
  const std::vector<uint32_t> &fences = threads[word.writer].proxyFences;
  auto fence = std::upper_bound(fences.begin(), fences.end(), word.writeClock);
  if (fence == fences.end() || !knows(reader, word.writer, *fence))
    fail("reads byte " + std::to_string(byte) +
         " of shared memory past the caches of threads, with no proxy fence "
         "after thread " +
         std::to_string(word.writer) + " wrote it");
}

void BlockRun::accessByClock(size_t buffer, int64_t offset, int64_t bytes,
                             bool isStore) {
  for (int64_t byte = offset & ~3; byte < offset + bytes; byte += 4) {
    ClockWord &word = clockWords[buffer][byte / 4];
    if (!isStore) {
      readWord(word, byte, running);
      continue;
    }
    checkWrite(word, byte);
    word.writer = running;
    word.writeClock = threads[running].seen[running];
    word.readers.clear();
  }
}

} // namespace qk::nvvm
