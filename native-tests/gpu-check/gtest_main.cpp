// Runs the kernel tests where there is no GoogleTest with a main of its own.
#include <gtest/gtest.h>

int main(int argc, char** argv) { return testing::internal::run_all(argc, argv); }
