// Every kernel in one translation unit, which makes one fatbin.
#include "attention/forward.cu"
#include "nn/gemm.cu"
#include "nn/generate.cu"
#include "nn/map.cu"
#include "nn/reduce.cu"
#include "nn/rows.cu"
#include "nn/strided.cu"
