# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What lit.cfg.py needs a module for: lit passes it to other processes."""

import re

import lit.formats

# The tool as a command, not where it is part of a path.
OPT_IN_COMMANDS = r"(?<![/\w-])qk-opt(?![\w-])"


class RoundTripTest(lit.formats.ShTest):
    """The tests whose commands run qk-opt: the others would do the same again."""

    def getTestsForPath(self, suite, path, lit_config, local_config):
        for test in super().getTestsForPath(suite, path, lit_config, local_config):
            with open(test.getSourcePath(), encoding="utf-8", errors="replace") as file:
                if re.search("RUN:.*" + OPT_IN_COMMANDS, file.read()):
                    yield test
