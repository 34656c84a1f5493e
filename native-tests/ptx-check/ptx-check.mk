# SPDX-License-Identifier: Apache-2.0
# The PTX machine, and the kernel tests on it: ptx-check runs them on PTX, what nvcc has made: a fatbin or a directory of
# .ptx files, if anything has changed since they passed.
# The tests' own kernels need nvcc; without it they are left out.
PTX_MACHINE := $(patsubst %.cpp,$(OUT)/%.o,$(wildcard ptx/*.cpp))
PTX_TESTS := $(filter-out $(patsubst %,$(OUT)/tests/%,planted% driver% simulated_device.o needed_barriers.o ptx%),$(TESTS)) \
    $(patsubst %.cpp,$(OUT)/%.o,$(wildcard ptx-check/*.cpp))
NVCC ?= $(shell command -v nvcc 2> /dev/null)

# Loops over a warp's 32 lanes are vectorised; floats keep their bits.
$(PTX_MACHINE): FLAGS += -O3 -fno-strict-aliasing -fno-trapping-math -fno-math-errno -ffp-contract=off

$(OUT)/ptx-check/kernel-tests: $(PTX_MACHINE) $(PTX_TESTS)
	$(CXX) $(FLAGS) -o $@ $^ $(or $(GOOGLETEST),$(error GoogleTest is not installed (Debian: libgtest-dev)))

$(OUT)/ptx-check/%.ptx: tests/%.cu $(LAYOUT)
	@mkdir -p $(@D)
	$(NVCC) -std=c++17 -O3 -lineinfo -I $(OUT) -arch=compute_80 --ptx -o $@ $<

ptx-check: $(OUT)/ptx-check/passed$(if $(FOVEA_DEEP),-deep)

$(OUT)/ptx-check/passed $(OUT)/ptx-check/passed-deep: $(OUT)/ptx-check/kernel-tests $(PTX) \
    $(if $(NVCC),$(OUT)/ptx-check/mma_kernels.ptx)
	FOVEA_PTX=$(or $(PTX),$(error PTX must name a fatbin or a directory of .ptx files)):$(if $(NVCC),$(OUT)/ptx-check) \
	    $< --gtest_brief=1 $(if $(NVCC),,--gtest_filter=-*Mma.*)
	@touch $@

.PHONY: ptx-check
