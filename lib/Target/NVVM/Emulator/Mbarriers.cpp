//===- Mbarriers.cpp - mbarriers, bulk copies, named barriers ---*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "BlockRun.h"

#include <algorithm>
#include <cstring>

namespace qk::nvvm {

//===----------------------------------------------------------------------===//
// mbarriers
//===----------------------------------------------------------------------===//

void BlockRun::initMbarrier(const char *barrier, int32_t arrivals) {
  constexpr int64_t bytes = 8;
  if (arrivals < 1 || arrivals >= 1 << 20)
    fail("an mbarrier for " + std::to_string(arrivals) + " arrivals");
  access(barrier, bytes, bytes, /*isStore=*/true);
  Clocks none(threads.size() + 1, 0);
  mbarriers[barrier] = {arrivals, arrivals, 0, 0, none, none};
}

void BlockRun::fenceMbarrierInit() {
  // What it is weaker in than a proxy fence, nothing here depends on.
  fenceProxy();
}

/// The initialised mbarrier there, known to the running thread, and to the copy
/// engine.
BlockRun::Mbarrier &BlockRun::findMbarrier(const char *barrier,
                                           bool byCopyEngine) {
  auto [buffer, offset] = sharedPlace(barrier);
  auto found = mbarriers.find(barrier);
  if (buffer == shared.size() || found == mbarriers.end())
    fail("uses an mbarrier that nobody initialised");
  ClockWord &word = clockWords[buffer][offset / 4];
  if (!knows(running, word.writer, word.writeClock))
    fail("uses an mbarrier that thread " + std::to_string(word.writer) +
         " initialises, with no barrier in between");
  if (byCopyEngine)
    checkProxy(word, offset, running);
  return found->second;
}

void BlockRun::tryEndPhase(const char *address, Mbarrier &barrier) {
  if (barrier.pending || barrier.bytes)
    return;
  ++barrier.phase;
  barrier.pending = barrier.arrivals;
  barrier.completed = barrier.arrived;
  for (Thread &thread : threads)
    if (thread.state == State::AtMbarrier && thread.mbarrier == address &&
        (barrier.phase & 1) != thread.parity)
      thread.state = State::Ready;
}

void BlockRun::arriveAtMbarrier(const char *address, int64_t bytes) {
  Mbarrier &barrier = findMbarrier(address, /*byCopyEngine=*/false);
  Thread &self = threads[running];
  if (barrier.pending == 0)
    fail("arrives at an mbarrier that has had its " +
         std::to_string(barrier.arrivals) + " arrivals of this phase");
  --barrier.pending;
  barrier.bytes += bytes;
  for (size_t i = 0; i < self.seen.size(); ++i)
    barrier.arrived[i] = std::max(barrier.arrived[i], self.seen[i]);
  ++self.seen[running];
  tryEndPhase(address, barrier);
}

void BlockRun::arriveAfterCopies(const char *address) {
  findMbarrier(address, /*byCopyEngine=*/false);
  Thread &self = threads[running];
  CopyArrival arrival{running, self.seen[running]++, {}, address};
  for (const std::vector<Copy> &group : self.groups)
    arrival.copies.insert(arrival.copies.end(), group.begin(), group.end());
  self.groups.clear();
  arrival.copies.insert(arrival.copies.end(), self.open.begin(),
                        self.open.end());
  self.open.clear();
  copyArrivals.push_back(std::move(arrival));
}

/// That one, or an earlier one of its thread, which comes first.
void BlockRun::finishArrival(size_t index) {
  for (size_t i = 0; i < index; ++i)
    if (copyArrivals[i].thread == copyArrivals[index].thread)
      index = i;
  CopyArrival arrival = std::move(copyArrivals[index]);
  copyArrivals.erase(copyArrivals.begin() + index);
  for (const Copy &copy : arrival.copies)
    finishCopy(copy, arrival.thread, arrival.clock);
  Mbarrier &barrier = mbarriers.at(arrival.barrier);
  if (barrier.pending == 0) {
    running = arrival.thread;
    error = where() + "its copies arrive at an mbarrier that has had its " +
            std::to_string(barrier.arrivals) + " arrivals of this phase";
    return;
  }
  --barrier.pending;
  uint32_t &known = barrier.arrived[arrival.thread];
  known = std::max(known, arrival.clock);
  tryEndPhase(arrival.barrier, barrier);
}

void BlockRun::finishAnyCopy() {
  size_t bulk = bulkCopies.size(), all = bulk + copyArrivals.size();
  size_t index = randomOrder ? random() % all : 0;
  index < bulk ? finishBulkCopy(index) : finishArrival(index - bulk);
}

void BlockRun::waitForMbarrier(const char *address, uint32_t parity) {
  Mbarrier &barrier = findMbarrier(address, /*byCopyEngine=*/false);
  Thread &self = threads[running];
  // The phase of that parity has ended when the present one's is the other.
  if ((barrier.phase & 1) == (parity & 1)) {
    self.state = State::AtMbarrier;
    self.mbarrier = address;
    self.parity = parity & 1;
    yield();
  }
  for (size_t i = 0; i < self.seen.size(); ++i)
    if (int(i) != running)
      self.seen[i] = std::max(self.seen[i], barrier.completed[i]);
}

//===----------------------------------------------------------------------===//
// Bulk copies
//===----------------------------------------------------------------------===//

void BlockRun::copyBulk(char *to, const char *from, int64_t bytes,
                        const char *barrier) {
  constexpr int64_t unit = 16;
  if (bytes <= 0 || bytes % unit || reinterpret_cast<uintptr_t>(to) % unit ||
      reinterpret_cast<uintptr_t>(from) % unit)
    fail("a bulk copy of " + std::to_string(bytes) +
         " bytes, or of an address, that is not a multiple of 16");
  auto [buffer, offset] = sharedPlace(to);
  if (buffer == shared.size() || offset + bytes > int64_t(shared[buffer].bytes))
    fail("a bulk copy's target is not in shared memory");
  access(from, bytes, unit, /*isStore=*/false);
  findMbarrier(barrier, /*byCopyEngine=*/true);
  for (int64_t byte = offset; byte < offset + bytes; byte += 4) {
    ClockWord &word = clockWords[buffer][byte / 4];
    checkWrite(word, byte);
    word.copier = running;
    word.readers.clear();
  }
  std::memset(to, 0xff, bytes);
  bulkCopies.push_back({to, from, bytes, barrier});
}

void BlockRun::finishBulkCopy(size_t index) {
  BulkCopy copy = bulkCopies[index];
  bulkCopies.erase(bulkCopies.begin() + index);
  auto [buffer, offset] = sharedPlace(copy.to);
  ++engineClock;
  for (int64_t byte = offset; byte < offset + copy.bytes; byte += 4) {
    ClockWord &word = clockWords[buffer][byte / 4];
    word.copier = -1;
    word.writer = copyEngine();
    word.writeClock = engineClock;
  }
  std::memcpy(copy.to, copy.from, copy.bytes);
  Mbarrier &barrier = mbarriers.at(copy.barrier);
  barrier.bytes -= copy.bytes;
  barrier.arrived[copyEngine()] = engineClock;
  tryEndPhase(copy.barrier, barrier);
}

void BlockRun::fenceProxy() {
  Thread &self = threads[running];
  self.proxyFences.push_back(++self.seen[running]);
  self.proxyFenced = self.seen;
}

//===----------------------------------------------------------------------===//
// The rest
//===----------------------------------------------------------------------===//

void BlockRun::namedBarrier(int32_t number, int32_t count, int32_t site) {
  if (number < 1 || number > 15 || count % kWarp)
    fail("barrier " + std::to_string(number) + " of " + std::to_string(count) +
         " threads");
  std::vector<int> &waiting = atNamedBarrier[number];
  if (!waiting.empty() && threads[waiting.front()].site != site)
    fail("waits at another barrier than thread " +
         std::to_string(waiting.front()));
  waiting.push_back(running);
  threads[running].site = site;
  if (int32_t(waiting.size()) < count) {
    threads[running].state = State::AtNamedBarrier;
    return yield();
  }
  ++epoch;
  synchronize(waiting);
  for (int member : waiting)
    threads[member].state = State::Ready;
  waiting.clear();
}

void BlockRun::setRegisters(int32_t count) {
  if (count < 24 || count > 256 || count % 8)
    fail("sets the registers of a thread to " + std::to_string(count) +
         ", expected a multiple of 8 from 24 to 256");
  // A warpgroup waits for registers that nobody gives back for ever.
  constexpr size_t group = 128, registers = 65536;
  size_t groups = threads.size() / group;
  if (groupRegisters.empty())
    groupRegisters.assign(groups, int32_t(registers / threads.size() / 8 * 8));
  int32_t all = int32_t(groups) * groupRegisters.front();
  if (setRegistersOf.empty())
    allRegisters = all;
  groupRegisters[running / group] = count;
  setRegistersOf.insert(int32_t(running / group));
  int32_t sum = 0;
  for (int32_t each : groupRegisters)
    sum += each;
  if (setRegistersOf.size() == groups && sum > allRegisters)
    fail("asks for " + std::to_string(count) +
         " registers, of which the block's warpgroups have " +
         std::to_string(allRegisters) + " together: it waits for ever");
}

} // namespace qk::nvvm
