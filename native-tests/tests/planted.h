#pragma once

// For the kernels of planted.cu, each of which has one defect.
struct PlantedParams {
    float* out;  // [count]
    int count;   // threads
};
