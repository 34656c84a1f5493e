// SPDX-License-Identifier: Apache-2.0
// The kernels that play environments: tasks of memory by policies that solve them, so that their returns are known; those of
// motion beside their equations. That they are the same as the classes in Java is DeviceBatchTest's.
#include <array>
#include <functional>
#include <map>

#include "kernel_test.h"

namespace {

constexpr int COUNT = 70, HEADER = 6, STATE_PLANE = 8;

// What an environment has, as org.fovea.env.DeviceBatch says it to a kernel.
struct Rules {
    std::string name;
    int state_bytes;
    std::vector<int> tables;  // bytes of a copy in each
    int observation_size;
    std::vector<char> constants;
};

template <class Constants>
std::vector<char> bytes_of_constants(const Constants& constants) {
    const char* first = reinterpret_cast<const char*>(&constants);
    return {first, first + sizeof(constants)};
}

struct Pack {
    int32_t cards, deck, run, faces;
};

class EnvironmentTest : public KernelTest {
  protected:
    using Rows = std::vector<float>;

    struct Outcome {
        std::vector<float> rewards;
        std::vector<int32_t> terminated, truncated;
        Rows final_observations;
    };

    EnvironmentParams p{};
    Array state, observations, rewards, terminated, truncated, final_observations, action_masks;
    std::vector<Array> results;
    std::string kernel;

    // Copies at the beginning of an episode; gives what they show.
    Rows start(const Rules& rules) {
        kernel = "environment_" + rules.name;
        p.state_bytes = rules.state_bytes;
        p.constant_bytes = int32_t(rules.constants.size());
        memcpy(p.constants, rules.constants.data(), rules.constants.size());
        p.count = COUNT;
        p.observation_size = rules.observation_size;
        p.action_size = p.choice_count > 0 ? 2 : std::max(1, p.action_size);
        std::vector<float> words(HEADER + size_t(STATE_PLANE + rules.state_bytes / 4) * COUNT);
        for (int i = 0; i < COUNT; i++) set_word(words, 2, i, -1);
        state = stored(words);
        observations = unwritten(size_t(COUNT) * rules.observation_size);
        final_observations = stored(std::vector<float>(size_t(COUNT) * rules.observation_size));
        rewards = unwritten(COUNT);
        terminated = unwritten(COUNT);
        truncated = unwritten(COUNT);
        action_masks = stored(std::vector<float>(size_t(COUNT) * p.choice_count));
        results = {state, observations, final_observations, rewards, terminated, truncated, action_masks};
        for (size_t k = 0; k < rules.tables.size(); k++) {
            const Array table = stored(std::vector<float>((size_t(rules.tables[k]) * COUNT + 3) / 4));
            results.push_back(table);
            p.tables[k] = int64_t(table.address);
        }
        p.state = state;
        p.observations = observations;
        p.final_observations = final_observations;
        p.rewards = rewards;
        p.terminated = terminated;
        p.truncated = truncated;
        p.action_masks = action_masks;
        // The first step is cut at once, and what follows is an episode.
        p.time_limit = 1;
        const Outcome cut = step(std::vector<int32_t>(size_t(COUNT) * p.action_size));
        for (int i = 0; i < COUNT; i++) EXPECT_EQ(cut.terminated[i] + cut.truncated[i], 1);
        p.time_limit = 1000000;
        return values(observations);
    }

    static void set_word(std::vector<float>& words, int plane, int copy, int32_t value) {
        memcpy(&words[HEADER + size_t(plane) * COUNT + copy], &value, sizeof(value));
    }

    Outcome act() {
        run(kernel, {tiles(COUNT, 64), 64}, p, results);
        return {values(rewards), host<int32_t>(terminated, COUNT), host<int32_t>(truncated, COUNT), values(final_observations)};
    }

    Outcome step(const std::vector<int32_t>& choices) {
        const std::vector<float> zeros(choices.size());
        p.choices = device(choices);
        p.values = device(zeros);
        return act();
    }

