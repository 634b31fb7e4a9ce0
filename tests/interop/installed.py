"""Installs a tool from a public registry, newest version, into <build>/interop.

A test whose tool cannot be had is skipped (exit 77), but only if the registry does
not answer: while it does, a tool that does not install is a failure.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

PLACE = pathlib.Path(os.environ["ALIGNSAE_INTEROP"])


def _run(command, **options):
    print("+", *command, flush=True)
    return subprocess.run([str(word) for word in command], check=False, timeout=900, **options)


def need(program):
    if shutil.which(program) is None:
        print(f"{program}: is not installed here; skipped")
        sys.exit(77)


def _install(commands, ask, **options):
    """Runs `commands`; `ask` is a small question to the same registry."""
    for command in commands:
        if _run(command, **options).returncode:
            if _run(ask, **options).returncode == 0:
                sys.exit(f"{command[0]}: does not install, though its registry answers")
            print("the registry does not answer; skipped")
            sys.exit(77)


def python(*packages):
    """A Python of its own with `packages`."""
    place = PLACE / "python"
    pip = place / "bin/pip"
    _install([[shutil.which("python3"), "-m", "venv", place],
              [pip, "install", "--quiet", "--upgrade", *packages]],
             [pip, "download", "--quiet", "--no-deps", "--dest", PLACE / "asked", "six"])
    _run([pip, "list"])
    return place / "bin/python"


def huggingface():
    """Two Pythons: the newest transformers and sae-lens, and transformers 4.30 with the
    torch of the first (several GB, so it is there once and is kept)."""
    ask = [shutil.which("python3"), "-m", "pip", "download", "--quiet", "--no-deps", "--dest",
           PLACE / "asked", "six"]
    places = []
    for name, packages in (("huggingface", ["transformers", "sae-lens"]),
                           ("transformers-4.30", ["transformers==4.30.2", "numpy<2"])):
        place = PLACE / name
        if not (place / "ready").exists():
            _install([["/usr/bin/python3", "-m", "venv", place],
                      [place / "bin/pip", "install", "--quiet", *packages]], ask)
            (place / "ready").touch()
        places.append(place)
    libraries = next((places[0] / "lib").glob("python3*/site-packages"))
    own = next((places[1] / "lib").glob("python3*/site-packages"))
    (own / "torch_of_huggingface.pth").write_text(f"{libraries}\n")
    for place in places:
        _run([place / "bin/pip", "list"])
    return tuple(place / "bin/python" for place in places)


def lm_eval():
    """A Python with the newest lm-evaluation-harness, and the torch of huggingface()."""
    libraries = next(
        (pathlib.Path(huggingface()[0]).parents[1] / "lib").glob("python3*/site-packages"))
    place = PLACE / "lm-eval"
    _install([["/usr/bin/python3", "-m", "venv", place],
              [place / "bin/pip", "install", "--quiet", "--upgrade", "lm_eval[api]",
               "transformers"]],
             [shutil.which("python3"), "-m", "pip", "download", "--quiet", "--no-deps", "--dest",
              PLACE / "asked", "six"])
    own = next((place / "lib").glob("python3*/site-packages"))
    (own / "torch_of_huggingface.pth").write_text(f"{libraries}\n")
    _run([place / "bin/pip", "list"])
    return place / "bin/python"


def converter():
    """A Python without our package, which README's pip installs, and with the torch of
    huggingface() and what else its converter needs."""
    place = PLACE / "readme"
    libraries = next(
        (pathlib.Path(huggingface()[0]).parents[1] / "lib").glob("python3*/site-packages"))
    _install([["/usr/bin/python3", "-m", "venv", "--clear", place]], ["true"])
    own = next((place / "lib").glob("python3*/site-packages"))
    (own / "torch_of_huggingface.pth").write_text(f"{libraries}\n")
    return place / "bin/python"


def package():
    """Three Pythons with the wheel of client/python, made from its source archive: one with
    all its extras and the torch and transformers of huggingface(), a clean one, and one with
    old libraries (protobuf 4.24 is the touchiest: see alignsae/_wire.py)."""
    source = pathlib.Path(os.environ["ALIGNSAE_SOURCE"]) / "client/python"
    place, clean, old = (PLACE / name for name in ("package", "package-clean", "package-old"))
    torch = pathlib.Path(huggingface()[0]).parents[1]
    ask = [shutil.which("python3"), "-m", "pip", "download", "--quiet", "--no-deps", "--dest",
           PLACE / "asked", "six"]
    wheels = PLACE / "wheels"
    shutil.rmtree(wheels, ignore_errors=True)
    _install([["/usr/bin/python3", "-m", "venv", place],
              [place / "bin/python", "-m", "pip", "install", "--quiet", "build"],
              [place / "bin/python", "-m", "build", "--outdir", wheels, source]], ask)
    [wheel] = wheels.glob("*.whl")
    extras = "frames,plots,batch,ray,vectors"
    _install([[place / "bin/python", "-m", "pip", "install", "--quiet", "--upgrade",
               f"{wheel}[{extras}]", "grpcio-tools", "gguf", "mypy", "grpc-stubs", "types-protobuf"],
              [place / "bin/python", "-m", "pip", "install", "--quiet", "--force-reinstall",
               "--no-deps", wheel],
              ["/usr/bin/python3", "-m", "venv", "--clear", clean],
              [clean / "bin/python", "-m", "pip", "install", "--quiet", wheel],
              ["/usr/bin/python3", "-m", "venv", "--clear", old],
              [old / "bin/python", "-m", "pip", "install", "--quiet", wheel,
               "protobuf==4.24.4", "grpcio==1.51.3"]], ask)
    own = next((place / "lib").glob("python3*/site-packages"))
    (own / "torch_of_huggingface.pth").write_text(
        f"{next((torch / 'lib').glob('python3*/site-packages'))}\n")
    for where in (place, clean, old):
        _run([where / "bin/python", "-m", "pip", "list"])
    return tuple(where / "bin/python" for where in (place, clean, old))


def go(module, name, version="latest"):
    """The program `name` of the Go package `module`."""
    need("go")
    place = PLACE / "go"
    place.mkdir(parents=True, exist_ok=True)
    _install([["go", "install", f"{module}@{version}"]],
             ["go", "list", "-m", "-versions", "golang.org/x/text"], cwd=place,
             env={**os.environ, "GOBIN": str(place), "GOFLAGS": "-mod=mod"})
    _run(["go", "version", "-m", place / name])
    return place / name


def go_program(folder, *modules):
    """The Go program of `folder`, built with `modules`: "path" in its newest version, or
    "path@version"."""
    need("go")
    place = PLACE / "go-programs" / folder.name
    place.mkdir(parents=True, exist_ok=True)
    for source in folder.glob("*.go"):
        shutil.copy(source, place)
    if not (place / "go.mod").exists():
        _run(["go", "mod", "init", folder.name], cwd=place)
    named = [module if "@" in module else f"{module}@latest" for module in modules]
    _install([["go", "get", *named], ["go", "get", "."], ["go", "build", "-o", "program", "."]],
             ["go", "list", "-m", "-versions", "golang.org/x/text"], cwd=place)
    _run(["go", "version", "-m", place / "program"])
    return place / "program"


def node(*packages):
    """A folder whose scripts can require `packages`: "name" in its newest version, or
    "name@version"."""
    need("npm")
    place = PLACE / "node"
    place.mkdir(parents=True, exist_ok=True)
    named = [package if "@" in package[1:] else f"{package}@latest" for package in packages]
    _install([["npm", "install", "--no-audit", "--no-fund", *named]],
             ["npm", "view", "semver", "version"], cwd=place)
    _run(["npm", "list"], cwd=place)
    return place


def wheel(name):
    """The files of the newest wheel of `name`, without what it needs."""
    place = PLACE / "wheels-of-others"
    ask = [shutil.which("python3"), "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    shutil.rmtree(place / name, ignore_errors=True)
    _install([[*ask, place / name, name]], [*ask, PLACE / "asked", "six"])
    [file] = (place / name).glob("*.whl")
    print(file.name, flush=True)
    with zipfile.ZipFile(file) as files:
        files.extractall(place / name)
    return place / name
