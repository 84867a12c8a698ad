"""File formats, one module each: bytes (or a folder) in, a SeriesSet out, DataError otherwise."""
