#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""check_ptxas.py on a module for each chip.

  chips.py [--mma] QK-OPT PTXAS MODULE OUT

--mma: the chips with kernels on tensor cores, from sm_80.
"""

import os
import subprocess
import sys

CHIPS = ["sm_75", "sm_80", "sm_86", "sm_89", "sm_90", "sm_90a", "sm_100a",
         "sm_120"]

arguments = [a for a in sys.argv[1:] if a != "--mma"]
qk_opt, ptxas, module, out = arguments
if "--mma" in sys.argv:
    CHIPS.remove("sm_75")
failed = 0
for chip in CHIPS:
    subprocess.run(
        [qk_opt, module, "-o", os.devnull,
         f"--quant-llm-emit-nvvm-kernels=chip={chip}",
         f"--quant-llm-serialize-nvvm-kernels=artifacts={out}.{chip}"],
        check=True)
    check = os.path.join(os.path.dirname(__file__), "check_ptxas.py")
    failed += subprocess.run([sys.executable, check, ptxas, f"{out}.{chip}"]
                             ).returncode
sys.exit(failed)
