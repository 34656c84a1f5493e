// SPDX-License-Identifier: Apache-2.0
// A corridor with wind: walk from a random place to the right end. DeviceCorridor.java has the same rules.
#include "environment.cuh"

namespace {

struct Corridor {
    struct Constants {
        double length, pace, gust;
        float step_cost;
    };
    struct State {
        double place;
        int32_t gusts;
    };

    static __device__ void reset(Copy<Corridor>& copy) {
        copy.state.place = copy.random.uniform(0, copy.constants.length / 2);
        copy.state.gusts = 0;
    }

    __device__ Outcome step(Copy<Corridor>& copy, const Action& action) {
        const Constants& c = copy.constants;
        double wind = 0;
        if (copy.random.below(4) == 0) {
            wind = copy.random.uniform(-c.gust, c.gust);
            copy.state.gusts++;
        }
        const double moved = copy.state.place + (action.choice() == 1 ? c.pace : -c.pace) + wind;
        copy.state.place = fmax(0.0, moved);
        const bool there = copy.state.place >= c.length;
        return {there ? 1 : -c.step_cost, there};
    }

    __device__ void observe(Copy<Corridor>& copy, Observation& out) {
        out[0] = float(copy.state.place / copy.constants.length);
        out[1] = copy.state.gusts;
    }
};

}  // namespace

REGISTER_ENVIRONMENT(Corridor, corridor)
