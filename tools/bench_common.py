"""What tools/bench and its kin share."""
import glob
import os
import pathlib
import shutil
import subprocess

TOP = pathlib.Path(__file__).resolve().parent.parent
SETTINGS = ("GOGC", "GODEBUG", "GOMEMLIMIT", "TRICOLOR", "TRICOLOR_BALLAST", "LD_PRELOAD", "MALLOC_CONF", "GOMAXPROCS")


def find_library(pattern):
    """The path of a library of Debian's, or an empty string."""
    found = sorted(glob.glob(f"/usr/lib/*-linux-gnu/{pattern}") + glob.glob(f"/lib/*-linux-gnu/{pattern}"))
    return found[0] if found else ""


def clean_environment():
    """Ours, without what steers an allocator."""
    return {key: value for key, value in os.environ.items() if key not in SETTINGS}


def build_go(program, name):
    """Why there is no Go program, or None. Meson knows no Go: it is built here when it is missing or old."""
    sources = [TOP / f"tests/bench/{name}.go", TOP / "tests/bench/latency.go"]
    if not shutil.which("go"):
        return "there is no go; tools/install-deps --bench installs it"
    if program.exists() and program.stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return None
    env = os.environ | {"GOCACHE": str(program.parent / "go-cache"), "GO111MODULE": "off", "GOFLAGS": ""}
    done = subprocess.run(["go", "build", "-o", str(program), *map(str, sources)], env=env, capture_output=True, text=True,
                          check=False)
    return f"go build: {done.stderr.strip()[-300:]}" if done.returncode != 0 else None


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0
