// Every kernel in one translation unit, which makes one fatbin.
#include "attention/forward.cu"
#include "nn/gemm.cu"
#include "nn/map.cu"
