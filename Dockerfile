# DeepDream in a box: `cpu` has both engines, ours and the real Caffe 1.0; `gpu` has ours on CUDA.
#
#   docker build --target cpu -t deepdream .
#   docker build --target gpu -t deepdream:gpu .
#
# The steps are the scripts in docker/, and scripts/build_image.sh runs them without a Docker engine.
# docs/docker.md tells how to use the images.

FROM debian:bookworm-slim AS base
COPY docker/install_system.sh /opt/build/docker/
RUN /opt/build/docker/install_system.sh
COPY LICENSE README.md constraints.txt setup.py pyproject.toml /opt/build/
COPY deepdream /opt/build/deepdream
COPY prototxt /opt/build/prototxt
COPY docs/walkthrough.py /opt/build/docs/
COPY docs/drawings /opt/build/docs/drawings
COPY docs/labs /opt/build/docs/labs
COPY examples /opt/build/examples
COPY scripts/install_caffe.sh scripts/make_labs.py /opt/build/scripts/
COPY docker /opt/build/docker
ENV DEEPDREAM_HOME=/opt/models \
    DEEPDREAM_KERNELS=/opt/kernels \
    GLOG_minloglevel=2 \
    PATH=/opt/deepdream/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    LANG=C.UTF-8
RUN /opt/build/docker/install_deepdream.sh
RUN /opt/build/docker/install_home.sh
WORKDIR /work
EXPOSE 8888 8000
ENTRYPOINT ["/opt/build/docker/entrypoint.sh"]
CMD ["notebook"]

FROM base AS cpu
RUN /opt/build/docker/install_caffe.sh /opt/caffe /opt/deepdream
USER 1000

FROM base AS gpu
# PyTorch's usual wheels bring the CUDA runtime; the host gives the driver (docker run --gpus all).
# TORCH_INDEX: where wheels for another version of CUDA are, besides the package index.
ARG TORCH_INDEX=
RUN /opt/build/docker/install_gpu.sh "$TORCH_INDEX"
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 1000
