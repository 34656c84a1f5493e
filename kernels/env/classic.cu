// SPDX-License-Identifier: Apache-2.0
// The classic control tasks of org.fovea.env.games, by its classes of these names, which have their rules.
#include "environment.cuh"

namespace {

struct CartPole {
    struct Constants {
        double gravity, pole_mass, total_mass, half_length, pole_mass_length, force, time_step, max_position, max_angle, start;
    };
    struct State {
        double position, velocity, angle, angular_velocity;
    };

    static __device__ void reset(Copy<CartPole>& copy) { start(copy.constants, copy.state, copy.random); }

    static __device__ void start(const Constants& c, State& s, Random& random) {
        s.position = random.uniform(-c.start, c.start);
        s.velocity = random.uniform(-c.start, c.start);
        s.angle = random.uniform(-c.start, c.start);
        s.angular_velocity = random.uniform(-c.start, c.start);
    }

    __device__ Outcome step(Copy<CartPole>& copy, const Action& action) {
        return {1, push(copy.constants, copy.state, action.choice() == 1)};
    }

    // Whether the pole falls, or the cart leaves.
    static __device__ bool push(const Constants& c, State& s, bool right) {
        const auto [sin, cos] = sine_cosine(s.angle);
        const double force = right ? c.force : -c.force;
        const double pushed = (force + c.pole_mass_length * (s.angular_velocity * s.angular_velocity) * sin) / c.total_mass;
        const double angular_acceleration =
            (c.gravity * sin - cos * pushed) / (c.half_length * (4.0 / 3.0 - c.pole_mass * (cos * cos) / c.total_mass));
        const double acceleration = pushed - c.pole_mass_length * angular_acceleration * cos / c.total_mass;
        s.position += c.time_step * s.velocity;
        s.velocity += c.time_step * acceleration;
        s.angle += c.time_step * s.angular_velocity;
        s.angular_velocity += c.time_step * angular_acceleration;
        return fabs(s.position) > c.max_position || fabs(s.angle) > c.max_angle;
    }

    __device__ void observe(Copy<CartPole>& copy, Observation& out) {
        out[0] = float(copy.state.position);
        out[1] = float(copy.state.velocity);
        out[2] = float(copy.state.angle);
        out[3] = float(copy.state.angular_velocity);
    }
};

// Shows positions alone, perhaps with noise, or velocities, but for those at the beginning.
struct PartialCartPole {
    struct Constants {
        CartPole::Constants cart;
        double noise;
        float limit_of_position, limit_of_angle, reward;
        int32_t first;  // 0 for positions, 1 for velocities
    };
    using State = CartPole::State;

    static __device__ void reset(Copy<PartialCartPole>& copy) { CartPole::start(copy.constants.cart, copy.state, copy.random); }

    __device__ Outcome step(Copy<PartialCartPole>& copy, const Action& action) {
        return {copy.constants.reward, CartPole::push(copy.constants.cart, copy.state, action.choice() == 1)};
    }

    __device__ void observe(Copy<PartialCartPole>& copy, Observation& out) {
        const Constants& c = copy.constants;
        const bool velocities = c.first == 1 && copy.elapsed > 0;
        const float shown[2] = {float(velocities ? copy.state.velocity : copy.state.position),
                                float(velocities ? copy.state.angular_velocity : copy.state.angle)};
        const float limits[2] = {c.limit_of_position, c.limit_of_angle};
        for (int j = 0; j < 2; j++) {
            out[j] = c.noise > 0 ? clipped(shown[j] + float(c.noise * copy.random.normal()), -limits[j], limits[j]) : shown[j];
        }
    }
};

struct Pendulum {
    struct Constants {
        double max_torque, max_speed, time_step, gravity, torque_gain, speed_cost, torque_cost, start_speed;
    };
    struct State {
        double angle, angular_velocity;
    };

    static __device__ void reset(Copy<Pendulum>& copy) { start(copy.constants, copy.state, copy.random); }

    static __device__ void start(const Constants& c, State& s, Random& random) {
        s.angle = random.uniform(-PI, PI);
        s.angular_velocity = random.uniform(-c.start_speed, c.start_speed);
    }

    __device__ Outcome step(Copy<Pendulum>& copy, const Action& action) {
        return {turn(copy.constants, copy.state, action.value()), false};
    }

