# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# The GTest programs in build/test/Unit.
import os

import lit.formats

config.name = "qk-unit"
config.test_format = lit.formats.GoogleTest("", "Tests")
config.suffixes = []
config.test_source_root = config.qk_build_dir + "/test/Unit"
config.test_exec_root = config.test_source_root
for name in ("QK_SHARED", "OMP_NUM_THREADS", "OPENBLAS_CORETYPE",
             "ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS"):
    if name in os.environ:
        config.environment[name] = os.environ[name]
config.environment.setdefault(
    "LSAN_OPTIONS", "suppressions=%s:print_suppressions=0" % (config.qk_source_dir + "/test/lsan.supp"))
