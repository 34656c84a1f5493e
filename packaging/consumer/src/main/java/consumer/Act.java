// SPDX-License-Identifier: Apache-2.0
package consumer;

import java.io.IOException;
import java.nio.file.Path;
import org.fovea.policy.Policy;
import org.fovea.policy.PolicySession;

/** A step of CartPole by a policy out of a file. */
public final class Act {
    private Act() {}

    public static void main(String[] arguments) throws IOException {
        Policy policy = Policy.load(Path.of(arguments[0]));
        try (PolicySession session = policy.newSession()) {
            int action = session.act(new float[] {0, 0.5f, 0.02f, -0.4f}).choice();
            System.out.println(policy.kind() + " policy: action " + action);
        }
    }
}