    // The reward of a step.
    static __device__ float turn(const Constants& c, State& s, float wanted) {
        const double torque = clipped(double(wanted), -c.max_torque, c.max_torque);
        const double from_upright = wrapped(s.angle);
        const double cost = from_upright * from_upright + c.speed_cost * (s.angular_velocity * s.angular_velocity)
            + c.torque_cost * (torque * torque);
        s.angular_velocity += (c.gravity * sine(s.angle) + c.torque_gain * torque) * c.time_step;
        s.angular_velocity = clipped(s.angular_velocity, -c.max_speed, c.max_speed);
        s.angle += s.angular_velocity * c.time_step;
        return float(-cost);
    }

    __device__ void observe(Copy<Pendulum>& copy, Observation& out) {
        const auto [sin, cos] = sine_cosine(copy.state.angle);
        out[0] = float(cos);
        out[1] = float(sin);
        out[2] = float(copy.state.angular_velocity);
    }

  private:
    // In [-pi, pi).
    static __device__ double wrapped(double angle) {
        const double from_pi = remainder_of(angle + PI, 2 * PI);
        return (from_pi < 0 ? from_pi + 2 * PI : from_pi) - PI;
    }
};

// Shows the angle alone, perhaps with noise.
struct PartialPendulum {
    struct Constants {
        Pendulum::Constants pendulum;
        double noise, half_range;
        int32_t steps;
    };
    using State = Pendulum::State;

    static __device__ void reset(Copy<PartialPendulum>& copy) {
        Pendulum::start(copy.constants.pendulum, copy.state, copy.random);
    }

    __device__ Outcome step(Copy<PartialPendulum>& copy, const Action& action) {
        const Constants& c = copy.constants;
        const float reward = Pendulum::turn(c.pendulum, copy.state, action.value());
        return {float((1 + reward / c.half_range) / c.steps), false};
    }

    __device__ void observe(Copy<PartialPendulum>& copy, Observation& out) {
        const auto [sin, cos] = sine_cosine(copy.state.angle);
        const float shown[2] = {float(cos), float(sin)};
        const double noise = copy.constants.noise;
        for (int j = 0; j < 2; j++) {
            out[j] = noise > 0 ? clipped(shown[j] + float(noise * copy.random.normal()), -1.0f, 1.0f) : shown[j];
        }
    }
};

struct Acrobot {
    struct Constants {
        double gravity, centre, inertia, time_step, max_velocity_1, max_velocity_2, start;
    };
    struct State {
        double angle[2], velocity[2];
    };

    static __device__ void reset(Copy<Acrobot>& copy) {
        const double start = copy.constants.start;
        for (double& angle : copy.state.angle) {
            angle = copy.random.uniform(-start, start);
        }
        for (double& velocity : copy.state.velocity) {
            velocity = copy.random.uniform(-start, start);
        }
    }

    // One step of Runge and Kutta's method of fourth order.
    __device__ Outcome step(Copy<Acrobot>& copy, const Action& action) {
        const Constants& c = copy.constants;
        State& s = copy.state;
        const double torque = action.choice() - 1;
        const double now[4] = {s.angle[0], s.angle[1], s.velocity[0], s.velocity[1]};
        double slope[4], sum[4], probe[4];
        find_slope(c, now, torque, slope);
        memcpy(sum, slope, sizeof(sum));
#pragma unroll 1
        for (int probes = 0; probes < 3; probes++) {
            const double time = probes < 2 ? c.time_step / 2 : c.time_step, weight = probes < 2 ? 2 : 1;
            for (int k = 0; k < 4; k++) {
                probe[k] = now[k] + time * slope[k];
            }
            find_slope(c, probe, torque, slope);
            for (int k = 0; k < 4; k++) {
                sum[k] += weight * slope[k];
            }
        }
        s.angle[0] = wrapped(now[0] + c.time_step / 6 * sum[0]);
        s.angle[1] = wrapped(now[1] + c.time_step / 6 * sum[1]);
        s.velocity[0] = clipped(now[2] + c.time_step / 6 * sum[2], -c.max_velocity_1, c.max_velocity_1);
        s.velocity[1] = clipped(now[3] + c.time_step / 6 * sum[3], -c.max_velocity_2, c.max_velocity_2);
        const bool up = -cosine(s.angle[0]) - cosine(s.angle[0] + s.angle[1]) > 1;
        return {up ? 0.0f : -1.0f, up};
    }

