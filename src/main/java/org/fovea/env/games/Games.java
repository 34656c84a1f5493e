// SPDX-License-Identifier: Apache-2.0
package org.fovea.env.games;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.function.Function;
import org.fovea.env.EnvironmentFamily;
import org.fovea.env.EnvironmentProvider;
import org.fovea.env.EnvironmentSpec;

/** Offers the built-in environments. */
public final class Games implements EnvironmentProvider {
    private static final List<EnvironmentFamily> FAMILIES = List.of(
            EnvironmentFamily.of(CartPole.SPEC),
            EnvironmentFamily.of(Pendulum.SPEC),
            EnvironmentFamily.of(Acrobot.SPEC),
            EnvironmentFamily.of(MountainCar.SPEC),
            EnvironmentFamily.of(MountainCarContinuous.SPEC),
            EnvironmentFamily.of(ProofOfMemory.SPEC),
            MemoryChain.FAMILY,
            TMaze.FAMILY,
            EnvironmentFamily.of(Dispatch.SPEC),
            EnvironmentFamily.of(EntityGrid.SPEC),
            Catch.FAMILY);

    private static final List<Function<Level, EnvironmentSpec>> POPGYM = List.of(
            RepeatPrevious::spec,
            RepeatFirst::spec,
            Autoencode::spec,
            CountRecall::spec,
            HigherLower::spec,
            Concentration::spec,
            Battleship::spec,
            MineSweeper::spec,
            MultiarmedBandit::spec,
            PartialCartPole::positionOnly,
            PartialCartPole::velocityOnly,
            PartialCartPole::noisyPositionOnly,
            PartialPendulum::positionOnly,
            PartialPendulum::noisyPositionOnly);

    /** Every one, with its default parameters. */
    public static List<EnvironmentSpec> all() {
        Games games = new Games();
        List<EnvironmentSpec> all = new ArrayList<>(games.environments());
        games.families().forEach(family -> all.add(family.defaults()));
        return all;
    }

    @Override
    public Collection<EnvironmentSpec> environments() {
        List<EnvironmentSpec> levels = new ArrayList<>();
        for (Function<Level, EnvironmentSpec> game : POPGYM) {
            for (Level level : Level.values()) {
                levels.add(game.apply(level));
            }
        }
        return levels;
    }

    @Override
    public Collection<EnvironmentFamily> families() {
        return FAMILIES;
    }
}
