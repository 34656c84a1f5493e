// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

/** The part of {@link BackendContract} about captured steps, for settings that change no more than those. */
public abstract class CapturedStepContract extends ContractSuite implements StepContract {}
