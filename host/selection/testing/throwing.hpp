// Makes functions of a test plugin's table do what the C++ layer of the SDK would never let them, or nobody expects.
#pragma once

#include <fastvideo/abi.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cfenv>
#include <chrono>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <locale>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace fastvideo::test {

/// What the variable FAKE_DOES, "attention.plan=exit", says that this function does; empty: nothing.
inline std::string_view told_to(std::string_view function) {
  const char* text = std::getenv("FAKE_DOES");
  const std::string_view all = text != nullptr ? text : "";
  const size_t end = all.find('=');
  return end != std::string_view::npos && all.substr(0, end) == function ? all.substr(end + 1) : std::string_view();
}

/// Leaves the process in another state than it was in.
inline void upset_process() {
  struct Grouped : std::numpunct<char> {
    char do_thousands_sep() const override { return '\''; }
    std::string do_grouping() const override { return "\1"; }
  };
  std::locale::global(std::locale(std::locale::classic(), new Grouped));
  std::setlocale(LC_ALL, "C.UTF-8");
  for (const int standard : {0, 1, 2}) ::close(standard);
  ::umask(0);
  static_cast<void>(::chdir("/") == 0);
  std::fesetround(FE_UPWARD);
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

/// Throws if the variable FAKE_THROWS is this name, such as "attention.plan". Ends the process in the way that
/// FAKE_DOES says, or hangs. True if the function is to say that it was cancelled.
inline bool throw_in(std::string_view function) {
  const char* where = std::getenv("FAKE_THROWS");
  if (where != nullptr && where == function) throw std::runtime_error("thrown on purpose");
  const std::string_view act = told_to(function);
  if (act == "exit") std::exit(0);
  if (act == "exit_elsewhere") std::thread([] { std::exit(0); }).join();
  if (act == "quick_exit") std::quick_exit(0);
  if (act == "exit_handler") std::atexit([] { std::_Exit(7); });
  if (act == "upset") upset_process();
  if (act == "segv") std::raise(SIGSEGV);
  if (act == "segv_elsewhere") std::thread([] { std::raise(SIGSEGV); }).join();
  if (act == "fpe") std::raise(SIGFPE);
  if (act == "ill") std::raise(SIGILL);
  if (act == "abort") std::abort();
  if (act == "terminate") std::terminate();
  if (act == "hang")
    for (;;) std::this_thread::sleep_for(std::chrono::seconds(1));
  return act == "cancelled";
}

/// Puts a buffer that is none in the place of the one that the function was lent for its error, and throws, if
/// FAKE_DOES says "spoil_text" of it.
inline void spoil_text_in(std::string_view function, fv_text* error) {
  if (told_to(function) != "spoil_text") return;
  *error = {reinterpret_cast<char*>(16), 1u << 20, 0};
  throw std::runtime_error("thrown on purpose");
}

}  // namespace fastvideo::test
