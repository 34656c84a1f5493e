// SPDX-License-Identifier: Apache-2.0
// Environments on the device: a thread plays a copy. An environment is a struct, whose class in Java, a
// org.fovea.env.BatchedEnvironment with an org.fovea.env.DeviceForm, has the same rules:
//
//   struct Walk {
//       struct Constants { double pace; };          // the record DeviceForm.constants(), in its order
//       struct State { double position; };          // state variables of one number a copy, in the order in which Java makes them
//       __device__ static void reset(Copy<Walk>& copy);                    // begins an episode
//       __device__ Outcome step(Copy<Walk>& copy, const Action& action);   // copy.elapsed doesn't count this step yet
//       __device__ void observe(Copy<Walk>& copy, Observation& out);       // after reset or step; copy.elapsed counts it
//       __device__ void allow(Copy<Walk>& copy, int32_t* choices);         // where masksActions(): writes 0 for what is forbidden
//   };
//   REGISTER_ENVIRONMENT(Walk, walk)
//
// A member of the struct lasts from step to the observe that follows it. What has many numbers a copy is a table in device memory,
// copy.bytes(k) or copy.ints(k), k counting those that Java makes. Everything else is done here, as BatchedEnvironment does it:
// random numbers, time limits, final observations, and the next episode in the step in which one ends.
//
// The state is one array of words: a header, then planes of one word for each copy, so that neighbouring threads read neighbouring
// words. org.fovea.env.DeviceState reads and writes the same.
#pragma once
#include <cstring>
#include <type_traits>

#include "../common/cuda.cuh"
#include "params.h"
#include "real.cuh"

// The indices of org.fovea.backend.rl.EnvironmentCopies, which explains them.
namespace layout {
enum Header { SEED, FIRST_INDEX = 2, FAILURES, STATE_BYTES, CONSTANT_BYTES, HEADER_WORDS };
enum Plane { ELAPSED, AGE, FAILED_ELEMENT, FAILED_AGE, EPISODE, RANDOM = 6, STATE = 8 };
enum Failure { NOT_FAILED = -1, REWARD = -2 };  // of FAILED_ELEMENT, else an element of the observation
}  // namespace layout

// org.fovea.env.SplitMix64, and what BatchedEnvironment draws from it.
struct Random {
    static constexpr uint64_t GAMMA = 0x9E3779B97F4A7C15;

    uint64_t state;

    static __device__ uint64_t mix(uint64_t z) {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    static __device__ Random of_episode(uint64_t seed, int64_t environment, int64_t episode) {
        return {mix(mix(mix(seed + GAMMA) + uint64_t(environment) + GAMMA) + uint64_t(episode) + GAMMA)};
    }

    __device__ uint64_t bits() { return mix(state += GAMMA); }

    // From [low, high), 53 bits.
    __device__ double uniform(double low, double high) { return low + (high - low) * (double(bits() >> 11) * 0x1p-53); }

    // From the standard normal distribution.
    __device__ double normal() {
        const double radius = sqrt(-2 * natural_logarithm(1 - uniform(0, 1)));
        return radius * cosine(2 * PI * uniform(0, 1));
    }

    // From 0 to bound - 1.
    __device__ int below(int bound) { return int(((bits() >> 32) * uint64_t(bound)) >> 32); }
};

// A state variable of several numbers a copy.
template <class T>
struct Table {
    T* first;
    int64_t count;
    __device__ T& operator[](int place) const { return first[place * count]; }
};

// What a step came to.
struct Outcome {
    float reward;
    bool terminated;
};

// What the policy chose for a copy.
struct Action {
    const EnvironmentParams& p;
    int64_t copy;

    __device__ int choice(int part = 0) const { return p.choices[copy * p.action_size + part]; }

    // Brought within bounds as org.fovea.rl.policy.ActionBounds does it, if that wasn't done before.
    __device__ float value(int i = 0) const {
        const float drawn = p.values[copy * p.action_size + i];
        if (!p.bounds) {
            return drawn;
        }
        const float low = p.bounds[i], high = p.bounds[p.action_size + i];
        const bool bounded = is_finite(low) && is_finite(high);
        const double middle = bounded ? 0.5 * (double(low) + high) : 0, half = bounded ? 0.5 * (double(high) - low) : 1;
        const double unit = p.tanh && bounded ? hyperbolic_tangent(drawn) : double(drawn);
        return clipped(float(middle + half * unit), low, high);
    }
};

// A row of observations, to be written: out[j] = x, or one_hot.
class Observation {
    struct Element {
        Observation& row;
        int j;
        __device__ void operator=(float x) {
            row.first[j] = x;
            row.failed = row.failed == layout::NOT_FAILED && !is_finite(x) ? j : row.failed;
        }
    };
    float* first;

  public:
    int failed = layout::NOT_FAILED;  // the first element that isn't finite

    __device__ explicit Observation(float* row) : first(row) {}
    __device__ Element operator[](int j) { return {*this, j}; }

    // A choice as n numbers from `at` on: 1 for the one that was made, 0 for the others.
    __device__ void one_hot(int choice, int n, int at) {
        for (int j = 0; j < n; j++) {
            first[at + j] = j == choice ? 1 : 0;
        }
    }
};

// Whether an environment forbids choices.
template <class E, class = void>
struct Forbids : std::false_type {};
template <class E>
struct Forbids<E, std::void_t<decltype(&E::allow)>> : std::true_type {};

// One copy of an environment while it is played.
template <class E>
struct Copy {
    static constexpr bool STATELESS = std::is_empty_v<typename E::State>;
    static constexpr int STATE_WORDS = STATELESS ? 0 : int(sizeof(typename E::State) / 4);

