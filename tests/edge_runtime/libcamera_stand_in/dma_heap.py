"""Stands in for the kernel below picamera2's allocator: buffers in anonymous memory instead of /dev/dma_heap."""

from __future__ import annotations

import os
from types import SimpleNamespace
from typing import Any

import picamera2.allocators.dmaallocator
import picamera2.dma_heap


def install() -> None:
    """Let picamera2 find a heap; its own code still asks for, names, maps, synchronises and closes the buffers."""
    picamera2.dma_heap.heapNames = [os.devnull]
    for module in (picamera2.dma_heap, picamera2.allocators.dmaallocator):
        module.fcntl = SimpleNamespace(ioctl=_ioctl)


def _ioctl(_: int, request: int, argument: Any) -> int:
    if request == picamera2.dma_heap.DMA_HEAP_IOCTL_ALLOC:
        argument.fd = os.memfd_create("frame")
        os.ftruncate(argument.fd, argument.len)
    else:
        assert request in (picamera2.dma_heap.DMA_BUF_SET_NAME, picamera2.dma_heap.DMA_BUF_IOCTL_SYNC), request
    return 0
