// SPDX-License-Identifier: Apache-2.0
package org.fovea.backend.cuda.diagnostics;

import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import jcuda.driver.CUresult;
import org.fovea.backend.Diagnostic;
import org.fovea.backend.Diagnostic.Status;
import org.fovea.backend.cuda.driver.CudaContext;
import org.fovea.backend.cuda.driver.CudaNatives;
import org.fovea.backend.cuda.driver.DeviceTable;
import org.fovea.backend.cuda.driver.InstalledDriver;
import org.fovea.backend.cuda.driver.KernelImage;
import org.jspecify.annotations.Nullable;

/** Everything the CUDA backend needs of a machine, and what to do about what is missing. */
public final class CudaDiagnostics {
    private static final double BYTES_PER_GIB = 1L << 30;

    private final HostInfo surroundings;

    /** Null where no driver could be loaded, or its version is too old to be asked for more. */
    private @Nullable DeviceTable table;

    /** Null where the table is. */
    private @Nullable InstalledDriver driver;

    public CudaDiagnostics(HostInfo surroundings) {
        this.surroundings = surroundings;
    }

    public List<Diagnostic> findings() {
        List<Diagnostic> findings = new ArrayList<>();
        findings.add(Diagnostic.of("container", this::container));
        findings.add(Diagnostic.of("driver", this::driver));
        try {
            devices(findings);
        } catch (RuntimeException | LinkageError e) {
            findings.add(Diagnostic.of("devices", () -> {
                throw e;
            }));
        }
        findings.add(Diagnostic.of("kernels", CudaDiagnostics::kernels));
        findings.add(Diagnostic.of("cublas", () -> new CublasDiagnostics(surroundings).finding()));
        findings.add(Diagnostic.of("nvcc", this::nvcc));
        return findings;
    }

    private Diagnostic container() {
        Optional<String> kind = surroundings.container();
        String found = kind.map(name -> "this is a container (" + name + ")").orElse("no");
        return Diagnostic.note("container", found).withDetails(Map.of("container", kind.orElse("")));
    }

    private Diagnostic driver() {
        try {
            CudaNatives.load();
        } catch (UnsatisfiedLinkError e) {
            String message = String.valueOf(e.getMessage());
            return message.contains("libcuda.so.1: cannot open")
                    ? noDriver()
                    : Diagnostic.no("driver", firstLine(message), "look at the file that it names");
        } catch (UncheckedIOException e) {
            return Diagnostic.no(
                    "driver", firstLine(String.valueOf(e.getMessage())), "free some space or set XDG_CACHE_HOME");
        }
        DeviceTable read = DeviceTable.read();
        return driver(read);
    }

    /** Of a driver that answers. */
    private Diagnostic driver(DeviceTable read) {
        InstalledDriver loaded = InstalledDriver.loaded(read.driverVersion());
        InstalledDriver installed =
                new InstalledDriver(loaded.version(), loaded.release().or(surroundings::kernelModule));
        String found = installed.toString();
        Map<String, Object> details = Map.of(
                "cuda_version",
                read.driverVersion(),
                "release",
                installed.release().orElse(""));
        KernelImage.Driver least = KernelImage.leastDriver();
        KernelImage.Driver best = KernelImage.machineCodeDriver();
        if (!installed.isAtLeast(least)) {
            return Diagnostic.no("driver", found + ", which is too old", install(least))
                    .withDetails(details);
        }
        table = read;
        driver = installed;
        Diagnostic finding = Diagnostic.ok("driver", found).withDetails(details);
        return installed.isAtLeast(best)
                ? finding
                : finding.withNext(
                        "nothing has to be done; with " + best + " the kernels need not be translated at first use");
    }

    private Diagnostic noDriver() {
        Optional<String> module = surroundings.kernelModule();
        List<String> cards = surroundings.cards();
        KernelImage.Driver best = KernelImage.machineCodeDriver();
        if (surroundings.container().isPresent()) {
            return Diagnostic.no(
                    "driver",
                    "there is no libcuda.so.1 in this container"
                            + (module.isPresent() ? ", though the host has a driver" : ""),
                    containerAdvice() + "; the host needs " + best);
        }
        if (module.isPresent()) {
            String major = module.get().replaceAll("\\..*", "");
            return Diagnostic.no(
                    "driver",
                    "the kernel module " + module.get() + " is loaded, but its libcuda.so.1 was not found",
                    "install the driver's libraries of that release (Ubuntu: sudo apt-get install libnvidia-compute-"
                            + major + "), or put their directory on LD_LIBRARY_PATH");
        }
        if (surroundings.isWindows()) {
            return Diagnostic.no("driver", "libcuda.so.1 was not found; this is WSL", install(best));
        }
        return cards.isEmpty()
                ? Diagnostic.no(
                        "driver",
                        "there is no NVIDIA driver (libcuda.so.1 was not found), and no NVIDIA card on the PCI bus",
                        "without a card, none: the cpu backend is there. With one, see that lspci shows it, then "
                                + install(best))
                : Diagnostic.no(
                        "driver",
                        "there is no NVIDIA driver (libcuda.so.1 was not found) for the card at "
                                + String.join(", ", cards),
                        install(best));
    }

    private String install(KernelImage.Driver driver) {
        if (surroundings.container().isPresent()) {
            return "install " + driver + " on the host";
        }
        if (surroundings.isWindows()) {
            return "install " + driver + " in Windows, then run wsl --shutdown";
        }
        return "install " + driver + " (Ubuntu: sudo apt-get install nvidia-driver-" + driver.majorRelease()
                + "; others: https://www.nvidia.com/drivers), then restart";
    }

