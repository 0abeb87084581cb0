"""Numba kernels: numpy arrays in, numpy arrays out; imports numpy and numba, nothing else."""
