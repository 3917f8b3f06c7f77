#!/usr/bin/env bash
# distributed.LocalCluster with processes leaves PYTHONHASHSEED=6640 in the environment of the process
# that made it, also where "distributed.nanny.pre-spawn-environ" is empty: programs started from there
# afterwards have one fixed order of hashes.
#
# Packages: dask 2026.8.0, distributed 2026.8.0 (CPython 3.11, Linux x86-64).
#
# Behaviour seen: `os.environ` has no PYTHONHASHSEED before; with the cluster, after `cluster.close()`
# and in a child started then it is "6640". OMP_NUM_THREADS and its like, which come from the setting,
# are not set where that is empty.
#
# Output seen: the lines below "EXPECTED".
#
# Exit status 0 while this is so, 1 when it has changed.
set -euo pipefail
unset PYTHONHASHSEED OMP_NUM_THREADS
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check dask==2026.8.0 \
  distributed==2026.8.0
cat > "$folder/seen.py" <<'PYTHON'
import os
import subprocess
import sys

import dask
from distributed import LocalCluster

if __name__ == "__main__":
    print("before:", os.environ.get("PYTHONHASHSEED"))
    with dask.config.set({"distributed.nanny.pre-spawn-environ": {}}):
        cluster = LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    cluster.close()
    print("after:", os.environ.get("PYTHONHASHSEED"), os.environ.get("OMP_NUM_THREADS"))
    child = "import os; print('child:', os.environ.get('PYTHONHASHSEED'))"
    subprocess.run([sys.executable, "-c", child], check=True)
PYTHON
PYTHONUNBUFFERED=1 "$folder/env/bin/python" "$folder/seen.py" | tee "$folder/out"
diff - "$folder/out" <<'EXPECTED'
before: None
after: 6640 None
child: 6640
EXPECTED
