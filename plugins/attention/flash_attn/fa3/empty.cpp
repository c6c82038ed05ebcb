// A library that registers nothing, for tests.