    Outcome step(const std::vector<float>& numbers) {
        p.values = device(numbers);
        return act();
    }

    // Plays an episode of each copy by a policy that remembers all that it saw in it: observation of step t is history[t]. Gives the
    // returns.
    using History = std::vector<Rows>;
    std::vector<double> play(const Rules& rules, int longest, const std::function<int(const History&)>& policy) {
        std::vector<History> histories(COUNT);
        std::vector<double> returns(COUNT);
        std::vector<bool> ended(COUNT);
        Rows rows = start(rules);
        for (int t = 0; t < longest; t++) {
            std::vector<int32_t> choices(COUNT);
            for (int i = 0; i < COUNT; i++) {
                const float* row = &rows[size_t(i) * rules.observation_size];
                histories[i].emplace_back(row, row + rules.observation_size);
                choices[i] = ended[i] ? 0 : policy(histories[i]);
            }
            const Outcome outcome = step(choices);
            for (int i = 0; i < COUNT; i++) {
                if (!ended[i]) returns[i] += outcome.rewards[i];
                if (outcome.terminated[i] && !ended[i]) {
                    ended[i] = true;
                    // The next episode is another.
                    EXPECT_EQ(outcome.truncated[i], 0);
                }
            }
            rows = values(observations);
        }
        for (int i = 0; i < COUNT; i++) EXPECT_TRUE(ended[i]) << "copy " << i;
        return returns;
    }

    // All copies get the return that the rules allow.
    void solve(const Rules& rules, int longest, double expected, const std::function<int(const History&)>& policy) {
        SCOPED_TRACE(rules.name);
        for (double episode : play(rules, longest, policy)) EXPECT_NEAR(episode, expected, 1e-4);
    }

    // Number k of a state of doubles.
    std::vector<double> numbers(int k) {
        const std::vector<int32_t> words = host<int32_t>(static_cast<int32_t*>(state), state.count);
        std::vector<double> all(COUNT);
        for (int i = 0; i < COUNT; i++) {
            int32_t pair[2];
            for (int w = 0; w < 2; w++) pair[w] = words[HEADER + size_t(STATE_PLANE + 2 * k + w) * COUNT + i];
            memcpy(&all[i], pair, sizeof(pair));
        }
        return all;
    }

    std::vector<std::vector<double>> state_numbers(int count) {
        std::vector<std::vector<double>> all;
        for (int k = 0; k < count; k++) all.push_back(numbers(k));
        return all;
    }

    // Of what is seen every second number from `at` on is the state, but for noise of this standard deviation.
    void expect_noise(const Rows& seen, const std::vector<double>& expected, int at, double noise) {
        double squares = 0;
        for (int i = 0; i < COUNT; i++) {
            const double difference = seen[2 * i + at] - expected[i];
            EXPECT_LE(std::abs(difference), 5 * noise + 1e-7);
            squares += difference * difference;
        }
        EXPECT_NEAR(std::sqrt(squares / COUNT), noise, 0.35 * noise + 1e-7);
    }

    // Every field of a board is chosen, row by row: all there is to get is got.
    void solve_in_order(const Rules& rules, int board) {
        SCOPED_TRACE(rules.name);
        start(rules);
        std::vector<double> returns(COUNT);
        std::vector<bool> ended(COUNT);
        for (int field = 0; field < board * board; field++) {
            std::vector<int32_t> choices(2 * COUNT);
            for (int i = 0; i < COUNT; i++) choices[2 * i] = field / board, choices[2 * i + 1] = field % board;
            const Outcome outcome = step(choices);
            for (int i = 0; i < COUNT; i++) {
                if (!ended[i]) returns[i] += outcome.rewards[i];
                ended[i] = ended[i] || outcome.terminated[i];
            }
        }
        for (int i = 0; i < COUNT; i++) {
            EXPECT_TRUE(ended[i]);
            EXPECT_NEAR(returns[i], 1, 1e-5);
        }
    }

