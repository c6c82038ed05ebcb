#include "tools/check/report.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

namespace fastvideo::host::conformance {
namespace {

// The output of a Reporter that `body` uses.
template <class Body>
std::string written(Body&& body) {
  int ends[2];
  if (pipe(ends) != 0) throw std::runtime_error("no pipe");
  Reporter report(ends[1]);
  body(report, ends[1]);
  close(ends[1]);
  std::string text(65536, '\0');
  const ssize_t count = read(ends[0], text.data(), text.size());
  close(ends[0]);
  text.resize(count > 0 ? static_cast<size_t>(count) : 0);
  return text;
}

TEST(Report, ComesBackAsItWasMade) {
  const Report report = read_report(written([](Reporter& r, int) {
    EXPECT_TRUE(r.check("one", [] {}));
    EXPECT_FALSE(r.check("two", [] { throw Fault("bad\nin two lines \x1d\x1e"); }));
    EXPECT_TRUE(r.check("three", [] { throw Skipped("no need"); }));
    EXPECT_FALSE(r.check("four", [] { throw RequestError("refused"); }));
    EXPECT_FALSE(r.check("five", [] { throw std::logic_error("theirs"); }));
    EXPECT_FALSE(r.check("six", [] { throw 6; }));
    r.complete();
  }));
  ASSERT_EQ(report.findings.size(), 6u);
  EXPECT_EQ(report.findings[0].check, "one");
  EXPECT_EQ(report.findings[0].outcome, Outcome::passed);
  EXPECT_EQ(report.findings[1].text, "bad\nin two lines ??");
  EXPECT_EQ(report.findings[2].outcome, Outcome::skipped);
  EXPECT_EQ(report.findings[3].text, "refused");
  EXPECT_EQ(report.findings[4].text, "threw an exception across the ABI: theirs");
  EXPECT_EQ(report.findings[5].text, "threw an exception across the ABI, which is no std::exception");
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.unfinished, "");
  EXPECT_EQ(report.stray, "");
}

TEST(Report, OfAChildThatDied) {
  const std::string whole = written([](Reporter& r, int descriptor) {
    r.check("one", [] {});
    r.check("two", [&] { EXPECT_EQ(write(descriptor, "hello", 5), 5); });
  });
  const Report report = read_report(whole.substr(0, whole.rfind('\x1e')));
  ASSERT_EQ(report.findings.size(), 1u);
  EXPECT_EQ(report.unfinished, "two");
  EXPECT_EQ(report.stray, "hello");
  EXPECT_FALSE(report.complete);
  // A report that is cut anywhere is read without an error.
  for (size_t i = 0; i <= whole.size(); ++i) EXPECT_LE(read_report(whole.substr(0, i)).findings.size(), 2u);
}

}  // namespace
}  // namespace fastvideo::host::conformance
