// SPDX-License-Identifier: Apache-2.0
// The games of cards of org.fovea.env.games, by its classes of these names, which have their rules.
#include "environment.cuh"

namespace {

// What every game knows of its cards: how many there are, in decks of how many, how many that follow each other have one
// face, and how many faces there are.
struct Pack {
    int32_t cards, deck, run, faces;

    // Fisher and Yates, inside out.
    __device__ void shuffle(Random& random, const Table<int8_t>& pile) const {
        for (int card = 0; card < cards; card++) {
            const int other = random.below(card + 1);
            pile[card] = pile[other];
            pile[other] = int8_t(card % deck / run % faces);
        }
    }
};

// Games of which a pile in the order in which it is dealt is the whole state.
struct Dealing {
    struct Constants {
        Pack pack;
        float reward;
    };
    struct State {};

    template <class E>
    static __device__ void shuffle(Copy<E>& copy) {
        copy.constants.pack.shuffle(copy.random, copy.bytes(0));
    }

    template <class E>
    __device__ void observe(Copy<E>& copy, Observation& out) {
        out.one_hot(copy.bytes(0)[copy.elapsed], copy.constants.pack.faces, 0);
    }

    template <class E>
    static __device__ float reward(const Copy<E>& copy, bool right) {
        return right ? copy.constants.reward : -copy.constants.reward;
    }
};

struct RepeatPrevious : Dealing {
    struct Constants {
        Pack pack;
        float reward;
        int32_t k;  // the card that is asked for, 1 for the newest
    };

    static __device__ void reset(Copy<RepeatPrevious>& copy) { shuffle(copy); }

    __device__ Outcome step(Copy<RepeatPrevious>& copy, const Action& action) {
        const int dealt = copy.elapsed + 1, k = copy.constants.k;
        const bool asked = dealt >= k;
        const bool right = asked && action.choice() == copy.bytes(0)[dealt - k];
        return {asked ? reward(copy, right) : 0, dealt == copy.constants.pack.cards - 1};
    }
};

struct RepeatFirst : Dealing {
    static __device__ void reset(Copy<RepeatFirst>& copy) { shuffle(copy); }

    __device__ Outcome step(Copy<RepeatFirst>& copy, const Action& action) {
        return {reward(copy, action.choice() == copy.bytes(0)[0]), copy.elapsed + 1 == copy.constants.pack.cards - 1};
    }
};

struct HigherLower : Dealing {
    static __device__ void reset(Copy<HigherLower>& copy) { shuffle(copy); }

    __device__ Outcome step(Copy<HigherLower>& copy, const Action& action) {
        const int dealt = copy.elapsed + 1, rank = copy.bytes(0)[dealt], before = copy.bytes(0)[dealt - 1];
        const int difference = (rank > before) - (rank < before);
        return {float(action.choice() == 0 ? difference : -difference) * copy.constants.reward,
                dealt == copy.constants.pack.cards - 1};
    }
};

struct Autoencode : Dealing {
    static constexpr int MODES = 2, RECITE = 0, WATCH = 1;

    static __device__ void reset(Copy<Autoencode>& copy) { shuffle(copy); }

    __device__ Outcome step(Copy<Autoencode>& copy, const Action& action) {
        const int cards = copy.constants.pack.cards, recited = copy.elapsed + 1 - cards;
        if (recited < 0) {
            return {0, false};
        }
        return {reward(copy, action.choice() == copy.bytes(0)[cards - 1 - recited]), recited == cards - 1};
    }

    __device__ void observe(Copy<Autoencode>& copy, Observation& out) {
        const int cards = copy.constants.pack.cards, dealt = copy.elapsed;
        out.one_hot(dealt < cards - 1 ? WATCH : RECITE, MODES, 0);
        out.one_hot(dealt < cards ? copy.bytes(0)[dealt] : 0, copy.constants.pack.faces, MODES);
    }
};

struct CountRecall {
    struct Constants {
        Pack pack;
        float reward;
    };
    struct State {};

    static __device__ void reset(Copy<CountRecall>& copy) {
        const Pack& pack = copy.constants.pack;
        pack.shuffle(copy.random, copy.bytes(0));
        pack.shuffle(copy.random, copy.bytes(1));
        for (int face = 0; face < pack.faces; face++) {
            copy.ints(2)[face] = 0;
        }
        copy.ints(2)[copy.bytes(0)[0]]++;
    }

    __device__ Outcome step(Copy<CountRecall>& copy, const Action& action) {
        const int newest = copy.elapsed;
        const bool right = action.choice() == copy.ints(2)[copy.bytes(1)[newest]];
        copy.ints(2)[copy.bytes(0)[newest + 1]]++;
        return {right ? copy.constants.reward : -copy.constants.reward, newest == copy.constants.pack.cards - 2};
    }

    __device__ void observe(Copy<CountRecall>& copy, Observation& out) {
        const int faces = copy.constants.pack.faces;
        out.one_hot(copy.bytes(0)[copy.elapsed], faces, 0);
        out.one_hot(copy.bytes(1)[copy.elapsed], faces, faces);
    }
};

struct Concentration {
    struct Constants {
        Pack pack;
        float pair_reward, card_cost;
        int8_t down, in_turn, up;
    };
    struct State {
        int32_t first, up;
    };
    static constexpr int NO_CARD = -1;

    // Cards that the step turned, which are seen though they may lie face down again.
    int turned = NO_CARD, other = NO_CARD;

    static __device__ void reset(Copy<Concentration>& copy) {
        const Pack& pack = copy.constants.pack;
        pack.shuffle(copy.random, copy.bytes(0));
        for (int place = 0; place < pack.cards; place++) {
            copy.bytes(1)[place] = copy.constants.down;
        }
        copy.state = {NO_CARD, 0};
    }

    __device__ Outcome step(Copy<Concentration>& copy, const Action& action) {
        const Constants& c = copy.constants;
        const auto pile = copy.bytes(0), side = copy.bytes(1);
        const int place = action.choice();
        turned = place;
        other = copy.state.first;
        float reward = 0;
        bool turn_ends = true;
        if (side[place] == c.up) {
            reward = (other == NO_CARD ? -1 : -2) * c.card_cost;
        } else if (other == NO_CARD) {
            side[place] = c.in_turn;
            turn_ends = false;
        } else if (other != place && pile[other] == pile[place]) {
            reward = c.pair_reward;
            side[other] = side[place] = c.up;
            copy.state.up += 2;
        } else {
            reward = -2 * c.card_cost;
        }
        if (turn_ends && other != NO_CARD && side[other] == c.in_turn) {
            side[other] = c.down;
        }
        copy.state.first = turn_ends ? NO_CARD : place;
        return {reward, copy.state.up == c.pack.cards};
    }

    __device__ void observe(Copy<Concentration>& copy, Observation& out) {
        const auto pile = copy.bytes(0), side = copy.bytes(1);
        const int faces = copy.constants.pack.faces;
        for (int place = 0; place < copy.constants.pack.cards; place++) {
            const bool seen = place == turned || place == other || side[place] != copy.constants.down;
            out.one_hot(seen ? pile[place] : faces, faces + 1, place * (faces + 1));
        }
    }
};

}  // namespace

REGISTER_ENVIRONMENT(RepeatPrevious, repeat_previous)
REGISTER_ENVIRONMENT(RepeatFirst, repeat_first)
REGISTER_ENVIRONMENT(HigherLower, higher_lower)
REGISTER_ENVIRONMENT(Autoencode, autoencode)
REGISTER_ENVIRONMENT(CountRecall, count_recall)
REGISTER_ENVIRONMENT(Concentration, concentration)