    std::vector<int32_t> random_choices(int n) {
        std::vector<int32_t> choices(COUNT);
        for (int32_t& choice : choices) choice = int32_t(random() % n);
        return choices;
    }
};

int one_hot(const std::vector<float>& row, int from, int n) {
    int at = from;
    while (at < from + n - 1 && row[at] != 1) at++;
    return at - from;
}

TEST_F(EnvironmentTest, CorridorsAndLinesAreSolvedByMemory) {
    solve({"t_maze", 4, {}, 2, bytes_of_constants(int32_t(7))}, 8, 1,
        [](const History& seen) { return seen[0][0] > 0 ? 0 : 1; });
    struct {
        int32_t length = 3, bits = 3;
    } chain;
    solve({"memory_chain", 8, {}, 5, bytes_of_constants(chain)}, 4, 1, [](const History& seen) {
        return seen[0][2 + int(seen.back()[1])] > 0 ? 1 : 0;
    });
    struct {
        int32_t end = 5, farthest_start = 2, shown_steps = 2;
        float step_cost = 0, end_reward = 1.5f;
    } line;
    solve({"proof_of_memory", 8, {}, 3, bytes_of_constants(line)}, 10, 1.5,
        [](const History& seen) { return seen[0][2] > 0 ? 1 : 0; });
}

TEST_F(EnvironmentTest, PicturesAndSetsAreSolvedByLooking) {
    struct {
        int32_t rows = 6, columns = 5;
        float lit = 255;
    } board;
    solve({"catch", 8, {}, 30, bytes_of_constants(board)}, 5, 1, [](const History& seen) {
        const auto column = [&](int from, int to) {
            for (int j = from; j < to; j++) {
                if (seen.back()[j] == 255) return j % 5;
            }
            return -1;
        };
        const int ball = column(0, 25), paddle = column(25, 30);
        return ball < paddle ? 0 : ball == paddle ? 1 : 2;
    });
    struct {
        int32_t side = 8, least = 8, most = 24, wanted = 2, colours = 6;
        float wanted_reward = 0.5f, other_cost = 0;
    } grid;
    // Column by column, then row by row, to an item of the sign's colour.
    solve({"entity_grid", 12, {64}, 25 * 9 + 1, bytes_of_constants(grid)}, 40, 1, [](const History& seen) {
        const std::vector<float>& row = seen.back();
        const int number = int(row[25 * 9]);
        int sign = 0, wanted = -1;
        for (int k = 0; k < number; k++) sign = row[9 * k + 2] == 1 ? one_hot(row, 9 * k + 3, 6) : sign;
        // Whichever is next, in an order that doesn't change with that of the entities.
        float nearest = 100;
        for (int k = 0; k < number; k++) {
            const float distance = std::abs(row[9 * k]) + std::abs(row[9 * k + 1]);
            const bool mine = row[9 * k + 2] == 0 && one_hot(row, 9 * k + 3, 6) == sign;
            if (mine && distance < nearest) nearest = distance, wanted = k;
        }
        const float right = row[9 * wanted], below = row[9 * wanted + 1];
        return right < 0 ? 0 : right > 0 ? 1 : below < 0 ? 2 : 3;
    });
}

TEST_F(EnvironmentTest, GamesOfCardsAreSolvedByMemory) {
    constexpr int CARDS = 52, SUITS = 4, K = 5;
    const Pack pack{CARDS, 52, 1, SUITS};
    const auto suit = [](const History& seen, int t) { return one_hot(seen[t], int(seen[t].size()) - SUITS, SUITS); };
    struct {
        Pack pack;
        float reward = 1.0f / (CARDS - K);
        int32_t k = K;
    } previous{pack};
    solve({"repeat_previous", 0, {CARDS}, SUITS, bytes_of_constants(previous)}, CARDS - 1, 1, [&](const History& seen) {
        const int t = int(seen.size()) - 1;
        return t + 1 >= K ? suit(seen, t + 1 - K) : 0;
    });
    struct Dealing {
        Pack pack;
        float reward;
    };
    solve({"repeat_first", 0, {CARDS}, SUITS, bytes_of_constants(Dealing{pack, 1.0f / (CARDS - 1)})}, CARDS - 1, 1,
        [&](const History& seen) { return suit(seen, 0); });
    solve({"autoencode", 0, {CARDS}, 2 + SUITS, bytes_of_constants(Dealing{pack, 1.0f / CARDS})}, 2 * CARDS - 1, 1,
        [&](const History& seen) {
            const int recited = int(seen.size()) - CARDS;
            return recited >= 0 ? suit(seen, CARDS - 1 - recited) : 0;
        });
    const Pack ranks{CARDS, 52, 4, 13};
    solve({"count_recall", 0, {CARDS, CARDS, 4 * 13}, 26, bytes_of_constants(Dealing{ranks, 1.0f / (CARDS - 1)})}, CARDS - 1, 1,
        [](const History& seen) {
            const int asked = one_hot(seen.back(), 13, 13);
            int count = 0;
            for (const auto& row : seen) count += one_hot(row, 0, 13) == asked;
            return count;
        });
}

// Of each card the next tells what it was worth to call it higher.
TEST_F(EnvironmentTest, HigherLowerPaysForTheNextCard) {
    struct {
        Pack pack{52, 52, 4, 13};
        float reward = 1.0f / 52;
    } rules;
    Rows rows = start({"higher_lower", 0, {52}, 13, bytes_of_constants(rules)});
    const auto rank = [&](int i) { return one_hot({&rows[13 * i], &rows[13 * i] + 13}, 0, 13); };
    for (int t = 0; t < 50; t++) {
        std::vector<int> before(COUNT);
        for (int i = 0; i < COUNT; i++) before[i] = rank(i);
        const int choice = t % 2;
        const Outcome outcome = step(std::vector<int32_t>(COUNT, choice));
        rows = values(observations);
        for (int i = 0; i < COUNT; i++) {
            const int higher = (rank(i) > before[i]) - (rank(i) < before[i]);
            EXPECT_EQ(outcome.rewards[i], float(choice == 0 ? higher : -higher) / 52);
        }
    }
}

TEST_F(EnvironmentTest, BoardsAreSolvedByTryingAll) {
    struct {
        int32_t board = 6, first = 2, second = 3, third = 3, fourth = 4, ship_fields = 12;
        float hit_reward = 1.0f / 12, miss_cost = 0;
    } sea;
    p.action_size = 2;
    solve_in_order({"battleship", 4, {36}, 2, bytes_of_constants(sea)}, 6);
    // Without mines, for one would end it.
    struct {
        int32_t board = 5, mines = 0, counts = 1;
        float clear_reward = 1.0f / 25, seen_reward = 0, mine_reward = -1;
        int8_t clear = 0, mine = 1, clicked = 2;
    } field;
    solve_in_order({"mine_sweeper", 4, {25}, 1, bytes_of_constants(field)}, 5);
    // With 12 mines among 25 fields about half of all first clicks end it.
    field.mines = 12;
    field.counts = 10;
    start({"mine_sweeper", 4, {25}, 10, bytes_of_constants(field)});
    const Outcome first = step(std::vector<int32_t>(2 * COUNT, 2));
    int ended = 0;
    for (int i = 0; i < COUNT; i++) {
        ended += first.terminated[i];
        EXPECT_EQ(first.rewards[i], first.terminated[i] ? -1 : 1.0f / 25);
    }
    EXPECT_GT(ended, COUNT / 5);
    EXPECT_LT(ended, 4 * COUNT / 5);
}

TEST_F(EnvironmentTest, AnArmPaysByItsChance) {
    struct {
        int32_t arms = 3;
        float scale = 1;
    } rules;
    start({"multiarmed_bandit", 0, {12}, 2, bytes_of_constants(rules)});
    const std::vector<float> chances = values({reinterpret_cast<void*>(p.tables[0]), size_t(3) * COUNT});
    std::vector<double> sums(COUNT);
    constexpr int PULLS = 200;
    for (int t = 0; t < PULLS; t++) {
        const Outcome outcome = step(std::vector<int32_t>(COUNT, 1));
        const Rows rows = values(observations);
        for (int i = 0; i < COUNT; i++) {
            sums[i] += outcome.rewards[i];
            EXPECT_EQ(rows[2 * i + 1], outcome.rewards[i] > 0 ? 1 : 0);
        }
    }
    for (int i = 0; i < COUNT; i++) {
        const double chance = chances[COUNT + i];
        // Five standard deviations of that many pulls.
        EXPECT_NEAR(sums[i] / PULLS, 2 * chance - 1, 10 * std::sqrt(chance * (1 - chance) / PULLS) + 1e-9);
    }
}

// First every card is turned, place by place; then each goes with the first other of its face that is down.
TEST_F(EnvironmentTest, PairsAreFoundByMemory) {
    constexpr int CARDS = 52, RANKS = 13;
    struct {
        Pack pack{CARDS, 52, 4, RANKS};
        float pair_reward = 2.0f / CARDS, card_cost = 0;
        int8_t down = 0, in_turn = 1, up = 2;
    } rules;
    solve({"concentration", 8, {CARDS, CARDS}, CARDS * (RANKS + 1), bytes_of_constants(rules)}, 2 * CARDS, 1,
        [](const History& seen) {
            const int t = int(seen.size()) - 1;
            if (t < CARDS) return t;
            const auto face = [&](int t, int place) { return one_hot(seen[t], place * (RANKS + 1), RANKS + 1); };
            std::vector<int> down;
            for (int place = 0; place < CARDS; place++) {
                if (face(t, place) == RANKS) down.push_back(place);
            }
            if ((t - CARDS) % 2 == 0) {
                // The last two may be seen without being up, if they are no pair: they are the last to be looked for.
                for (int place : down) {
                    for (int other : down) {
                        if (other > place && face(place + 1, place) == face(other + 1, other)) return place;
                    }
                }
                return down.empty() ? CARDS - 1 : down[0];
            }
            int first = 0;
            while (first < CARDS && (face(t - 1, first) != RANKS || face(t, first) == RANKS)) first++;
            for (int place = 0; place < CARDS; place++) {
                if (place != first && face(t, place) == RANKS && face(place + 1, place) == face(first + 1, first)) return place;
            }
            return 0;
        });
}

TEST_F(EnvironmentTest, ACartMovesByItsEquations) {
    struct {
        double gravity = 9.8, pole_mass = 0.1, total_mass = 1.1, half_length = 0.5, pole_mass_length = 0.05, force = 10,
               time_step = 0.02, max_position = 2.4, max_angle = 0.2, start = 0.05;
    } c;
    start({"cart_pole", 32, {}, 4, bytes_of_constants(c)});
    for (int t = 0; t < 30; t++) {
        const auto before = state_numbers(4);
        const auto choices = random_choices(2);
        const Outcome outcome = step(choices);
        const auto after = state_numbers(4);
        for (int i = 0; i < COUNT; i++) {
            const double angle = before[2][i], speed = before[3][i], force = choices[i] == 1 ? 10 : -10;
            // The two equations of motion, solved for both accelerations.
            const double pushed = (force + 0.05 * speed * speed * std::sin(angle)) / 1.1;
            const double turned = (9.8 * std::sin(angle) - std::cos(angle) * pushed)
                / (0.5 * (4.0 / 3 - 0.1 * std::cos(angle) * std::cos(angle) / 1.1));
            const double velocity = before[1][i] + 0.02 * (pushed - 0.05 * turned * std::cos(angle) / 1.1);
            const double next_angle = angle + 0.02 * speed;
            ASSERT_EQ(outcome.terminated[i], std::abs(next_angle) > 0.2 || std::abs(before[0][i] + 0.02 * before[1][i]) > 2.4);
            EXPECT_EQ(outcome.rewards[i], 1);
            if (!outcome.terminated[i]) {
                EXPECT_NEAR(after[1][i], velocity, 1e-13);
                EXPECT_NEAR(after[2][i], next_angle, 1e-15);
                EXPECT_NEAR(after[3][i], speed + 0.02 * turned, 1e-13);
            } else {
                EXPECT_EQ(outcome.final_observations[4 * i + 2], float(next_angle));
                EXPECT_LE(std::abs(after[2][i]), 0.05);
            }
        }
    }
}

TEST_F(EnvironmentTest, APendulumMovesByItsEquations) {
    struct {
        double max_torque = 2, max_speed = 8, time_step = 0.05, gravity = 15, torque_gain = 3, speed_cost = 0.1,
               torque_cost = 0.001, start_speed = 1;
    } c;
    start({"pendulum", 16, {}, 3, bytes_of_constants(c)});
    for (int t = 0; t < 30; t++) {
        const auto before = state_numbers(2);
        const std::vector<float> torques = normal(COUNT);
        const Outcome outcome = step(torques);
        const auto after = state_numbers(2);
        for (int i = 0; i < COUNT; i++) {
            const double torque = std::clamp(double(torques[i]), -2.0, 2.0);
            const double speed = before[1][i] + (15 * std::sin(before[0][i]) + 3 * torque) * 0.05;
            const double angle = std::remainder(before[0][i], 2 * M_PI);
            EXPECT_NEAR(after[1][i], std::clamp(speed, -8.0, 8.0), 1e-13);
            EXPECT_NEAR(after[0][i], before[0][i] + 0.05 * after[1][i], 1e-13);
            EXPECT_NEAR(outcome.rewards[i], -(angle * angle + 0.1 * before[1][i] * before[1][i] + 0.001 * torque * torque), 1e-5);
        }
    }
}

TEST_F(EnvironmentTest, WhatIsPartlySeenHasTheNoiseThatIsAskedFor) {
    struct {
        double cart[10] = {9.8, 0.1, 1.1, 0.5, 0.05, 10, 0.02, 1e9, 1e9, 0.05};
        double noise = 0;
        float limit_of_position = 0.5f, limit_of_angle = 0.5f, reward = 0.25f;
        int32_t first = 0;
    } cart;
    struct {
        double pendulum[8] = {2, 8, 0.05, 15, 3, 0.1, 0.001, 1};
        double noise = 0, half_range = 8;
        int32_t steps = 10;
    } pendulum;
    for (const double noise : {0.0, 0.1}) {
        cart.noise = pendulum.noise = noise;
        for (const int first : {0, 1}) {
            cart.first = first;
            Rows seen = start({"partial_cart_pole", 32, {}, 2, bytes_of_constants(cart)});
            expect_noise(seen, numbers(0), 0, noise);
            EXPECT_EQ(step(random_choices(2)).rewards[1], 0.25f);
            seen = values(observations);
            expect_noise(seen, numbers(first), 0, noise);
            expect_noise(seen, numbers(2 + first), 1, noise);
        }
        start({"partial_pendulum", 16, {}, 2, bytes_of_constants(pendulum)});
        const auto before = state_numbers(2);
        const Outcome outcome = step(std::vector<float>(COUNT, 0.0f));
        std::vector<double> cosines = numbers(0);
        for (int i = 0; i < COUNT; i++) {
            const double angle = std::remainder(before[0][i], 2 * M_PI);
            EXPECT_NEAR(outcome.rewards[i], (1 - (angle * angle + 0.1 * before[1][i] * before[1][i]) / 8) / 10, 1e-6);
            cosines[i] = std::cos(cosines[i]);
        }
        const Rows seen = values(observations);
        if (noise == 0) expect_noise(seen, cosines, 0, noise);
        for (const float number : seen) EXPECT_LE(std::abs(number), 1);
        memory.clear();
    }
}

TEST_F(EnvironmentTest, ACarMovesByItsEquations) {
    struct {
        double left_end = -1.2, right_end = 0.6, max_speed = 0.07, gravity = 0.0025, start_low = -1.1, start_high = 0.4,
               force = 0.01, goal = 0.5, goal_reward = 100, force_cost = 0.1, max_force = 1;
    } c;
    for (const bool continuous : {false, true}) {
        start({continuous ? "mountain_car_continuous" : "mountain_car", 16, {}, 2, bytes_of_constants(c)});
        int arrivals = 0;
        for (int t = 0; t < 40; t++) {
            const auto before = state_numbers(2);
            const auto choices = random_choices(3);
            std::vector<float> forces(COUNT);
            for (int i = 0; i < COUNT; i++) forces[i] = float(choices[i] - 1);
            const Outcome outcome = continuous ? step(forces) : step(choices);
            const auto after = state_numbers(2);
            for (int i = 0; i < COUNT; i++) {
                double v = before[1][i] + 0.01 * forces[i] - 0.0025 * std::cos(3 * before[0][i]);
                v = std::clamp(v, -0.07, 0.07);
                const double x = std::clamp(before[0][i] + v, -1.2, 0.6);
                if (x == -1.2) v = std::max(v, 0.0);
                const bool there = x >= 0.5 && v >= 0;
                ASSERT_EQ(outcome.terminated[i], there);
                arrivals += there;
                const double reward = continuous ? (there ? 100 : 0) - 0.1 * forces[i] * forces[i] : -1;
                EXPECT_NEAR(outcome.rewards[i], reward, 1e-5);
                if (!there) {
                    EXPECT_NEAR(after[0][i], x, 1e-15);
                    EXPECT_NEAR(after[1][i], v, 1e-15);
                }
            }
        }
        EXPECT_GT(arrivals, 0);
        memory.clear();
    }
}

// Without torque the energy of two links stays the same but for the error of a step of fourth order.
TEST_F(EnvironmentTest, TwoLinksKeepTheirEnergy) {
    struct {
        double gravity = 9.8, centre = 0.5, inertia = 1, time_step = 0.01, max_velocity_1 = 12, max_velocity_2 = 28, start = 1;
    } c;
    const Rows first = start({"acrobot", 32, {}, 6, bytes_of_constants(c)});
    const auto energy = [&] {
        const auto s = state_numbers(4);
        std::vector<double> all;
        for (int i = 0; i < COUNT; i++) {
            const double a = s[0][i], b = s[1][i], u = s[2][i], v = s[3][i];
            // Both centres of mass, and both turn about them.
            const double x1 = 0.5 * u * std::cos(a), y1 = 0.5 * u * std::sin(a);
            const double x2 = u * std::cos(a) + 0.5 * (u + v) * std::cos(a + b), y2 = u * std::sin(a) + 0.5 * (u + v) * std::sin(a + b);
            const double motion = 0.5 * (x1 * x1 + y1 * y1 + x2 * x2 + y2 * y2) + 0.5 * (u * u + (u + v) * (u + v));
            all.push_back(motion - 9.8 * (0.5 * std::cos(a) + std::cos(a) + 0.5 * std::cos(a + b)));
        }
        return all;
    };
    const auto at_first = energy();
    std::vector<float> torques(COUNT);
    for (int t = 0; t < 20; t++) {
        const Outcome outcome = step(std::vector<int32_t>(COUNT, 1));
        for (int i = 0; i < COUNT; i++) EXPECT_EQ(outcome.terminated[i], 0);
    }
    const auto later = energy();
    for (int i = 0; i < COUNT; i++) EXPECT_NEAR(later[i], at_first[i], 1e-6);
    step(std::vector<int32_t>(COUNT, 2));
    EXPECT_GT(std::abs(energy()[0] - later[0]), 1e-5);
    EXPECT_NE(first, values(observations));
}

TEST_F(EnvironmentTest, NumbersWithBoundsAreMappedAndClipped) {
    struct {
        double left_end = -1e9, right_end = 1e9, max_speed = 1e9, gravity = 0, start_low = 0, start_high = 0, force = 1,
               goal = 1e9, goal_reward = 0, force_cost = 0, max_force = 1e9;
    } c;
    start({"mountain_car_continuous", 16, {}, 2, bytes_of_constants(c)});
    const std::vector<float> bounds{-1, 5};
    p.bounds = device(bounds);
    std::vector<float> drawn = normal(COUNT);
    drawn[0] = NAN_F;
    for (const int tanh : {0, 1}) {
        p.tanh = tanh;
        const auto before = numbers(1);
        step(drawn);
        const auto after = numbers(1);
        EXPECT_TRUE(std::isnan(after[0]));
        for (int i = 1; i < COUNT; i++) {
            const double unit = tanh ? std::tanh(double(drawn[i])) : drawn[i];
            EXPECT_NEAR(after[i] - before[i], std::clamp(2 + 3 * unit, -1.0, 5.0), 1e-6);
        }
    }
    const auto words = host<int32_t>(static_cast<int32_t*>(state), state.count);
    EXPECT_EQ(words[3], 1) << "copies that failed";
    EXPECT_EQ(words[HEADER + 2 * COUNT], -2) << "the reward, which is looked at first";
    EXPECT_EQ(words[HEADER + 3 * COUNT], 2) << "step";
}

// Every job goes to the first machine that is free, at speed 1: a machine takes the next one when it is done, and not before.
TEST_F(EnvironmentTest, MasksSayWhichMachinesAreFree) {
    constexpr int MACHINES = 2, SPEEDS = 3;
    struct {
        int32_t machines = MACHINES, speeds = SPEEDS, largest = 6, steps = 10;
        double power_price = 0.1;
    } rules;
    p.choice_count = MACHINES + 1 + SPEEDS;
    Rows rows = start({"dispatch", 4, {4 * MACHINES, 4 * MACHINES}, MACHINES + 2, bytes_of_constants(rules)});
    std::vector<std::array<int, MACHINES>> left(COUNT, {0, 0});
    int taken = 0, refused = 0;
    for (int t = 0; t < 20; t++) {
        const std::vector<int32_t> masks = host<int32_t>(static_cast<int32_t*>(action_masks), action_masks.count);
        std::vector<int32_t> choices(2 * COUNT);
        std::vector<float> expected(COUNT);
        for (int i = 0; i < COUNT; i++) {
            const int32_t* mask = &masks[i * p.choice_count];
            for (int m = 0; m < MACHINES; m++) ASSERT_EQ(mask[m], left[i][m] == 0) << "machine " << m << " of copy " << i;
            for (int j = MACHINES; j < p.choice_count; j++) ASSERT_EQ(mask[j], 1);
            int machine = 0;
            while (machine < MACHINES && left[i][machine] > 0) machine++;
            choices[2 * i] = machine;
            if (machine < MACHINES) left[i][machine] = int(std::lround(6 * rows[i * (MACHINES + 2)]));
            (machine < MACHINES ? taken : refused)++;
            expected[i] = machine < MACHINES ? 0.1f : 0;
            for (int& each : left[i]) each = std::max(0, each - 1);
        }
        EXPECT_EQ(step(choices).rewards, expected);
        rows = values(observations);
    }
    EXPECT_GT(taken, 0);
    EXPECT_GT(refused, 0);
}

TEST_F(EnvironmentTest, OtherSizesAreRefused) {
    start({"t_maze", 4, {}, 2, bytes_of_constants(int32_t(7))});
    p.state_bytes = 8;
    step(std::vector<int32_t>(COUNT));
    const auto words = host<int32_t>(static_cast<int32_t*>(state), state.count);
    EXPECT_EQ(words[4], 4);
    EXPECT_EQ(words[5], 4);
}

}  // namespace
