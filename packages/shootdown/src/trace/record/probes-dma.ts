// SPDX-License-Identifier: Apache-2.0
// Probes of the DMA API's allocator, and of the driver of Intel VT-d.
import type { Probe } from "./probe.ts";

const VTD = { part: "vtd" } as const;

export const DMA_PROBES: readonly Probe[] = [
  {
    event: "alloc_iova_fast",
    part: "dma",
    at: [{ symbol: "alloc_iova_fast", params: "iovad npages" }],
    fields: "iovad=iovad:x64 npages=npages:x64",
    reveals: "an address range for a device is taken: not before its last use was invalidated",
  },
  {
    event: "free_iova_fast",
    part: "dma",
    at: [{ symbol: "free_iova_fast", params: "iovad pfn npages" }],
    fields: "iovad=iovad:x64 pfn=pfn:x64 npages=npages:x64",
    reveals: "it is free for the next",
    maybe: "inlined in some builds; alloc_iova_fast and the map event show it",
  },
  ...(["fq_flush_timeout", "fq_flush_iotlb"] as const).map(
    (event): Probe => ({
      ...{ event, part: "dma", fields: "", at: [{ symbol: event, params: "" }] },
      reveals: "the flush queue is emptied, by its timer or not",
      maybe: "static: inlined in some builds; the invalidations show it",
    }),
  ),
];

export const VTD_PROBES: readonly Probe[] = [
  {
    ...VTD,
    event: "qi_submit_sync",
    at: [{ symbol: "qi_submit_sync", params: "iommu desc count", arch: "x86" }],
    fields: "iommu=iommu:x64 count=count:u32",
    returns: "ret=$retval:s32",
    reveals: "which descriptors are one submission, and that the hardware has done them",
  },
  {
    ...VTD,
    event: "intel_iommu_map_pages",
    at: [
      {
        symbol: "intel_iommu_map_pages",
        params: "domain iova paddr pgsize pgcount",
        arch: "x86",
        kernels: "5.15..",
      },
      {
        symbol: "intel_iommu_map",
        params: "domain iova paddr pgsize",
        arch: "x86",
        kernels: "..5.14",
        fields: "domain=domain:x64 iova=iova:x64 paddr=paddr:x64 pgsize=pgsize:x64 pgcount=\\1:u64",
      },
    ],
    fields: "domain=domain:x64 iova=iova:x64 paddr=paddr:x64 pgsize=pgsize:x64 pgcount=pgcount:u64",
    reveals: "pages are mapped for a device, and in which domain",
    maybe: "later drivers share the code of page tables; the event iommu:map shows it",
  },
  {
    ...VTD,
    event: "intel_iommu_unmap_pages",
    at: [
      {
        symbol: "intel_iommu_unmap_pages",
        params: "domain iova pgsize pgcount",
        arch: "x86",
        kernels: "5.15..",
      },
      {
        symbol: "intel_iommu_unmap",
        params: "domain iova pgsize",
        arch: "x86",
        kernels: "..5.14",
        fields: "domain=domain:x64 iova=iova:x64 pgsize=pgsize:x64 pgcount=\\1:u64",
      },
    ],
    fields: "domain=domain:x64 iova=iova:x64 pgsize=pgsize:x64 pgcount=pgcount:u64",
    returns: "ret=$retval:x64",
    reveals: "pages are taken from a device: usable until they are invalidated",
    maybe: "later drivers share the code of page tables; the event iommu:unmap shows it",
  },
  {
    ...VTD,
    event: "intel_iommu_tlb_sync",
    at: [{ symbol: "intel_iommu_tlb_sync", params: "domain gather", arch: "x86" }],
    fields:
      "domain=domain:x64 start=gather->start:x64 end=gather->end:x64 queued=gather->queued:u8",
    returns: "",
    reveals: "the invalidation that an unmap waits for; its return is the deadline",
  },
  {
    ...VTD,
    event: "intel_flush_iotlb_all",
    at: [{ symbol: "intel_flush_iotlb_all", params: "domain", arch: "x86" }],
    fields: "domain=domain:x64",
    returns: "",
    reveals: "the flush queue is emptied",
  },
  {
    ...VTD,
    event: "intel_iommu_iotlb_sync_map",
    at: [
      {
        symbol: "intel_iommu_iotlb_sync_map",
        params: "domain iova size",
        arch: "x86",
        kernels: "5.12..",
      },
    ],
    fields: "domain=domain:x64 iova=iova:x64 size=size:x64",
    reveals: "an invalidation that a new mapping needs (caching mode)",
    absent: [{ arch: "x86", kernels: "..5.11", why: "not there before 5.12", shown: "qi_submit" }],
  },
  {
    ...VTD,
    event: "intel_iommu_attach_device",
    at: [{ symbol: "intel_iommu_attach_device", params: "domain dev", arch: "x86" }],
    fields: "domain=domain:x64 dev=dev:x64",
    reveals: "a domain gets a device",
  },
  {
    ...VTD,
    event: "domain_exit",
    at: [{ symbol: "domain_exit", params: "domain", arch: "x86" }],
    fields: "domain=domain:x64",
    reveals: "a domain ends: its number may be used again",
    maybe: "inlined in some builds; cache_tag_unassign shows it",
  },
  ...(["pci_enable_ats", "pci_disable_ats"] as const).map(
    (event): Probe => ({
      ...{ ...VTD, event, fields: "" },
      at: [{ symbol: event, params: "", arch: "x86" }],
      reveals: "a device begins or ceases to keep translations itself",
      maybe: "only with CONFIG_PCI_ATS, without which no device keeps any",
    }),
  ),
];
