# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""make_tokenizer.py FOLDER: writes a tokenizer.json of single letters that
frames a sentence by 1 and 2, and asks for a truncation that must not be done
to a text."""

import sys

from tokenizers import Tokenizer, models, pre_tokenizers, processors

words = ["?", "[", "]", "a", "b", "c", "d", "e", "f", "g"]
tokenizer = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)},
                                       unk_token="?"))
tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
tokenizer.post_processor = processors.TemplateProcessing(
    single="[ $A ]", special_tokens=[("[", 1), ("]", 2)])
tokenizer.enable_truncation(3)
tokenizer.enable_padding(length=3)
tokenizer.save(sys.argv[1] + "/tokenizer.json")
