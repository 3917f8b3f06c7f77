#!/usr/bin/env bash
# threadpoolctl and NumPy's OpenBLAS: what becomes of a limit that is set while another thread has
# one. Between 3.6 and 3.8 the answer changed; both leave a limit behind, and neither says anything.
#
# Packages: threadpoolctl 3.6.0 and 3.8.0, numpy 2.4.6 (CPython 3.11, Linux x86-64; the OpenBLAS in
# its wheel has threads of its own, not OpenMP's).
#
# Behaviour seen: a first thread sets a limit of 3, a second one meanwhile 2, and the second leaves
# after the first. With 3.6.0 the second limit counts for both while both are inside; with 3.8.0 it
# does nothing at all, so that who needs few threads for the bits of its sums has more. With both
# versions the first one's leaving lifts all limits while the second is still inside (4 threads), and
# the second one's leaving puts back the 3 that it had found: a limit that nobody wants any more
# stays for as long as the process.
#
# Output seen: the lines below "EXPECTED"; OpenBLAS is told to have 4 threads at first.
#
# Exit status 0 while this is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
pip() { "$folder/env/bin/pip" install --quiet --disable-pip-version-check "$@"; }
pip numpy==2.4.6
for version in 3.6.0 3.8.0; do
  pip "threadpoolctl==$version"
  "$folder/env/bin/python" - <<'PYTHON'
import threading

import numpy  # noqa: F401 - loads its OpenBLAS
import threadpoolctl

blas = threadpoolctl.ThreadpoolController().select(internal_api="openblas").lib_controllers[0]
assert blas.threading_layer == "pthreads", blas.threading_layer
name = threadpoolctl.__version__
blas.set_num_threads(4)
if hasattr(blas, "clear_controlling_thread"):
    blas.clear_controlling_thread(force=True)


def tell(when):
    print(f"{name}: {when}: {blas.get_num_threads()}")


entered, leave = threading.Event(), threading.Event()


def second():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        tell("the second thread inside its limit of 2")
        entered.set()
        leave.wait(60)
        tell("the second one, after the first has left")


thread = threading.Thread(target=second)
with threadpoolctl.threadpool_limits(3, user_api="blas"):
    tell("the first thread inside its limit of 3")
    thread.start()
    entered.wait(60)
leave.set()
thread.join(60)
tell("after both")
PYTHON
done | tee "$folder/seen"
diff - "$folder/seen" <<'EXPECTED'
3.6.0: the first thread inside its limit of 3: 3
3.6.0: the second thread inside its limit of 2: 2
3.6.0: the second one, after the first has left: 4
3.6.0: after both: 3
3.8.0: the first thread inside its limit of 3: 3
3.8.0: the second thread inside its limit of 2: 3
3.8.0: the second one, after the first has left: 4
3.8.0: after both: 3
EXPECTED
