#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Map and unmap of a page against threads, by the kernel's own benchmark: CONFIG_DMA_MAP_BENCHMARK,
# tools/testing/selftests/dma (tools/dma in later versions). Bind a device behind the IOMMU first:
#
#   echo dma_map_benchmark > /sys/bus/pci/devices/DEVICE/driver_override
#   echo DEVICE > /sys/bus/pci/drivers/XXX/unbind
#   echo DEVICE > /sys/bus/pci/drivers/dma_map_benchmark/bind
set -e
cpus=$(nproc)
for threads in 1 2 4 8 12 16 24 32 48 64 96 128; do
	[ "$threads" -le "$cpus" ] || break
	dma_map_benchmark -t "$threads" -s 10
done
