#!/usr/bin/env python3
"""The kernels that every processor runs, compiled for arm64 and tested in an emulator.

Builds model/kernels and its tests with Debian's cross compiler and GoogleTest's sources,
statically, and runs them under qemu-user. Exit 77 where a package is missing:
deploy/install-packages.sh --arm64 installs them. No arm64 machine has run them yet.

    arm64_test.py BUILD_FOLDER
"""
import pathlib
import shutil
import subprocess
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
GOOGLETEST = pathlib.Path("/usr/src/googletest")
COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64"
FLAGS = ["-std=c++20", "-O2", "-static", "-pthread"]
# As model/kernels/CMakeLists.txt has them.
KERNEL_FLAGS = ["-O3", "-ffp-contract=off", "-Wno-psabi", "-Wall", "-Wextra", "-Werror"]
KERNELS = ["kernels.cc", "cpu_features.cc", "kernels_baseline.cc"]
TESTS = ["kernels_test.cc", "small_gemm_test.cc"]


def compiled(source, folder, *flags):
    target = folder / f"{source.parent.name}_{source.stem}.o"
    subprocess.run([COMPILER, *FLAGS, *flags, "-c", source, "-o", target], check=True)
    return target


def main():
    missing = [name for name in (COMPILER, EMULATOR) if shutil.which(name) is None]
    if not GOOGLETEST.is_dir():
        missing.append(str(GOOGLETEST))
    if missing:
        print(f"skipped: there is no {', '.join(missing)}")
        sys.exit(77)
    folder = pathlib.Path(sys.argv[1]) / "arm64"
    folder.mkdir(parents=True, exist_ok=True)
    parts = [GOOGLETEST / "googletest", GOOGLETEST / "googlemock"]
    includes = [flag for part in parts for flag in ("-isystem", part / "include", "-I", part)]
    objects = [compiled(SOURCE / "model/kernels" / name, folder, "-I", SOURCE, *KERNEL_FLAGS)
               for name in KERNELS]
    objects += [compiled(SOURCE / "tests/kernels" / name, folder, "-I", SOURCE, *includes)
                for name in TESTS]
    objects += [compiled(path, folder, *includes)
                for path in (parts[0] / "src/gtest-all.cc", parts[1] / "src/gmock-all.cc",
                             parts[1] / "src/gmock_main.cc")]
    program = folder / "kernels_test"
    subprocess.run([COMPILER, *FLAGS, *objects, "-o", program], check=True)
    done = subprocess.run([EMULATOR, program, "--gtest_brief=1"], capture_output=True, text=True)
    print(done.stdout[-4000:], done.stderr[-2000:])
    if done.returncode != 0 or "[  PASSED  ]" not in done.stdout:
        sys.exit("the kernels fail on arm64")


if __name__ == "__main__":
    main()
