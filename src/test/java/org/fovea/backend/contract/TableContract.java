// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.contract;

/** The part of {@link BackendContract} about results, for settings that change no more than those. */
public abstract class TableContract extends ContractSuite implements CaseContract {}
