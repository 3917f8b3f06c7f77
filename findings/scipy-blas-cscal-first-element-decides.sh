#!/usr/bin/env bash
# scipy.linalg.blas.cscal and zscal by a factor of 0: the first element decides what all others
# become. Behind a NaN 0 * 5 is NaN; behind a 5 0 * NaN is 0.
#
# Packages: scipy 1.17.1 (with the OpenBLAS in its wheel), numpy 2.4.6 (CPython 3.11, Linux x86-64).
#
# Behaviour seen: scaling a short complex vector by 0, `blas.cscal(0.0, [nan, 5])`, gives NaN twice,
# `blas.cscal(0.0, [5, nan])` 0 twice; so it is with four elements, and with zscal. The real ones,
# sscal and dscal, go element by element, as `x * 0` of NumPy does for all kinds: NaN where there
# was a NaN, else 0. The same with OPENBLAS_CORETYPE of Haswell, SkylakeX and Zen.
#
# Output seen: the lines below "EXPECTED"; of each vector, which elements are NaN afterwards.
#
# Exit status 0 while this is so, 1 when it has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
"$folder/env/bin/python" - <<'PYTHON' | tee "$folder/seen"
import numpy as np
from scipy.linalg import blas


def shown(values):
    return " ".join("NaN" if wrong else "0" for wrong in np.isnan(values))


for name, kind in (("sscal", "f4"), ("dscal", "f8"), ("cscal", "c8"), ("zscal", "c16")):
    for x in ([np.nan, 5], [5, np.nan], [np.nan, 5, 5, 5], [5, 5, 5, np.nan]):
        scaled = getattr(blas, name)(0.0, np.array(x, kind))
        with np.errstate(invalid="ignore"):
            product = np.array(x, kind) * np.dtype(kind).type(0)
        print(f"{name}: {shown(scaled)}; numpy: {shown(product)}")
PYTHON
diff - "$folder/seen" <<'EXPECTED'
sscal: NaN 0; numpy: NaN 0
sscal: 0 NaN; numpy: 0 NaN
sscal: NaN 0 0 0; numpy: NaN 0 0 0
sscal: 0 0 0 NaN; numpy: 0 0 0 NaN
dscal: NaN 0; numpy: NaN 0
dscal: 0 NaN; numpy: 0 NaN
dscal: NaN 0 0 0; numpy: NaN 0 0 0
dscal: 0 0 0 NaN; numpy: 0 0 0 NaN
cscal: NaN NaN; numpy: NaN 0
cscal: 0 0; numpy: 0 NaN
cscal: NaN NaN NaN NaN; numpy: NaN 0 0 0
cscal: 0 0 0 0; numpy: 0 0 0 NaN
zscal: NaN NaN; numpy: NaN 0
zscal: 0 0; numpy: 0 NaN
zscal: NaN NaN NaN NaN; numpy: NaN 0 0 0
zscal: 0 0 0 0; numpy: 0 0 0 NaN
EXPECTED
