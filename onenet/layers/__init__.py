"""The paper's operations, one file each: pixel re-positioning, channel-wise and spatial 1D convolution."""
