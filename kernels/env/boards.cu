// SPDX-License-Identifier: Apache-2.0
// The games on boards, and the bandit, of org.fovea.env.games, by its classes of these names, which have their rules.
#include "environment.cuh"

namespace {

struct Battleship {
    struct Constants {
        int32_t board, first_ship, second_ship, third_ship, fourth_ship, ship_fields;
        float hit_reward, miss_cost;
    };
    struct State {
        int32_t hits;
    };

    bool hit = false;

    static __device__ void reset(Copy<Battleship>& copy) {
        const Constants& c = copy.constants;
        const auto afloat = copy.bytes(0);
        for (int field = 0; field < c.board * c.board; field++) {
            afloat[field] = 0;
        }
        place(copy, c.first_ship);
        place(copy, c.second_ship);
        place(copy, c.third_ship);
        place(copy, c.fourth_ship);
        copy.state.hits = 0;
    }

    __device__ Outcome step(Copy<Battleship>& copy, const Action& action) {
        const Constants& c = copy.constants;
        int8_t& field = copy.bytes(0)[action.choice(0) * c.board + action.choice(1)];
        hit = field == 1;
        field = 0;
        copy.state.hits += hit;
        return {hit ? c.hit_reward : -c.miss_cost, copy.state.hits == c.ship_fields};
    }

    __device__ void observe(Copy<Battleship>&, Observation& out) { out.one_hot(hit ? 1 : 0, 2, 0); }

  private:
    static __device__ void place(Copy<Battleship>& copy, int ship) {
        const auto afloat = copy.bytes(0);
        const int board = copy.constants.board;
        int start, step;
        bool fits = false;
        do {
            const int row = copy.random.below(board), column = copy.random.below(board), direction = copy.random.below(4);
            const int along = direction < 2 ? row : column, sign = direction % 2 == 0 ? 1 : -1;
            const int end = along + sign * (ship - 1);
            start = row * board + column;
            step = sign * (direction < 2 ? board : 1);
            fits = end >= 0 && end < board;
            for (int part = 0; fits && part < ship; part++) {
                fits = afloat[start + part * step] == 0;
            }
        } while (!fits);
        for (int part = 0; part < ship; part++) {
            afloat[start + part * step] = 1;
        }
    }
};

struct MineSweeper {
    struct Constants {
        int32_t board, mines, counts;
        float clear_reward, seen_reward, mine_reward;
        int8_t clear, mine, clicked;
    };
    struct State {
        int32_t clicked;
    };

    int around = 0;  // mines near the field that was clicked

    static __device__ void reset(Copy<MineSweeper>& copy) {
        const Constants& c = copy.constants;
        const auto hidden = copy.bytes(0);
        const int fields = c.board * c.board;
        for (int field = 0; field < fields; field++) {
            hidden[field] = c.clear;
        }
        for (int laid = 0; laid < c.mines;) {
            int8_t& field = hidden[copy.random.below(fields)];
            laid += field == c.clear;
            field = c.mine;
        }
        copy.state.clicked = 0;
    }

    __device__ Outcome step(Copy<MineSweeper>& copy, const Action& action) {
        const Constants& c = copy.constants;
        const auto hidden = copy.bytes(0);
        const int row = action.choice(0), column = action.choice(1);
        int8_t& field = hidden[row * c.board + column];
        const bool mine = field == c.mine, seen = field == c.clicked;
        if (!mine && !seen) {
            field = c.clicked;
            copy.state.clicked++;
        }
        for (int r = max(0, row - 1); r <= min(c.board - 1, row + 1); r++) {
            for (int k = max(0, column - 1); k <= min(c.board - 1, column + 1); k++) {
                around += hidden[r * c.board + k] == c.mine;
            }
        }
        const bool done = copy.state.clicked == c.board * c.board - c.mines;
        return {mine ? c.mine_reward : seen ? c.seen_reward : c.clear_reward, mine || done};
    }

    __device__ void observe(Copy<MineSweeper>& copy, Observation& out) { out.one_hot(around, copy.constants.counts, 0); }
};

struct MultiarmedBandit {
    struct Constants {
        int32_t arms;
        float scale;
    };
    struct State {};

    bool paid = false;

    // The table has each arm's chance as the bits of a float.
    static __device__ void reset(Copy<MultiarmedBandit>& copy) {
        for (int arm = 0; arm < copy.constants.arms; arm++) {
            const float chance = float(copy.random.uniform(0, 1));
            memcpy(&copy.ints(0)[arm], &chance, sizeof(chance));
        }
    }

    __device__ Outcome step(Copy<MultiarmedBandit>& copy, const Action& action) {
        float chance;
        memcpy(&chance, &copy.ints(0)[action.choice()], sizeof(chance));
        paid = copy.random.uniform(0, 1) < chance;
        return {paid ? copy.constants.scale : -copy.constants.scale, false};
    }

    __device__ void observe(Copy<MultiarmedBandit>&, Observation& out) { out.one_hot(paid ? 1 : 0, 2, 0); }
};

}  // namespace

REGISTER_ENVIRONMENT(Battleship, battleship)
REGISTER_ENVIRONMENT(MineSweeper, mine_sweeper)
REGISTER_ENVIRONMENT(MultiarmedBandit, multiarmed_bandit)
