// SPDX-License-Identifier: Apache-2.0
// Tasks of memory, and pictures, of org.fovea.env.games, by its classes of these names, which have their rules.
#include "environment.cuh"

namespace {

struct TMaze {
    struct Constants {
        int32_t length;
    };
    struct State {
        int32_t way;
    };

    static __device__ void reset(Copy<TMaze>& copy) { copy.state.way = copy.random.below(2); }

    __device__ Outcome step(Copy<TMaze>& copy, const Action& action) {
        const bool at_junction = copy.elapsed == copy.constants.length;
        return {at_junction && action.choice() == copy.state.way ? 1.0f : 0.0f, at_junction};
    }

    __device__ void observe(Copy<TMaze>& copy, Observation& out) {
        out[0] = copy.elapsed > 0 ? 0 : copy.state.way == 0 ? 1 : -1;
        out[1] = copy.elapsed >= copy.constants.length ? 1 : 0;
    }
};

struct MemoryChain {
    struct Constants {
        int32_t length, bits;
    };
    struct State {
        int32_t context, query;
    };

    static __device__ void reset(Copy<MemoryChain>& copy) {
        copy.state.context = copy.random.below(1 << copy.constants.bits);
        copy.state.query = copy.random.below(copy.constants.bits);
    }

    __device__ Outcome step(Copy<MemoryChain>& copy, const Action& action) {
        const bool last = copy.elapsed == copy.constants.length;
        const bool right = action.choice() == ((copy.state.context >> copy.state.query) & 1);
        return {last ? right ? 1.0f : -1.0f : 0.0f, last};
    }

    // The first step shows what reset did.
    __device__ void observe(Copy<MemoryChain>& copy, Observation& out) {
        const int time = max(0, copy.elapsed - 1), length = copy.constants.length;
        out[0] = float(1 - time / double(length));
        out[1] = time == length - 1 ? copy.state.query : 0;
        for (int bit = 0; bit < copy.constants.bits; bit++) {
            out[2 + bit] = time == 0 ? 2 * ((copy.state.context >> bit) & 1) - 1 : 0;
        }
    }
};

struct ProofOfMemory {
    struct Constants {
        int32_t end, farthest_start, shown_steps;
        float step_cost, end_reward;
    };
    struct State {
        int32_t position, worth_of_left;
    };

    static __device__ void reset(Copy<ProofOfMemory>& copy) {
        const int farthest = copy.constants.farthest_start;
        copy.state.position = copy.random.below(2 * farthest + 1) - farthest;
        copy.state.worth_of_left = copy.random.below(2) == 0 ? -1 : 1;
    }

    __device__ Outcome step(Copy<ProofOfMemory>& copy, const Action& action) {
        const Constants& c = copy.constants;
        const bool frozen = copy.elapsed < c.shown_steps;
        int& position = copy.state.position;
        if (!frozen) {
            position += action.choice() == 1 ? 1 : -1;
        }
        const bool at_end = abs(position) == c.end, good = (position < 0) == (copy.state.worth_of_left > 0);
        return {at_end ? good ? c.end_reward : -c.end_reward : frozen ? 0 : -c.step_cost, at_end};
    }

    __device__ void observe(Copy<ProofOfMemory>& copy, Observation& out) {
        const int worth = copy.elapsed < copy.constants.shown_steps ? copy.state.worth_of_left : 0;
        out[0] = worth;
        out[1] = copy.state.position / float(copy.constants.end);
        out[2] = -worth;
    }
};

struct Catch {
    struct Constants {
        int32_t rows, columns;
        float lit;
    };
    struct State {
        int32_t ball, paddle;
    };

    static __device__ void reset(Copy<Catch>& copy) {
        copy.state.ball = copy.random.below(copy.constants.columns);
        copy.state.paddle = copy.constants.columns / 2;
    }

    __device__ Outcome step(Copy<Catch>& copy, const Action& action) {
        State& s = copy.state;
        s.paddle = clipped(s.paddle + action.choice() - 1, 0, copy.constants.columns - 1);
        const bool down = copy.elapsed + 1 == copy.constants.rows - 1;
        return {down ? s.paddle == s.ball ? 1.0f : -1.0f : 0.0f, down};
    }

    __device__ void observe(Copy<Catch>& copy, Observation& out) {
        const int rows = copy.constants.rows, columns = copy.constants.columns;
        for (int j = 0; j < rows * columns; j++) {
            out[j] = 0;
        }
        out[copy.elapsed * columns + copy.state.ball] = copy.constants.lit;
        out[(rows - 1) * columns + copy.state.paddle] = copy.constants.lit;
    }
};

// A set of entities on a grid, in an order that is drawn anew in each step.
struct EntityGrid {
    struct Constants {
        int32_t side, least, most, wanted, colours;
        float wanted_reward, other_cost;
    };
    struct State {
        int32_t agent, sign, left;
    };
    static constexpr int MOST = 64;  // entities, of any grid

