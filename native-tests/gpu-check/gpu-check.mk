# What gpu-check.sh runs: the kernel tests and the benchmark for a card, neither of which needs anything but a C++ compiler
# and the driver, and a simulated driver with the kernels of both in it, to try them without a card.
ON_CARD := $(OUT)/gpu-check
CARD_FLAGS := $(FLAGS) -O1 -g0 -Wno-sign-compare -DFOVEA_ON_CARD -I gpu-check
CARD_TESTS := $(patsubst tests/%.cpp,$(ON_CARD)/%.o,$(filter-out tests/planted% tests/driver%,$(wildcard tests/*_test.cpp)))
CARD_KERNELS := $(filter-out tests/planted%,$(wildcard tests/*.cu)) gpu-check/peak.cu
CARD_PROGRAMS := $(ON_CARD)/kernel-tests $(ON_CARD)/bench

gpu-check-programs: $(CARD_PROGRAMS)

# With the kernels that nvcc compiles for ARCH, besides those of ../kernels.
gpu-check-kernels: $(patsubst %.cu,$(ON_CARD)/%.fatbin,$(notdir $(CARD_KERNELS)))

gpu-check-simulator: $(CARD_PROGRAMS) $(ON_CARD)/libcuda.so.1

$(ON_CARD)/kernel-tests: $(CARD_TESTS) $(ON_CARD)/card.o $(ON_CARD)/test_main.o
	$(CXX) $(FLAGS) -o $@ $^ -ldl

$(ON_CARD)/bench: $(patsubst %,$(ON_CARD)/%.o,bench workloads report card)
	$(CXX) $(FLAGS) -o $@ $^ -ldl

$(ON_CARD)/libcuda.so.1: $(KERNEL_OBJECTS) $(SIMULATOR) $(DRIVER) $(OUT)/stubs.o $(patsubst %.cu,$(OUT)/%.o,$(CARD_KERNELS))
	$(CXX) $(FLAGS) -shared -Wl,-soname,libcuda.so.1 -o $@ $^

$(ON_CARD)/%.o: tests/%.cpp $(LAYOUT)
	@mkdir -p $(@D)
	$(CXX) $(CARD_FLAGS) -c -o $@ $<

$(ON_CARD)/%.o: gpu-check/%.cpp $(LAYOUT)
	@mkdir -p $(@D)
	$(CXX) $(CARD_FLAGS) -c -o $@ $<

$(OUT)/gpu-check/%.o: gpu-check/%.cu $(LAYOUT)
	@mkdir -p $(@D)
	$(CXX) $(KERNEL_FLAGS) -c -o $@ $<

$(ON_CARD)/%.fatbin: tests/%.cu $(LAYOUT)
	@mkdir -p $(@D)
	$(NVCC) -std=c++17 -O3 -lineinfo -I $(OUT) -arch=$(ARCH) --fatbin -o $@ $<

$(ON_CARD)/%.fatbin: gpu-check/%.cu $(LAYOUT)
	@mkdir -p $(@D)
	$(NVCC) -std=c++17 -O3 -I $(OUT) -arch=$(ARCH) --fatbin -o $@ $<

.PHONY: gpu-check-programs gpu-check-kernels gpu-check-simulator
