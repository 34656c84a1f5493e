// SPDX-License-Identifier: Apache-2.0
package org.fovea.spark;

import java.io.PrintStream;
import org.apache.spark.scheduler.SparkListener;
import org.apache.spark.scheduler.SparkListenerExecutorRemoved;
import org.apache.spark.scheduler.SparkListenerStageCompleted;
import org.apache.spark.scheduler.SparkListenerStageSubmitted;
import org.apache.spark.scheduler.StageInfo;

/** Tells the one who submitted the application what became of its ranks. */
final class StageReport extends SparkListener {
    private final PrintStream out;

    StageReport(PrintStream out) {
        this.out = out;
    }

    @Override
    public void onStageSubmitted(SparkListenerStageSubmitted event) {
        StageInfo stage = event.stageInfo();
        if (stage.attemptNumber() > 0) {
            out.println("fovea: Spark starts the " + stage.numTasks() + " ranks again, for attempt "
                    + (stage.attemptNumber() + 1) + "; the run goes on from its last checkpoint");
        }
    }

    @Override
    public void onStageCompleted(SparkListenerStageCompleted event) {
        if (event.stageInfo().failureReason().isDefined()) {
            String reason = event.stageInfo().failureReason().get();
            out.println("fovea: attempt " + (event.stageInfo().attemptNumber() + 1) + " ended early: "
                    + reason.lines().findFirst().orElse(""));
        }
    }

    @Override
    public void onExecutorRemoved(SparkListenerExecutorRemoved event) {
        out.println("fovea: executor " + event.executorId() + " is gone: "
                + event.reason().lines().findFirst().orElse(""));
    }
}