    __device__ void observe(Copy<Acrobot>& copy, Observation& out) {
        for (int link = 0; link < 2; link++) {
            const auto [sin, cos] = sine_cosine(copy.state.angle[link]);
            out[2 * link] = float(cos);
            out[2 * link + 1] = float(sin);
            out[4 + link] = float(copy.state.velocity[link]);
        }
    }

  private:
    static __device__ void find_slope(const Constants& c, const double (&state)[4], double torque, double (&slope)[4]) {
        const auto [sin2, cos2] = sine_cosine(state[1]);
        const double dot1 = state[2], dot2 = state[3];
        const double d1 = c.centre * c.centre + (1 + c.centre * c.centre + 2 * c.centre * cos2) + 2 * c.inertia;
        const double d2 = c.centre * c.centre + c.centre * cos2 + c.inertia;
        const double phi2 = c.centre * c.gravity * cosine(state[0] + state[1] - PI / 2);
        const double phi1 = -c.centre * (dot2 * dot2) * sin2 - 2 * c.centre * dot2 * dot1 * sin2
            + (c.centre + 1) * c.gravity * cosine(state[0] - PI / 2) + phi2;
        slope[0] = dot1;
        slope[1] = dot2;
        slope[3] = (torque + d2 / d1 * phi1 - c.centre * (dot1 * dot1) * sin2 - phi2)
            / (c.centre * c.centre + c.inertia - d2 * d2 / d1);
        slope[2] = -(d2 * slope[3] + phi1) / d1;
    }

    // In [-pi, pi]. Angles are a turn or two beyond at most.
    static __device__ double wrapped(double angle) {
        while (angle > PI) {
            angle -= 2 * PI;
        }
        while (angle < -PI) {
            angle += 2 * PI;
        }
        return angle;
    }
};

// MountainCar, and MountainCarContinuous.
struct Valley {
    struct Constants {
        double left_end, right_end, max_speed, gravity, start_low, start_high, force, goal, goal_reward, force_cost, max_force;
    };
    struct State {
        double position, velocity;
    };

    template <class E>
    static __device__ void start(Copy<E>& copy) {
        copy.state.position = copy.random.uniform(copy.constants.start_low, copy.constants.start_high);
        copy.state.velocity = 0;
    }

    template <class E>
    __device__ void observe(Copy<E>& copy, Observation& out) {
        out[0] = float(copy.state.position);
        out[1] = float(copy.state.velocity);
    }

    // Drives on; whether the goal is reached.
    static __device__ bool drive(const Constants& c, State& s, double acceleration) {
        double v = s.velocity + acceleration - c.gravity * cosine(3 * s.position);
        v = clipped(v, -c.max_speed, c.max_speed);
        s.position = clipped(s.position + v, c.left_end, c.right_end);
        s.velocity = s.position == c.left_end && v < 0 ? 0 : v;
        return s.position >= c.goal && s.velocity >= 0;
    }
};

struct MountainCar : Valley {
    static __device__ void reset(Copy<MountainCar>& copy) { start(copy); }

    __device__ Outcome step(Copy<MountainCar>& copy, const Action& action) {
        return {-1, drive(copy.constants, copy.state, (action.choice() - 1) * copy.constants.force)};
    }
};

struct MountainCarContinuous : Valley {
    static __device__ void reset(Copy<MountainCarContinuous>& copy) { start(copy); }

    __device__ Outcome step(Copy<MountainCarContinuous>& copy, const Action& action) {
        const Constants& c = copy.constants;
        const double wanted = action.value();
        const bool there = drive(c, copy.state, clipped(wanted, -c.max_force, c.max_force) * c.force);
        return {float((there ? c.goal_reward : 0) - c.force_cost * wanted * wanted), there};
    }
};

}  // namespace

REGISTER_ENVIRONMENT(CartPole, cart_pole)
REGISTER_ENVIRONMENT(PartialCartPole, partial_cart_pole)
REGISTER_ENVIRONMENT(Pendulum, pendulum)
REGISTER_ENVIRONMENT(PartialPendulum, partial_pendulum)
REGISTER_ENVIRONMENT(Acrobot, acrobot)
REGISTER_ENVIRONMENT(MountainCar, mountain_car)
REGISTER_ENVIRONMENT(MountainCarContinuous, mountain_car_continuous)
