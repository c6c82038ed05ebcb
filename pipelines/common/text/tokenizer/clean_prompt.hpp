// Prompt cleaning, which affects the tokens of a prompt.
#pragma once

#include <string>
#include <string_view>

namespace fastvideo {

/// Cleans a prompt as diffusers' WanPipeline does before the tokenizer: ftfy.fix_text, html.unescape twice, strip, runs
/// of white space to one space. One part of ftfy is left out: mojibake (text decoded with the wrong encoding, as in
/// "sÃ¼Ã") is not repaired. Throws Refused for text that is not UTF-8, with the byte offset.
std::string clean_prompt(std::string_view text);

}  // namespace fastvideo
