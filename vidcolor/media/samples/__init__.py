"""Samples in memory: between FFmpeg's pixel formats and planes."""
