#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

#include "host/cli/own_installation.hpp"
#include "host/cli/tool.hpp"
#include "host/error/error.hpp"

namespace fastvideo::host {

namespace {

const char* tool_of(CommandLine::Command command) {
  using Command = CommandLine::Command;
  if (command == Command::check_plugin) return "fastvideo-check";
  if (command == Command::calibrate) return "fastvideo-calibrate";
  if (command == Command::bench || command == Command::bench_attention) return "fastvideo-bench";
  throw std::logic_error("a command of the program itself has no tool");
}

}  // namespace

void start_tool(const ToolCall& call) {
  const char* const name = tool_of(call.line.command);
  const std::string program = (tools_of(own_installation()) / name).string();
  std::vector<std::string> words{name};
  words.insert(words.end(), call.arguments.begin(), call.arguments.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  execv(program.c_str(), pointers.data());
  if (errno == ENOENT)
    throw RequestError("this command is a program of its own, " + program +
                       ", which is not installed; ./dev build builds it in a source tree");
  throw std::system_error(errno, std::generic_category(), program + " cannot be started");
}

}  // namespace fastvideo::host
