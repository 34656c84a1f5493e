# SPDX-License-Identifier: Apache-2.0
# The programs of gpu-check.sh, the kernel tests and a benchmark on a card. The tests are the objects of the simulator's kernel tests,
# linked with a driver that is looked up at run time in place of the simulator. GoogleTest and the C++ library are linked in,
# so that the tests can be carried to a card's machine that lacks them. To try them without a card there is a simulated driver
# with the kernels of the tests in it.
ON_CARD := $(OUT)/gpu-check
CARD_TESTS := $(filter-out $(patsubst %,$(OUT)/tests/%,planted% driver% ptx% simulated_device.o needed_barriers.o),$(TESTS))
CARD := $(ON_CARD)/card.o $(ON_CARD)/card_device.o
CARD_KERNELS := $(filter-out tests/planted%,$(wildcard tests/*.cu)) gpu-check/peak.cu

$(patsubst %,$(ON_CARD)/%.o,bench workloads report card card_device): MARCH = x86-64-v3

gpu-check-bench: $(ON_CARD)/bench

gpu-check-programs: gpu-check-bench $(if $(GOOGLETEST),$(ON_CARD)/kernel-tests)

# With the kernels that nvcc compiles for ARCH, besides those of ../kernels.
gpu-check-kernels: $(patsubst %.cu,$(ON_CARD)/%.fatbin,$(notdir $(CARD_KERNELS)))

gpu-check-simulator: gpu-check-programs $(ON_CARD)/libcuda.so.1 $(OUT)/libcublas.so.12 $(OUT)/simulated.fatbin

$(ON_CARD)/kernel-tests: $(CARD_TESTS) $(CARD)
	$(CXX) $(FLAGS) -static-libstdc++ -static-libgcc -o $@ $^ $(GOOGLETEST) -ldl

$(ON_CARD)/bench: $(patsubst %,$(ON_CARD)/%.o,bench workloads report card)
	$(CXX) $(FLAGS) -o $@ $^ -ldl

$(ON_CARD)/libcuda.so.1: $(KERNEL_OBJECTS) $(SIMULATOR) $(DRIVER) $(patsubst %.cu,$(OUT)/%.o,$(CARD_KERNELS))
	$(CXX) $(FLAGS) -shared -Wl,-soname,libcuda.so.1 -o $@ $^ -ldl

$(ON_CARD)/%.o: gpu-check/%.cu $(LAYOUT)
	@mkdir -p $(@D)
	$(COMPILE) $(KERNEL_FLAGS) -c -o $@ $<

$(ON_CARD)/%.fatbin: tests/%.cu $(LAYOUT)
	@mkdir -p $(@D)
	$(NVCC) -std=c++17 -O3 -lineinfo -I $(OUT) -arch=$(ARCH) --fatbin -o $@ $<

$(ON_CARD)/%.fatbin: gpu-check/%.cu $(LAYOUT)
	@mkdir -p $(@D)
	$(NVCC) -std=c++17 -O3 -I $(OUT) -arch=$(ARCH) --fatbin -o $@ $<

.PHONY: gpu-check-bench gpu-check-programs gpu-check-kernels gpu-check-simulator
