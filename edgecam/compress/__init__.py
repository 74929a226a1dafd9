"""Models made for the edge: trained, pruned, distilled, quantized; on a workstation."""