    private static String containerAdvice() {
        return "start it with --gpus all, with the NVIDIA Container Toolkit on the host (Kubernetes: nvidia.com/gpu: 1 among"
                + " resources.limits, with NVIDIA's device plugin)";
    }

    private void devices(List<Diagnostic> findings) {
        DeviceTable read = table;
        InstalledDriver installed = driver;
        if (read == null || installed == null) {
            findings.add(Diagnostic.note("devices", "not asked for, without a driver that is new enough"));
            return;
        }
        if (read.result() != CUresult.CUDA_SUCCESS && read.result() != CUresult.CUDA_ERROR_NO_DEVICE) {
            findings.add(Diagnostic.no("devices", CudaContext.describe(read.result()), advice(read.result())));
            return;
        }
        if (read.devices().isEmpty()) {
            findings.add(Diagnostic.no("devices", "the driver shows none", noDeviceAdvice()));
            return;
        }
        Optional<DeviceTable.Entry> fit = read.devices().stream()
                .filter(device -> device.architecture() >= CudaContext.LEAST_ARCHITECTURE)
                .findFirst();
        for (DeviceTable.Entry device : read.devices()) {
            findings.add(device(device, installed, fit));
        }
    }

    private static Diagnostic device(
            DeviceTable.Entry device, InstalledDriver driver, Optional<DeviceTable.Entry> fit) {
        String subject = "device " + device.index();
        String architecture = "sm_" + device.architecture();
        String found = String.format(
                Locale.ROOT, "%s, %.1f GiB, %s", device.name(), device.memoryBytes() / BYTES_PER_GIB, architecture);
        Map<String, Object> details = new LinkedHashMap<>();
        details.put("index", device.index());
        details.put("name", device.name());
        details.put("memory_bytes", device.memoryBytes());
        details.put("architecture", architecture);
        if (device.architecture() < CudaContext.LEAST_ARCHITECTURE) {
            details.put("code", "none");
            String instead = fit.map(other -> "use another: --device " + other.index())
                    .orElse("use --backend cpu, or a card of the Ampere generation or newer");
            return Diagnostic.no(
                            subject,
                            found + ": no code, the kernels need sm_" + CudaContext.LEAST_ARCHITECTURE + " or newer",
                            instead)
                    .withDetails(details);
        }
        if (!KernelImage.isPresent()) {
            details.put("code", "none");
            return Diagnostic.note(subject, found).withDetails(details);
        }
        if (KernelImage.isDescribed() && KernelImage.codeFor(device.architecture(), driver) == KernelImage.Code.PTX) {
            details.put("code", "ptx");
            return new Diagnostic(
                    subject,
                    Status.OK,
                    found + ": PTX, translated by the driver at first use, which takes a minute",
                    "",
                    details);
        }
        details.put("code", KernelImage.isDescribed() ? "machine code" : "as the image has it");
        return Diagnostic.ok(subject, found + (KernelImage.isDescribed() ? ": machine code" : ""))
                .withDetails(details);
    }

    private String noDeviceAdvice() {
        String visible = surroundings.environment().get("CUDA_VISIBLE_DEVICES");
        if (visible != null) {
            return "CUDA_VISIBLE_DEVICES is '" + visible + "': unset it, or name a device that nvidia-smi -L shows";
        }
        return surroundings.container().isPresent()
                ? containerAdvice()
                : "see whether nvidia-smi shows one; if not, restart, and look for NVRM in the output of sudo dmesg";
    }

    /** For failures of the driver's first calls, most of which are known by heart to those who run such machines. */
    private static String advice(int result) {
        return switch (result) {
            case CUresult.CUDA_ERROR_STUB_LIBRARY ->
                "a stub stands before the driver: take .../stubs out of LD_LIBRARY_PATH";
            case CUresult.CUDA_ERROR_SYSTEM_NOT_READY ->
                "start the fabric manager (sudo systemctl start nvidia-fabricmanager), of the driver's own release";
            case CUresult.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH ->
                "restart: the driver was updated, and its old part is still in the kernel";
            case CUresult.CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE ->
                "take the directory of cuda-compat (/usr/local/cuda/compat) out of LD_LIBRARY_PATH";
            case CUresult.CUDA_ERROR_OPERATING_SYSTEM, CUresult.CUDA_ERROR_NOT_PERMITTED ->
                "see that this user may open /dev/nvidia0 and /dev/nvidiactl (ls -l /dev/nvidia*)";
            default ->
                "see whether nvidia-smi works; after suspend: sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm; else restart,"
                        + " and look for NVRM in the output of sudo dmesg";
        };
    }

    private static Diagnostic kernels() {
        if (!KernelImage.isPresent()) {
            return Diagnostic.no(
                    "kernels",
                    "this build has none: " + KernelImage.description(),
                    "install CUDA 12 or newer and g++, and build again; or take a bundle that was built with them");
        }
        KernelImage.verify();
        return Diagnostic.ok("kernels", KernelImage.description());
    }

    private Diagnostic nvcc() {
        Optional<Path> nvcc = surroundings.nvcc();
        Diagnostic finding = Diagnostic.note(
                "nvcc",
                nvcc.map(Path::toString).orElse("not found; only needed to build the kernels and for gpu-check.sh"));
        return finding.withDetails(Map.of("path", nvcc.map(Path::toString).orElse("")));
    }

    private static String firstLine(String text) {
        return text.lines().findFirst().orElse(text);
    }
}
