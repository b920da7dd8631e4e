"""The node's agent: it attests local workloads and hands out their SVIDs."""
