# What gpu-check.sh runs: the kernel tests and a benchmark on a card. They are the objects of the simulator's kernel tests,
# linked with a driver that is looked up at run time in place of the simulator; nothing but a C++ compiler is needed. To try
# them without a card there is a simulated driver with the kernels of the tests in it.
ON_CARD := $(OUT)/gpu-check
CARD_TESTS := $(patsubst %.cpp,$(OUT)/%.o,$(filter-out tests/planted% tests/driver%,$(wildcard tests/*_test.cpp)))
CARD := $(ON_CARD)/card.o $(ON_CARD)/card_device.o
CARD_KERNELS := $(filter-out tests/planted%,$(wildcard tests/*.cu)) gpu-check/peak.cu

# Without GoogleTest the part of it that the tests use.
ifeq ($(shell echo '\#include <gtest/gtest.h>' | $(CXX) -E -x c++ - > /dev/null 2>&1 && echo found),found)
GTEST := -lgtest -lgtest_main -lpthread
else
GTEST := $(ON_CARD)/gtest_main.o
$(CARD_TESTS): FLAGS += -I gpu-check -Wno-sign-compare
endif

gpu-check-programs: $(ON_CARD)/kernel-tests $(ON_CARD)/bench

# With the kernels that nvcc compiles for ARCH, besides those of ../kernels.
gpu-check-kernels: $(patsubst %.cu,$(ON_CARD)/%.fatbin,$(notdir $(CARD_KERNELS)))

gpu-check-simulator: gpu-check-programs $(ON_CARD)/libcuda.so.1 $(ON_CARD)/mma-test $(OUT)/libcublas.so.12 $(OUT)/simulated.fatbin

$(ON_CARD)/kernel-tests: $(CARD_TESTS) $(CARD) $(filter %.o,$(GTEST))
	$(CXX) $(FLAGS) -o $@ $(CARD_TESTS) $(CARD) $(GTEST) -ldl

$(ON_CARD)/bench: $(patsubst %,$(ON_CARD)/%.o,bench workloads report card)
	$(CXX) $(FLAGS) -o $@ $^ -ldl

$(ON_CARD)/libcuda.so.1: $(KERNEL_OBJECTS) $(SIMULATOR) $(DRIVER) $(OUT)/stubs.o $(patsubst %.cu,$(OUT)/%.o,$(CARD_KERNELS))
	$(CXX) $(FLAGS) -shared -Wl,-soname,libcuda.so.1 -o $@ $^

# One suite as it is built without GoogleTest.
$(ON_CARD)/mma-test: $(ON_CARD)/mma_test.o $(CARD) $(ON_CARD)/gtest_main.o
	$(CXX) $(FLAGS) -o $@ $^ -ldl

$(ON_CARD)/mma_test.o: FLAGS += -I gpu-check -Wno-sign-compare
$(ON_CARD)/mma_test.o: tests/mma_test.cpp $(LAYOUT)
	@mkdir -p $(@D)
	$(CXX) $(FLAGS) -c -o $@ $<

$(ON_CARD)/gtest_main.o: FLAGS += -I gpu-check

$(ON_CARD)/%.o: gpu-check/%.cu $(LAYOUT)
	@mkdir -p $(@D)
	$(CXX) $(KERNEL_FLAGS) -c -o $@ $<

$(ON_CARD)/%.fatbin: tests/%.cu $(LAYOUT)
	@mkdir -p $(@D)
	$(NVCC) -std=c++17 -O3 -lineinfo -I $(OUT) -arch=$(ARCH) --fatbin -o $@ $<

$(ON_CARD)/%.fatbin: gpu-check/%.cu $(LAYOUT)
	@mkdir -p $(@D)
	$(NVCC) -std=c++17 -O3 -I $(OUT) -arch=$(ARCH) --fatbin -o $@ $<

.PHONY: gpu-check-programs gpu-check-kernels gpu-check-simulator