    const EnvironmentParams& p;
    int64_t index;
    typename E::Constants constants;
    typename E::State state;
    Random random;
    int elapsed;  // steps taken in the episode
    int age;
    int64_t episode;

    __device__ Copy(const EnvironmentParams& p, int64_t index) : p(p), index(index) {
        memcpy(&constants, p.constants, sizeof(constants));
        if constexpr (!STATELESS) {
            uint32_t words[STATE_WORDS];
#pragma unroll
            for (int w = 0; w < STATE_WORDS; w++) {
                words[w] = plane(layout::STATE + w);
            }
            memcpy(&state, words, sizeof(state));
        }
        random = {wide(layout::RANDOM)};
        elapsed = plane(layout::ELAPSED);
        age = plane(layout::AGE);
        episode = int64_t(wide(layout::EPISODE));
    }

    __device__ void store() {
        if constexpr (!STATELESS) {
            uint32_t words[STATE_WORDS];
            memcpy(words, &state, sizeof(state));
#pragma unroll
            for (int w = 0; w < STATE_WORDS; w++) {
                plane(layout::STATE + w) = int32_t(words[w]);
            }
        }
        store_wide(layout::RANDOM, random.state);
        plane(layout::ELAPSED) = elapsed;
        plane(layout::AGE) = age;
        store_wide(layout::EPISODE, uint64_t(episode));
    }

    __device__ Table<int8_t> bytes(int k) const { return {reinterpret_cast<int8_t*>(p.tables[k]) + index, p.count}; }
    __device__ Table<int32_t> ints(int k) const { return {reinterpret_cast<int32_t*>(p.tables[k]) + index, p.count}; }

    __device__ void begin_episode() {
        elapsed = 0;
        random = Random::of_episode(two_words(p.state + layout::SEED, 1), p.state[layout::FIRST_INDEX] + index, episode);
        E::reset(*this);
    }

    // Notes the first number that isn't finite.
    __device__ void fail(int element) {
        if (element != layout::NOT_FAILED && plane(layout::FAILED_ELEMENT) == layout::NOT_FAILED) {
            plane(layout::FAILED_ELEMENT) = element;
            plane(layout::FAILED_AGE) = age;
            atomicAdd(p.state + layout::FAILURES, 1);
        }
    }

  private:
    __device__ int32_t& plane(int number) const { return p.state[layout::HEADER_WORDS + number * int64_t(p.count) + index]; }

    static __device__ uint64_t two_words(const int32_t* low, int64_t apart) {
        return uint64_t(uint32_t(low[0])) | uint64_t(uint32_t(low[apart])) << 32;
    }

    __device__ uint64_t wide(int number) const { return two_words(&plane(number), p.count); }

    __device__ void store_wide(int number, uint64_t value) {
        plane(number) = int32_t(uint32_t(value));
        plane(number + 1) = int32_t(uint32_t(value >> 32));
    }
};

template <class E>
__device__ void step_copies(const EnvironmentParams& p) {
    constexpr int state_bytes = 4 * Copy<E>::STATE_WORDS, constant_bytes = std::is_empty_v<typename E::Constants> ? 0 : int(sizeof(typename E::Constants));
    static_assert(constant_bytes <= int(sizeof(p.constants)), "an environment has 256 bytes of constants at most");
    if (p.state_bytes != state_bytes || p.constant_bytes != constant_bytes) {
        // Java names both.
        p.state[layout::STATE_BYTES] = state_bytes;
        p.state[layout::CONSTANT_BYTES] = constant_bytes;
        return;
    }
    FOR_EACH_ELEMENT(i, p.count) {
        Copy<E> copy(p, i);
        E environment{};
        const Outcome outcome = environment.step(copy, Action{p, i});
        copy.elapsed++;
        copy.age++;
        const bool out_of_time = copy.elapsed >= p.time_limit;
        p.rewards[i] = outcome.reward;
        p.terminated[i] = outcome.terminated;
        p.truncated[i] = out_of_time && !outcome.terminated;
        copy.fail(is_finite(outcome.reward) ? layout::NOT_FAILED : layout::REWARD);
        // What the step led to, and where that ended an episode the beginning of the next.
        bool ended = outcome.terminated || out_of_time;
        float* rows = ended ? p.final_observations : p.observations;
        while (true) {
            Observation out(rows + i * p.observation_size);
            environment.observe(copy, out);
            copy.fail(out.failed);
            if (!ended) {
                break;
            }
            copy.episode++;
            environment = E();
            copy.begin_episode();
            ended = false;
            rows = p.observations;
        }
        if constexpr (Forbids<E>::value) {
            int32_t* allowed = p.action_masks + i * p.choice_count;
            for (int j = 0; j < p.choice_count; j++) {
                allowed[j] = 1;
            }
            environment.allow(copy, allowed);
        }
        copy.store();
    }
}

// Names the kernel environment_NAME, which DeviceForm.kernel() calls NAME.
#define REGISTER_ENVIRONMENT(Environment, name)                                                                                  \
    extern "C" __global__ void __launch_bounds__(64) environment_##name(const __grid_constant__ EnvironmentParams p) {             \
        step_copies<Environment>(p);                                                                                             \
    }                                                                                                                            \
    REGISTER_KERNEL(environment_##name)
