//===- Results.cpp - What a run gave, in files and in words ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "Results.h"
#include "qk/Execution/Compare.h"
#include "qk/Storage/Npy.h"
#include "qk/Storage/Safetensors.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>
#include <malloc.h>

using namespace qk;
using llvm::Error;
using llvm::Expected;
using llvm::StringRef;
using llvm::Twine;
using storage::makeError;

Expected<Tensor> qk::readNpy(StringRef path) {
  auto opened = storage::NpyFile::open(path);
  if (!opened)
    return opened.takeError();
  return Tensor::view((*opened)->tensor(), *opened);
}

/// The tensors of an .npy or safetensors file, by name; .npy is "out0".
static Expected<Results> readResults(StringRef path) {
  Results results;
  if (path.ends_with(".npy")) {
    Expected<Tensor> tensor = readNpy(path);
    if (!tensor)
      return tensor.takeError();
    results.emplace_back("out0", std::move(*tensor));
    return results;
  }
  auto opened = storage::SafetensorsFile::open(path);
  if (!opened)
    return opened.takeError();
  for (const storage::TensorView &view : (*opened)->tensors())
    results.emplace_back(view.name.str(), Tensor::view(view, *opened));
  return results;
}

Results qk::joinSamples(std::vector<std::vector<Tensor>> samples,
                        bool isBatch) {
  Results results;
  for (size_t out = 0; out < samples.front().size(); ++out) {
    std::string name = "out" + llvm::utostr(out);
    if (!isBatch) {
      results.emplace_back(name, samples.front()[out]);
      continue;
    }
    bool same = llvm::all_of(samples, [&](const std::vector<Tensor> &sample) {
      return sample[out].shape == samples.front()[out].shape;
    });
    if (!same) {
      for (size_t s = 0; s < samples.size(); ++s)
        results.emplace_back(name + "." + llvm::utostr(s), samples[s][out]);
      continue;
    }
    std::vector<int64_t> shape = samples.front()[out].shape;
    shape.insert(shape.begin(), samples.size());
    Tensor all = Tensor::allocate(samples.front()[out].type, shape);
    auto *to = const_cast<uint8_t *>(all.data);
    // Logits of whole texts take gigabytes: each sample's go as they are
    // copied, so that never two of all are held.
    for (std::vector<Tensor> &sample : samples) {
      to = std::copy_n(sample[out].data, sample[out].bytes().size(), to);
      bool large = sample[out].bytes().size() >= (1 << 24);
      sample[out] = Tensor();
      // Running programs keep what is freed (Executable.cpp).
      if (large)
        malloc_trim(0);
    }
    results.emplace_back(name, std::move(all));
  }
  return results;
}

Error qk::writeResults(StringRef path, const Results &results) {
  if (path.ends_with(".npy")) {
    if (results.size() != 1)
      return makeError(Twine(path) + ": an .npy file holds one tensor, got " +
                       Twine(results.size()) +
                       "; name a .safetensors file instead");
    const Tensor &tensor = results.front().second;
    return storage::writeNpy(path, tensor.type, tensor.shape, tensor.bytes());
  }
  if (!path.ends_with(".safetensors"))
    return makeError(Twine(path) + ": expected a name that ends in .npy or "
                                   ".safetensors");
  storage::SafetensorsWriter writer(path);
  for (const auto &[name, tensor] : results)
    if (Error error = writer.declare(name, tensor.type, tensor.shape))
      return error;
  for (const auto &[name, tensor] : results)
    if (Error error = writer.write(name, tensor.bytes()))
      return error;
  return writer.commit();
}

Expected<bool> qk::compareResults(const Results &results, StringRef expected,
                                  double relativeTolerance,
                                  double absoluteTolerance) {
  auto wanted = readResults(expected);
  if (!wanted)
    return wanted.takeError();
  if (wanted->size() != results.size())
    return makeError(Twine(expected) + ": expected " + Twine(results.size()) +
                     " tensors, one for each result, got " +
                     Twine(wanted->size()));
  bool good = true;
  for (const auto &[name, tensor] : results) {
    auto found = llvm::find_if(*wanted, [&name = name](const auto &each) {
      return each.first == name;
    });
    if (found == wanted->end())
      return makeError(Twine(expected) + ": no tensor '" + name + "'");
    auto difference =
        compare(tensor, found->second, relativeTolerance, absoluteTolerance);
    if (!difference)
      return makeError(Twine(expected) + ": " + name + ": " +
                       toString(difference.takeError()));
    llvm::outs() << name << ": largest difference "
                 << llvm::format("%.3g", difference->largest);
    if (difference->largest > 0) {
      llvm::outs() << " at [";
      llvm::interleaveComma(difference->where, llvm::outs());
      llvm::outs() << llvm::format("] (got %.9g, expected %.9g)",
                                   difference->got, difference->expected);
    }
    llvm::outs() << llvm::format(", relative error %.3g", difference->relative);
    if (difference->beyond) {
      llvm::outs() << ": " << difference->beyond << " of "
                   << tensor.numElements()
                   << llvm::format(" elements beyond atol %g + rtol %g",
                                   absoluteTolerance, relativeTolerance);
      good = false;
    }
    llvm::outs() << "\n";
  }
  return good;
}

void qk::describeResults(const Results &results) {
  for (const auto &[name, tensor] : results) {
    double smallest = INFINITY, largest = -INFINITY, sum = 0;
    for (double value : tensor.toDoubles()) {
      smallest = std::min(smallest, value);
      largest = std::max(largest, value);
      sum += value;
    }
    llvm::outs() << name << ": " << tensor.describe();
    if (tensor.numElements())
      llvm::outs() << llvm::format(", from %.6g to %.6g, mean %.6g", smallest,
                                   largest, sum / tensor.numElements());
    llvm::outs() << "\n";
  }
}
