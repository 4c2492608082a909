#!/bin/sh
# Rebuilds kernels.ptx and products.ptx from their sources. Needs a CUDA toolkit; the tests do not.
cd "$(dirname "$0")" || exit 1
for name in kernels products; do
  "${CUDA_HOME:-/usr/local/cuda}/bin/nvcc" -ptx -arch=compute_80 -lineinfo -std=c++17 "$name.cu" -o "$name.ptx" || exit 1
  # File names without the machine's folders.
  sed -i -E 's|^(\s*\.file\s+[0-9]+\s+)"[^"]*/include/([^"]*)"|\1"cuda/include/\2"|; s|^(\s*\.file\s+[0-9]+\s+)"/[^"]*/([^"/]*)"|\1"\2"|' "$name.ptx"
done
