// The main function of tests that ctest runs as one program: exit code 77, which ctest reports as skipped, if all tests
// were skipped; a failure among them counts as a failure.
#include <gtest/gtest.h>

int main(int argc, char** argv) {
  constexpr int kSkipped = 77;
  testing::InitGoogleTest(&argc, argv);
  const int result = RUN_ALL_TESTS();
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  const bool only_skipped = all.skipped_test_count() > 0 && all.skipped_test_count() == all.test_to_run_count();
  return result == 0 && only_skipped ? kSkipped : result;
}
