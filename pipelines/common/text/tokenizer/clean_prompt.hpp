// Prompt cleaning, which decides what tokens a prompt has.
#pragma once

#include <string>
#include <string_view>

namespace fastvideo {

/// What diffusers' WanPipeline does to a prompt before the tokenizer: ftfy.fix_text, html.unescape twice, strip,
/// runs of white space to one space. One part of ftfy is left out: mojibake (text decoded with the wrong encoding, as
/// in "sÃ¼Ã") is not repaired. Throws Refused for text that is not UTF-8, with the byte offset.
std::string clean_prompt(std::string_view text);

}  // namespace fastvideo
