//===- Worker.cpp - Runs cases on the GPU ------------------------*- C++
//-*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Worker.h"

#include "Measure.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

namespace qk::gpurun {

/// Writes a line to the parent; nobody there: there is nothing left to do.
static void send(int pipe, const Json &json) {
  std::string line = json.print() + "\n";
  for (size_t at = 0; at < line.size();) {
    ssize_t written = write(pipe, line.data() + at, line.size() - at);
    if (written <= 0)
      _exit(3);
    at += size_t(written);
  }
}

/// The child: `cases` from number `first` on.
static void work(int pipe, const Plan &plan, const std::vector<size_t> &cases,
                 size_t first, const RunOptions &options) {
  try {
    Device device;
    Measure measure(device, plan, options);
    if (first == 0) {
      send(pipe, Json::object().set("device", measure.describeDevice()));
      if (options.time) {
        send(pipe, measure.copyLimit());
        send(pipe, measure.readLimit());
      }
    }
    for (size_t i = first; i < cases.size(); ++i) {
      Json result;
      try {
        result = measure.run(plan.cases[cases[i]]);
      } catch (const Failure &failure) {
        // What the driver refused may have broken the context: a new process.
        send(pipe, Json::object()
                       .set("case", double(cases[i]))
                       .set("name", plan.cases[cases[i]].name)
                       .set("variant", plan.cases[cases[i]].variant)
                       .set("kernel", plan.cases[cases[i]].kernel)
                       .set("error", failure.text));
        _exit(2);
      }
      send(pipe, result.set("case", double(cases[i])));
    }
    // The card may be slower when it is warm.
    if (options.time) {
      send(pipe, measure.copyLimit());
      send(pipe, measure.readLimit());
    }
  } catch (const Failure &failure) {
    send(pipe, Json::object().set("fatal", failure.text));
    _exit(1);
  }
  _exit(0);
}

namespace {
/// A child and what it says, line by line.
class Child {
public:
  Child(const Plan &plan, const std::vector<size_t> &cases, size_t first,
        const RunOptions &options) {
    int ends[2];
    if (pipe(ends)) {
      error = std::string("no pipe: ") + std::strerror(errno);
      return;
    }
    process = fork();
    if (process == 0) {
      close(ends[0]);
      work(ends[1], plan, cases, first, options);
    }
    close(ends[1]);
    from = ends[0];
    if (process < 0)
      error = std::string("no process: ") + std::strerror(errno);
  }
  ~Child() {
    if (from >= 0)
      close(from);
    if (process > 0) {
      kill(process, SIGKILL);
      waitpid(process, nullptr, 0);
    }
  }

  enum State { Line, Ended, Silent };
  /// The next line, after at most `seconds`.
  State next(std::string &line, int seconds) {
    for (;;) {
      if (size_t end = buffer.find('\n'); end != std::string::npos) {
        line = buffer.substr(0, end);
        buffer.erase(0, end + 1);
        return Line;
      }
      pollfd wait = {from, POLLIN, 0};
      int ready = poll(&wait, 1, seconds * 1000);
      if (ready < 0 && errno == EINTR)
        continue;
      if (ready <= 0)
        return Silent;
      char bytes[4096];
      ssize_t got = read(from, bytes, sizeof(bytes));
      if (got <= 0)
        return Ended;
      buffer.append(bytes, size_t(got));
    }
  }

  std::string error;

private:
  pid_t process = -1;
  int from = -1;
  std::string buffer;
};
} // namespace

std::string runCases(const Plan &plan, const std::vector<size_t> &cases,
                     const RunOptions &options,
                     const std::function<void(const Json &)> &done) {
  size_t next = 0;
  bool started = false;
  while (!started || next < cases.size()) {
    Child child(plan, cases, next, options);
    if (!child.error.empty())
      return child.error;
    size_t before = next;
    std::string line, error;
    Child::State state;
    while ((state = child.next(line, options.patience)) == Child::Line) {
      Json result = parseJson(line, error);
      if (std::string fatal = result["fatal"].string(); !fatal.empty()) {
        if (!started)
          return fatal;
        error = fatal;
        break;
      }
      started = true;
      if (result["case"].kind == Json::Number)
        ++next;
      done(result);
    }
    if (next == cases.size())
      break;
    // A child that ended after a case said why; else this case is to blame.
    if (next == before || state == Child::Silent || !error.empty()) {
      const Case &blamed = plan.cases[cases[next]];
      std::string why =
          !error.empty() ? error
          : state == Child::Silent
              ? "no result after " + std::to_string(options.patience) + " s"
              : "the process ended";
      done(Json::object()
               .set("case", double(cases[next]))
               .set("name", blamed.name)
               .set("variant", blamed.variant)
               .set("kernel", blamed.kernel)
               .set("error", why));
      started = true;
      ++next;
    }
  }
  return "";
}

} // namespace qk::gpurun