    static __device__ void reset(Copy<EntityGrid>& copy) {
        const Constants& c = copy.constants;
        State& s = copy.state;
        const auto items = copy.bytes(0);
        const int cells = c.side * c.side;
        for (int cell = 0; cell < cells; cell++) {
            items[cell] = 0;
        }
        s.agent = copy.random.below(cells);
        s.sign = copy.random.below(c.colours);
        s.left = c.wanted;
        const int number = c.least + copy.random.below(c.most - c.least + 1);
        for (int placed = 0; placed < number;) {
            const int cell = copy.random.below(cells);
            if (cell != s.agent && items[cell] == 0) {
                const int colour = placed < c.wanted ? s.sign : (s.sign + 1 + copy.random.below(c.colours - 1)) % c.colours;
                items[cell] = int8_t(colour + 1);
                placed++;
            }
        }
    }

    __device__ Outcome step(Copy<EntityGrid>& copy, const Action& action) {
        const Constants& c = copy.constants;
        State& s = copy.state;
        const int choice = action.choice();
        const int column = s.agent % c.side + (choice == 0 ? -1 : choice == 1 ? 1 : 0);
        const int row = s.agent / c.side + (choice == 2 ? -1 : choice == 3 ? 1 : 0);
        if (column >= 0 && column < c.side && row >= 0 && row < c.side) {
            s.agent = row * c.side + column;
        }
        int8_t& item = copy.bytes(0)[s.agent];
        const bool is_wanted = item == s.sign + 1;
        const float reward = is_wanted ? c.wanted_reward : item > 0 ? -c.other_cost : 0;
        s.left -= is_wanted;
        item = 0;
        return {reward, s.left == 0};
    }

    __device__ void observe(Copy<EntityGrid>& copy, Observation& out) {
        const Constants& c = copy.constants;
        const State& s = copy.state;
        const auto items = copy.bytes(0);
        // Cells with an item, and -1 for the sign.
        int8_t order[MOST];
        order[0] = -1;
        int number = 1;
        for (int cell = 0; cell < c.side * c.side; cell++) {
            if (items[cell] > 0) {
                const int other = copy.random.below(number + 1);
                if (other < number) {
                    order[number] = order[other];
                }
                order[other] = int8_t(cell);
                number++;
            }
        }
        const int features = 3 + c.colours, size = (c.most + 1) * features;
        for (int j = 0; j < size; j++) {
            out[j] = 0;
        }
        for (int k = 0; k < number; k++) {
            const int at = k * features, cell = order[k];
            if (cell < 0) {
                out[at + 2] = 1;
                out[at + 3 + s.sign] = 1;
            } else {
                out[at] = float(cell % c.side - s.agent % c.side) / c.side;
                out[at + 1] = float(cell / c.side - s.agent / c.side) / c.side;
                out[at + 2 + items[cell]] = 1;
            }
        }
        out[size] = number;
    }
};

// Two choices, of which some are forbidden: nothing that the policy may choose is refused here.
struct Dispatch {
    struct Constants {
        int32_t machines, speeds, largest, steps;
        double power_price;
    };
    struct State {
        int32_t job;
    };

    static __device__ void reset(Copy<Dispatch>& copy) {
        for (int m = 0; m < copy.constants.machines; m++) {
            copy.ints(0)[m] = 0;
        }
        copy.state.job = 1 + copy.random.below(copy.constants.largest);
    }

    __device__ Outcome step(Copy<Dispatch>& copy, const Action& action) {
        const Constants& c = copy.constants;
        const auto left = copy.ints(0), speed = copy.ints(1);
        const int machine = action.choice(0), v = action.choice(1) + 1;
        double reward = 0;
        if (machine < c.machines) {
            left[machine] = copy.state.job;
            speed[machine] = v;
            reward = 1 - c.power_price * (v - 1) * ((copy.state.job + v - 1) / v);
        }
        for (int m = 0; m < c.machines; m++) {
            left[m] = max(0, left[m] - speed[m]);
        }
        copy.state.job = 1 + copy.random.below(c.largest);
        return {float(reward / c.steps), false};
    }

    __device__ void observe(Copy<Dispatch>& copy, Observation& out) {
        const Constants& c = copy.constants;
        out[0] = float(copy.state.job) / c.largest;
        for (int m = 0; m < c.machines; m++) {
            out[1 + m] = float(copy.ints(0)[m]) / c.largest;
        }
        out[1 + c.machines] = any_at_full_speed(copy) ? 1 : 0;
    }

    __device__ void allow(Copy<Dispatch>& copy, int32_t* choices) {
        const Constants& c = copy.constants;
        for (int m = 0; m < c.machines; m++) {
            choices[m] = copy.ints(0)[m] == 0;
        }
        choices[c.machines + c.speeds] = !any_at_full_speed(copy);
    }

  private:
    static __device__ bool any_at_full_speed(const Copy<Dispatch>& copy) {
        bool any = false;
        for (int m = 0; m < copy.constants.machines; m++) {
            any |= copy.ints(0)[m] > 0 && copy.ints(1)[m] == copy.constants.speeds;
        }
        return any;
    }
};

}  // namespace

REGISTER_ENVIRONMENT(TMaze, t_maze)
REGISTER_ENVIRONMENT(MemoryChain, memory_chain)
REGISTER_ENVIRONMENT(ProofOfMemory, proof_of_memory)
REGISTER_ENVIRONMENT(Catch, catch)
REGISTER_ENVIRONMENT(EntityGrid, entity_grid)
REGISTER_ENVIRONMENT(Dispatch, dispatch)
